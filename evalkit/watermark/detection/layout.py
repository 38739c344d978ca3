"""What detection knows of a tokenizer's codes: their shape, their layout, and how many images go together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from evalkit.errors import EvalkitError
from evalkit.images.sample import Pixels
from evalkit.tokenizers.base import Codes, Tokenizer
from evalkit.tokenizers.network import NetworkTokenizer

Ints = npt.NDArray[np.int64]


def batch_of(tokenizer: Tokenizer, asked: int | Literal["auto"]) -> int:
    """Images a forward pass: as asked, or what is fast on the device (as `evalkit tokenizer` chooses it)."""
    if asked != "auto":
        return asked
    if not isinstance(tokenizer, NetworkTokenizer):
        return 8
    on_gpu = str(tokenizer.device).startswith("cuda")
    return 64 if on_gpu else min(64, max(1, 256**2 // tokenizer.native_size**2))


def code_shape(tokenizer: Tokenizer) -> tuple[tuple[int, ...], int]:
    """((N,), V) of a tokenizer of indices; ((N, bits), 2) of one of bits that no index holds.

    Raises `EvalkitError` for tokenizers without a fixed number of discrete codes.
    """
    side = tokenizer.native_size
    n = tokenizer.tokens_per_image(side, side)
    bits = tokenizer.bits_per_code()
    if n is None or (not tokenizer.vocab_size and not bits):
        raise EvalkitError(
            f"{tokenizer.name} has no fixed number of discrete codes per image, so no watermark can be looked for in "
            "them; type llamagen-vq16, var or world-vq, for example"
        )
    return ((n,), int(tokenizer.vocab_size)) if tokenizer.vocab_size else ((n, round(bits or 0)), 2)


def stacked(images: Sequence[Pixels]) -> Tensor:
    """float32 [B, 3, S, S] in [0, 1] of uint8 images [S, S, 3]."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255


def values_of(codes: Codes) -> Ints:
    """Codes [B, N], or bits [B, N, bits], as int64 on the CPU."""
    return codes.values.cpu().numpy().astype(np.int64)


def joined(parts: Sequence[Codes]) -> Codes:
    """Codes of parts of a batch as those of the batch."""
    values, first = torch.cat([each.values for each in parts]), parts[0]
    if first.bits is not None:
        return Codes(bits=values, scale_lengths=first.scale_lengths, grid=first.grid)
    return Codes(indices=values, scale_lengths=first.scale_lengths, grid=first.grid)


def grid_of(codes: Codes) -> tuple[int, int] | None:
    """(rows, columns) of the last code map; None where codes lie on none."""
    try:
        return codes.map_grid()
    except EvalkitError:
        return None
