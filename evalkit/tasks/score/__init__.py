"""Scores of an image set: against a reference, for its prompts, or by itself, under a named protocol."""

from evalkit.tasks.score.run import score_images

__all__ = ["score_images"]
