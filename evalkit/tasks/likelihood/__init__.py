"""The likelihood of an image set's codes under a generator, through the generator's own tokenizer."""

from evalkit.tasks.likelihood.run import image_likelihood, reported_bits

__all__ = ["image_likelihood", "reported_bits"]
