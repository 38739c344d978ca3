"""Images beside a baseline's at equal prompts and seeds: fidelity, speed-up, evaluations and memory."""

from evalkit.tasks.paired.run import paired_scores

__all__ = ["paired_scores"]
