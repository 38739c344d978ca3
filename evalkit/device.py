"""Devices and precisions by name."""

from __future__ import annotations

import torch

from evalkit.errors import EvalkitError


def pick_device(device: str) -> torch.device:
    """`auto` is cuda, then mps, then cpu; anything else is taken at its word, and must be there."""
    if device == "auto":
        has_mps = torch.backends.mps.is_available()
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise EvalkitError(f"device {device!r} is not known; give auto, cpu, cuda, cuda:0 or mps") from None
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise EvalkitError(f"device {device!r} was asked for, but torch sees no GPU here; give --device cpu")
    return chosen


def pick_dtype(dtype: str) -> torch.dtype:
    """float32, bfloat16 or float16 by name."""
    known = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if dtype not in known:
        raise EvalkitError(f"dtype {dtype!r} is not known; give one of {', '.join(known)}")
    return known[dtype]
