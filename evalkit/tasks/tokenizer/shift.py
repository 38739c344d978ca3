"""Shift consistency: what becomes of a reconstruction, and of the codes, when the image moves a little.

The image is moved right and down and mirrored into the gap. Pixels: moved by 4 px (half of the smallest stride in the
field), both reconstructions are compared as 8-bit images where they show the same content. Codes: moved by one cell of
the code grid, the share of codes that move along; models whose codes are no single grid have none.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from evalkit.metrics.psnr import psnr
from evalkit.metrics.shift import PIXELS, SHIFT_CODES, SHIFT_PSNR, moved_share
from evalkit.tokenizers.base import Codes, Tokenizer


def shift(model: Tokenizer, x: Tensor, codes: Codes, decoded: Tensor, seed: int) -> list[dict[str, float | None]]:
    """`shift_psnr` in dB and `shift_codes` in [0, 1] of each image of `x` [B, 3, H, W], whose codes and decoding are given."""
    moved = model.decode(model.encode(moved_by(x, PIXELS)), seed=seed).float().cpu()
    still, again = (_bytes(each) for each in (decoded[:, :, :-PIXELS, :-PIXELS], moved[:, :, PIXELS:, PIXELS:]))
    errors = ((still - again) / 255).square().flatten(1).mean(1)
    shares = _moved_codes(model, x, codes)
    return [
        {SHIFT_PSNR.name: psnr(float(error)), SHIFT_CODES.name: share}
        for error, share in zip(errors, shares, strict=True)
    ]


def moved_by(x: Tensor, pixels: int) -> Tensor:
    """`x` moved right and down by `pixels`, the gap mirrored from inside, same size."""
    height, width = x.shape[2:]
    return F.pad(x, (pixels, 0, pixels, 0), mode="reflect")[:, :, :height, :width]


def has_grid(model: Tokenizer, codes: Codes, height: int, width: int) -> bool:
    """Whether the codes are one for each cell of `multiple` x `multiple` pixels, in reading order."""
    if codes.latent is not None or codes.scale_lengths or model.fixed_size or model.multiple < 2:
        return False
    cells = (height // model.multiple) * (width // model.multiple)
    return model.tokens_per_image(height, width) == cells == codes.values.shape[1]


def _moved_codes(model: Tokenizer, x: Tensor, codes: Codes) -> list[float | None]:
    height, width = int(x.shape[2]), int(x.shape[3])
    if not has_grid(model, codes, height, width):
        return [None] * len(codes)
    again = model.encode(moved_by(x, model.multiple))
    rows, columns = height // model.multiple, width // model.multiple
    before, after = (each.values.cpu().numpy().reshape(len(codes), rows, columns, -1) for each in (codes, again))
    return list(moved_share(before, after))


def _bytes(x: Tensor) -> Tensor:
    return x.clamp(0, 1).mul(255).add(0.5).floor().to(torch.float64)
