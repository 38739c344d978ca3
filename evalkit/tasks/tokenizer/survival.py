"""Token survival: do the codes of an image come back when its reconstruction is encoded again?

It bounds what any watermark in the codes can reach: a code that does not survive an 8-bit file carries no mark.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from evalkit.tokenizers.base import Codes, Tokenizer

JPEG_QUALITY = 75
COLUMNS = ("survival_exact", "survival_8bit", "survival_jpeg75")
Shares = npt.NDArray[np.float64]


def survival(model: Tokenizer, codes: Codes, decoded: Tensor) -> list[dict[str, float | Shares | None]]:
    """Shares of the codes of each image that return: from the decoder's own numbers, 8-bit pixels, and JPEG 75.

    `decoded`: what the model made of `codes`, float [B, 3, H, W] on the [0, 1] scale. Besides the share of all codes
    under its name there is `<name>|scale` (multi-scale models: a share for each scale) and `<name>|bit` (models of
    bits: a share for each bit). None for continuous codes.
    """
    if codes.latent is not None:
        return [dict.fromkeys(COLUMNS) for _ in range(len(codes))]
    rounded = decoded.clamp(0, 1).mul(255).add(0.5).floor().to(torch.uint8)
    found: list[dict[str, float | Shares | None]] = [{} for _ in range(len(codes))]
    pictures = (decoded.clamp(0, 1), rounded.float() / 255, through_jpeg(rounded).float() / 255)
    for name, picture in zip(COLUMNS, pictures, strict=True):
        again = model.encode(picture)
        for row, share in zip(found, agreement(codes, again), strict=True):
            row[name] = share
        for part, shares in agreement_by_part(codes, again, model.bits_of_index).items():
            for row, each in zip(found, shares, strict=True):
                row[f"{name}|{part}"] = each
    return found


def agreement(a: Codes, b: Codes) -> list[float]:
    """Share of equal codes (bits, where codes are bits) of each image; what only one of them has counts as different."""
    x, y = a.values.cpu(), b.values.cpu()
    if a.bits is not None:
        return [float(same) for same in (x == y).flatten(1).double().mean(1)]
    width = max(x.shape[1], y.shape[1])
    x, y = (torch.nn.functional.pad(v, (0, width - v.shape[1]), value=-1) for v in (x, y))
    present = (x >= 0) | (y >= 0)
    return [float(same) for same in ((x == y) & present).sum(1) / present.sum(1).clamp(min=1)]


def agreement_by_part(a: Codes, b: Codes, bits_of_index: int | None = None) -> dict[str, list[Shares]]:
    """`scale`: shares of equal codes in each scale; `bit`: shares of equal values of each bit; where codes have such."""
    x, y = a.values.cpu(), b.values.cpu()
    found: dict[str, list[Shares]] = {}
    if len(a.scale_lengths) > 1:
        same = (x == y) if x.ndim == 2 else (x == y).double().mean(2)
        scales = torch.split(same.double(), list(a.scale_lengths), dim=1)
        found["scale"] = _rows(torch.stack([each.mean(1) for each in scales], 1))
    if a.bits is None and bits_of_index:
        places = torch.arange(bits_of_index)
        x, y = ((v[..., None] >> places) & 1 for v in (x, y))
    if a.bits is not None or bits_of_index:
        found["bit"] = _rows((x == y).double().mean(1))
    return found


def through_jpeg(pictures: Tensor, quality: int = JPEG_QUALITY) -> Tensor:
    """uint8 [B, 3, H, W] images after a JPEG file of the given quality."""
    done = []
    for each in pictures.permute(0, 2, 3, 1).cpu().numpy():
        buffer = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(each)).save(buffer, format="JPEG", quality=quality)
        done.append(np.array(Image.open(buffer).convert("RGB"), dtype=np.uint8))
    return torch.from_numpy(np.stack(done)).permute(0, 3, 1, 2)


def _rows(shares: Tensor) -> list[Any]:
    return list(shares.numpy())
