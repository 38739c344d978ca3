"""Lookup-free codes: each channel's sign is one bit of an index, channel k worth 2^k."""

from __future__ import annotations

import torch
from torch import Tensor

from evalkit.tokenizers.base import Codes


def signs_to_indices(z: Tensor) -> Tensor:
    """Codes int64 [B, h*w] of features [B, bits, h, w]: channel k gives 2^k where it is above zero."""
    weights = 2 ** torch.arange(z.shape[1], device=z.device)
    indices: Tensor = ((z > 0).long() * weights[:, None, None]).sum(1)
    return indices.flatten(1)


def signs_of(codes: Codes, bits: int, device: torch.device) -> Tensor:
    """Features [B, bits, h, w] of +1 and -1 from indices [B, h*w], or from bits [B, h*w, bits] of 0 and 1."""
    on = codes.values.to(device)
    if codes.bits is None:
        on = (on[:, :, None] >> torch.arange(bits, device=device)) & 1
    return (on.float() * 2 - 1).transpose(1, 2).reshape(len(codes), bits, *codes.map_grid())
