"""How far the images of a chain of edits are from the image that it starts from (GPT-ImgEval, part D)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from evalkit.images.decode import decode_image
from evalkit.images.geometry import resize_exact
from evalkit.images.sample import Pixels
from evalkit.metrics.psnr import PSNR
from evalkit.metrics.ssim import SSIM
from evalkit.runs.plain import read_plain
from evalkit.tasks.probe.editing.background import region_scores
from evalkit.tasks.probe.editing.regions import Region
from evalkit.tasks.probe.rounds.chains import Chain

Values = npt.NDArray[np.float64]
EXACT = 100.0  # dB that equal images count as


def round_scores(first: Pixels, later: Pixels, kept: Region) -> dict[str, float | None]:
    """The measures of one round; `kept`: what no edit so far was allowed to change.

    psnr (dB, 100 for equal images), ssim: of both images outside of all masks. warmth: change of red minus blue there,
    in grey levels, None where nothing is kept. detail: log2 of the ratio of high-frequency energy of the whole images,
    above 0 where they get sharper.
    """
    later = later if later.shape == first.shape else resize_exact(later, first.shape[:2], "bicubic")
    scores = region_scores(first, later, kept)
    a, b = (image[kept].astype(np.float64) for image in (first, later))
    warmth = float((b[:, 0] - b[:, 2]).mean() - (a[:, 0] - a[:, 2]).mean()) if kept.any() else None
    return {
        PSNR.name: min(scores.psnr, EXACT),
        SSIM.name: scores.ssim,
        "warmth": warmth,
        "detail": float(np.log2(_sharp(later) / _sharp(first))),
    }


def chain_scores(chain: Chain) -> list[dict[str, Any]]:
    """The measures of each round of a chain. Raises `EvalkitError` for an image or a mask that cannot be read."""
    first = decode_image(read_plain(chain.images[0]))
    kept, rows = np.ones(first.shape[:2], bool), []
    for number, path in enumerate(chain.images[1:], 1):
        if number in chain.masks:
            changed = decode_image(read_plain(chain.masks[number]))
            kept = kept & (resize_exact(changed, first.shape[:2], "nearest")[..., 0] <= 127)
        rows.append(round_scores(first, decode_image(read_plain(path)), kept))
    return rows


def slope(values: Values) -> float:
    """The least-squares slope a round of the values [rounds] of rounds 1, 2, …; of one round, the value itself."""
    if len(values) == 1:
        return float(values[0])
    x = np.arange(len(values)) - (len(values) - 1) / 2
    return float((values - values[0]) @ x / (x @ x))


def _sharp(image: Pixels) -> float:
    grey = image.astype(np.float64).mean(-1)
    return float(np.square(np.diff(grey, axis=0)).mean() + np.square(np.diff(grey, axis=1)).mean()) + 1e-6
