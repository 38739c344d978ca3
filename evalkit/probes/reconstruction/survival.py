"""Token survival: do the codes of a picture come back when its reconstruction is encoded again?

It bounds what any watermark in the codes can reach: a code that does not survive an 8-bit file carries no mark.
"""

from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from evalkit.tokenizers.base import Codes, Tokenizer

JPEG_QUALITY = 75
COLUMNS = ("survival_8bit", "survival_jpeg75")


def survival(model: Tokenizer, codes: Codes, decoded: Tensor) -> list[dict[str, float | None]]:
    """Shares of the codes of each picture that survive rounding to 8 bits, and JPEG at quality 75 after it.

    `decoded`: what the model made of `codes`, float [B, 3, H, W] on the [0, 1] scale. None for continuous codes.
    """
    if codes.latent is not None:
        return [dict.fromkeys(COLUMNS) for _ in range(len(codes))]
    rounded = decoded.clamp(0, 1).mul(255).add(0.5).floor().to(torch.uint8)
    found = []
    for pictures in (rounded, through_jpeg(rounded)):
        found.append(agreement(codes, model.encode(pictures.float() / 255)))
    return [dict(zip(COLUMNS, shares, strict=True)) for shares in zip(*found, strict=True)]


def agreement(a: Codes, b: Codes) -> list[float]:
    """Share of equal codes (bits, where codes are bits) of each picture; what only one of them has counts as different."""
    x, y = a.values.cpu(), b.values.cpu()
    if a.bits is not None:
        return [float(same) for same in (x == y).flatten(1).double().mean(1)]
    width = max(x.shape[1], y.shape[1])
    x, y = (torch.nn.functional.pad(v, (0, width - v.shape[1]), value=-1) for v in (x, y))
    present = (x >= 0) | (y >= 0)
    return [float(same) for same in ((x == y) & present).sum(1) / present.sum(1).clamp(min=1)]


def through_jpeg(pictures: Tensor, quality: int = JPEG_QUALITY) -> Tensor:
    """uint8 [B, 3, H, W] pictures after a JPEG file of the given quality."""
    done = []
    for each in pictures.permute(0, 2, 3, 1).cpu().numpy():
        buffer = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(each)).save(buffer, format="JPEG", quality=quality)
        done.append(np.array(Image.open(buffer).convert("RGB"), dtype=np.uint8))
    return torch.from_numpy(np.stack(done)).permute(0, 3, 1, 2)
