"""What an attack costs an image: PSNR, SSIM, and LPIPS where its weights are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from evalkit.encoders.lpips import SMALLEST, Lpips, load_lpips
from evalkit.errors import EvalkitError
from evalkit.images.sample import Pixels
from evalkit.metrics.psnr import PSNR, mse, psnr
from evalkit.metrics.ssim import SSIM, ssim
from evalkit.watermark.robustness.summary import LPIPS, QUALITY

BEST = 100.0  # dB for equal images, whose ratio is infinite


class Quality:
    """`measure` gives psnr (at most 100 dB), ssim and lpips of images against what they were; None for other sizes."""

    def __init__(self, device: str = "cpu") -> None:
        self.lpips: Lpips | None = None
        self.reason: str | None = None
        try:
            self.lpips = load_lpips("alex", device=device)
        except EvalkitError as error:
            self.reason = str(error)

    def measure(self, before: Sequence[Pixels], after: Sequence[Pixels]) -> list[dict[str, float | None]]:
        """A row a pair."""
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
            i
            for i, row in enumerate(rows)
            if row[PSNR.name] is not None and min(before[i].shape[:2]) >= SMALLEST["alex"]
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
