"""Re-tokenization consistency of a model: its reconstructions encoded again, as they are, as 8-bit files and as JPEG."""

from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from evalkit.metrics import survival as metric
from evalkit.metrics.survival import Shares
from evalkit.tokenizers.base import Codes, Tokenizer

JPEG_QUALITY = 75
COLUMNS = tuple(each.name for each in metric.DECLARED)


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
    images = (decoded.clamp(0, 1), rounded.float() / 255, through_jpeg(rounded).float() / 255)
    for name, image in zip(COLUMNS, images, strict=True):
        again = model.encode(image)
        for row, share in zip(found, agreement(codes, again), strict=True):
            row[name] = share
        for part, shares in agreement_by_part(codes, again, model.bits_of_index).items():
            for row, each in zip(found, shares, strict=True):
                row[f"{name}|{part}"] = each
    return found


def agreement(a: Codes, b: Codes) -> list[float]:
    """Share of equal codes (bits, where codes are bits) of each image; what only one of them has counts as different."""
    return metric.agreement(a.values.cpu().numpy(), b.values.cpu().numpy())


def agreement_by_part(a: Codes, b: Codes, bits_of_index: int | None = None) -> dict[str, list[Shares]]:
    """`scale`: shares of equal codes in each scale; `bit`: shares of equal values of each bit; where codes have such."""
    x, y = a.values.cpu().numpy(), b.values.cpu().numpy()
    found: dict[str, list[Shares]] = {}
    if len(a.scale_lengths) > 1:
        found["scale"] = list(metric.agreement_by_scale(x, y, a.scale_lengths))
    if a.bits is not None or bits_of_index:
        found["bit"] = list(metric.agreement_by_bit(x, y, None if a.bits is not None else bits_of_index))
    return found


def through_jpeg(images: Tensor, quality: int = JPEG_QUALITY) -> Tensor:
    """uint8 [B, 3, H, W] images after a JPEG file of the given quality."""
    done = []
    for each in images.permute(0, 2, 3, 1).cpu().numpy():
        buffer = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(each)).save(buffer, format="JPEG", quality=quality)
        done.append(np.array(Image.open(buffer).convert("RGB"), dtype=np.uint8))
    return torch.from_numpy(np.stack(done)).permute(0, 3, 1, 2)
