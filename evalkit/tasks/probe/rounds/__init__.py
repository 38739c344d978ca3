"""Drift over several rounds of editing (GPT-ImgEval, arXiv:2504.02782), as a task."""

from evalkit.tasks.probe.rounds.run import probe_rounds

__all__ = ["probe_rounds"]
