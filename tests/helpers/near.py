"""Comparisons of network outputs that hold on every processor: differences count as shares of the largest value."""

from __future__ import annotations

import torch
from torch import Tensor

ROUNDING = 3e-5  # several times what float32 networks differ by between batches, kernels and processors


def distance(found: Tensor, wanted: Tensor) -> float:
    """The largest difference as a share of the largest magnitude in `wanted`; infinite where numbers are not finite."""
    if found.shape != wanted.shape:
        raise AssertionError(f"shape {tuple(found.shape)} found, {tuple(wanted.shape)} wanted")
    gap, scale = (found.double() - wanted.double()).abs().max(), wanted.double().abs().max()
    if not bool(torch.isfinite(gap)):
        return float("inf")
    return float(gap / scale) if scale > 0 else float(gap)


def near(found: Tensor, wanted: Tensor, share: float = ROUNDING) -> bool:
    """Whether `found` equals `wanted` up to the rounding of float32, or to a larger `share` of the largest value."""
    return distance(found, wanted) <= share


def same(found: Tensor, wanted: Tensor, share: float = ROUNDING) -> None:
    """Fail with the measured distance unless `found` is `near` to `wanted`."""
    gap = distance(found, wanted)
    if not gap <= share:
        raise AssertionError(f"{gap:.2e} of the largest value apart, {share:.0e} allowed")


def are_best(codes: Tensor, logits: Tensor, share: float = ROUNDING) -> bool:
    """Whether each of `codes` [...] has the largest of its `logits` [..., V]; ties within `share` of the largest count."""
    chosen = logits.gather(-1, codes[..., None])[..., 0]
    return bool((logits.amax(-1) - chosen <= share * logits.abs().max()).all())
