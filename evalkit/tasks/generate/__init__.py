"""Images of prompts and classes: a resumable run that keeps every image with the seed that made it."""

from evalkit.tasks.generate.generate import generate_images

__all__ = ["generate_images"]
