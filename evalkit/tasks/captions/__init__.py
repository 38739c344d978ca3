"""Captions of images beside those that people wrote."""

from evalkit.tasks.captions.run import caption_scores

__all__ = ["caption_scores"]
