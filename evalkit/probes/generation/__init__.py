"""Pictures of prompts and classes: a resumable run that keeps every picture with the seed that made it."""

from evalkit.probes.generation.generate import generate_images

__all__ = ["generate_images"]
