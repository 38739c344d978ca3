"""Which tokenizer lists and cached codes belong to, and how an image is made its input."""

from __future__ import annotations

import hashlib

from evalkit.errors import EvalkitError
from evalkit.images.geometry import fit_square
from evalkit.images.sample import Pixels
from evalkit.tokenizers.base import Tokenizer

PREPARE = "short-bicubic"  # shorter side to the tokenizer's size, then the centre


def tokenizer_identity(tokenizer: Tokenizer) -> str:
    """`name@sha256` of a tokenizer of discrete codes: two checkpoints of one shape never share lists.

    Raises `EvalkitError` for tokenizers of continuous codes, and of a number of codes that depends on the image.
    """
    side = tokenizer.native_size
    if tokenizer.bits_per_code() is None or tokenizer.tokens_per_image(side, side) is None:
        raise EvalkitError(
            f"{tokenizer.name} has no fixed number of discrete codes per image, so green lists do not apply to it; "
            "type llamagen-vq16, var or world-vq, for example"
        )
    return f"{tokenizer.name}@{tokenizer.weights_sha256 or 'none'}"


def preparation_id(tokenizer: Tokenizer) -> str:
    """A short digest of everything that turns a file into codes; cached codes are found under it."""
    said = f"{tokenizer_identity(tokenizer)}|{PREPARE}|{tokenizer.native_size}"
    return hashlib.sha256(said.encode()).hexdigest()[:24]


def prepared(image: Pixels, tokenizer: Tokenizer, finer: int = 1) -> Pixels:
    """uint8 [S, S, 3] at the size that the tokenizer was made for, or `finer` times it; such an image is untouched."""
    size = tokenizer.native_size * finer
    if image.shape[:2] == (size, size):
        return image
    return fit_square(image, size, PREPARE)
