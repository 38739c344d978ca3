"""Tokenizer evaluation in the manner of VTBench (arXiv:2505.13439), corrected and extended."""

from evalkit.tasks.tokenizer.evaluate import TASKS, evaluate_tokenizer

__all__ = ["TASKS", "evaluate_tokenizer"]
