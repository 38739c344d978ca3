"""What an attack costs an image: PSNR, SSIM, and LPIPS where its weights are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from evalkit.encoders.base import PerceptualDistance
from evalkit.encoders.perceptual.lpips import SMALLEST
from evalkit.encoders.registry import load_lpips
from evalkit.errors import EvalkitError
from evalkit.images.sample import Pixels
from evalkit.jobs.spec import ModelRef
from evalkit.metrics.psnr import PSNR, mse, psnr
from evalkit.metrics.ssim import SSIM, ssim
from evalkit.watermark.robustness.rows import LPIPS, NET, QUALITY
from evalkit.weights.find import find_weights
from evalkit.weights.reading import file_sha256

BEST = 100.0  # dB for equal images, whose ratio is infinite


def lpips_ref() -> tuple[ModelRef | None, str | None]:
    """The LPIPS network that a run takes, or None and why there is none."""
    try:
        path = find_weights(f"lpips-trunk-{NET}")
    except EvalkitError as error:
        return None, str(error)
    return ModelRef(f"lpips-{NET}", file_sha256(path), weights=str(path)), None


class Quality:
    """`measure` gives psnr (at most 100 dB), ssim and lpips of images against what they were; None for other sizes.

    `model`: what `lpips_ref` gave; without one there is no lpips. Raises `EvalkitError` where its weights are others.
    """

    def __init__(self, model: ModelRef | None, device: str = "cpu") -> None:
        self.lpips: PerceptualDistance | None = None if model is None else load_lpips(NET, model.weights, device=device)
        if self.lpips is not None and model is not None and self.lpips.weights_sha256 != model.sha256:
            raise EvalkitError("the weights of LPIPS are not those of the run. Put the run's file into EVALKIT_WEIGHTS")

    def measure(self, before: Sequence[Pixels], after: Sequence[Pixels]) -> list[dict[str, float | None]]:
        """A row per pair."""
        rows: list[dict[str, float | None]] = []
        for a, b in zip(before, after, strict=True):
            if a.shape != b.shape:
                rows.append(dict.fromkeys(QUALITY))
                continue
            error = mse(a, b)
            rows.append(
                {
                    PSNR.name: BEST if error == 0 else min(psnr(error), BEST),
                    SSIM.name: ssim(a, b) if min(a.shape[:2]) >= 11 else None,
                    LPIPS: None,
                }
            )
        self._add_lpips(before, after, rows)
        return rows

    def _add_lpips(
        self, before: Sequence[Pixels], after: Sequence[Pixels], rows: Sequence[dict[str, float | None]]
    ) -> None:
        alike = [
            i for i, row in enumerate(rows) if row[PSNR.name] is not None and min(before[i].shape[:2]) >= SMALLEST[NET]
        ]
        if self.lpips is None or not alike:
            return
        x, y = (
            torch.from_numpy(np.stack([part[i] for i in alike])).permute(0, 3, 1, 2).float() / 255
            for part in (before, after)
        )
        found = self.lpips.distance(x, y).tolist()
        for i, value in zip(alike, found, strict=True):
            rows[i][LPIPS] = float(value)
