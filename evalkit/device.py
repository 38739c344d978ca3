"""Devices and precisions by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.errors import EvalkitError

if TYPE_CHECKING:
    import torch

DTYPES = ("float32", "bfloat16", "float16")


def check_device(device: str, dtype: str = "float32") -> None:
    """Raise for a device that is not there or a precision that is not known; torch is loaded only to look for a GPU."""
    if device not in ("auto", "cpu"):
        pick_device(device)
    if dtype not in DTYPES:
        raise EvalkitError(f"dtype {dtype!r} is not known; give one of {', '.join(DTYPES)}")


def pick_device(device: str) -> torch.device:
    """`auto` is cuda, then mps, then cpu; anything else is taken at its word, and must be there."""
    import torch  # here and below, so that what runs no network does without it

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
    import torch

    check_device("cpu", dtype)
    found: torch.dtype = getattr(torch, dtype)
    return found
