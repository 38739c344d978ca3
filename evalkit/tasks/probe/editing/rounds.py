"""Editing over several rounds: how far images drift from what they were, round after round (GPT-ImgEval, part D).

The folder holds one sub-folder for each chain: 0.png, the image it starts from, then 1.png, 2.png, …, the results of
one edit after the other. Where an edit asks for no change, or mask-K.png marks what edit K may change, drift is unasked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError
from evalkit.images.decode import decode_image
from evalkit.images.geometry import resize_exact
from evalkit.images.sample import Pixels
from evalkit.metrics.base import Estimate
from evalkit.metrics.ssim import ssim
from evalkit.stats.intervals import mean_interval
from evalkit.tasks.probe.editing.background import region_scores
from evalkit.tasks.probe.editing.regions import Region

Values = npt.NDArray[np.float64]
MEASURES = ("psnr", "ssim", "warmth", "detail")


@dataclass(frozen=True)
class Drift:
    """Of each round, by measure: the mean over chains with its interval, and the slope a round over chains.

    psnr (dB), ssim: of the first image and the round's, outside of all masks so far. warmth: change of red minus blue,
    in grey levels. detail: log2 of the ratio of high-frequency energy, above 0 where images get sharper.
    """

    rounds: Mapping[str, tuple[Estimate, ...]]
    slopes: Mapping[str, Estimate]
    chains: int


def editing_drift(folder: Path) -> Drift:
    """The drift of every chain below `folder`. Raises `EvalkitError` where there is none, or chains differ in length."""
    chains = {each.name: _chain(each) for each in sorted(folder.iterdir()) if each.is_dir()} if folder.is_dir() else {}
    lengths = {len(rows) for rows in chains.values()}
    if not chains or lengths == {0} or len(lengths) != 1:
        said = "no chain" if not chains or lengths == {0} else "chains of several lengths"
        raise EvalkitError(f"{folder} holds {said}. Give folders NAME/0.png, 1.png, … of one length")
    table = {name: np.array([[row[name] for row in rows] for rows in chains.values()]) for name in MEASURES}
    rounds = {
        name: tuple(mean_interval(values[:, k], method="mean") for k in range(values.shape[1]))
        for name, values in table.items()
    }
    return Drift(
        rounds, {name: mean_interval(_slopes(values), method="mean") for name, values in table.items()}, len(chains)
    )


def round_scores(first: Pixels, later: Pixels, kept: Region) -> dict[str, float]:
    """The measures of one round; `kept`: what no edit so far was allowed to change."""
    later = later if later.shape == first.shape else resize_exact(later, first.shape[:2], "bicubic")
    scores = region_scores(first, later, kept)
    a, b = (image[kept].astype(np.float64) for image in (first, later))
    warmth = float((b[:, 0] - b[:, 2]).mean() - (a[:, 0] - a[:, 2]).mean()) if kept.any() else float("nan")
    same = ssim(first * kept[..., None], later * kept[..., None], border="reflect")
    return {
        "psnr": min(scores.psnr, 100.0),
        "ssim": same,
        "warmth": warmth,
        "detail": float(np.log2(_sharp(later) / _sharp(first))),
    }


def _chain(folder: Path) -> list[dict[str, float]]:
    names = sorted((int(path.stem), path) for path in folder.glob("*.png") if path.stem.isdecimal())
    if [number for number, _ in names] != list(range(len(names))) or len(names) < 2:
        return []
    first = decode_image(names[0][1].read_bytes())
    kept, rows = np.ones(first.shape[:2], bool), []
    for number, path in names[1:]:
        mask = folder / f"mask-{number}.png"
        if mask.is_file():
            changed = decode_image(mask.read_bytes())
            kept = kept & (resize_exact(changed, first.shape[:2], "nearest")[..., 0] <= 127)
        rows.append(round_scores(first, decode_image(path.read_bytes()), kept))
    return rows


def _sharp(image: Pixels) -> float:
    grey = image.astype(np.float64).mean(-1)
    return float(np.square(np.diff(grey, axis=0)).mean() + np.square(np.diff(grey, axis=1)).mean()) + 1e-6


def _slopes(values: Values) -> Values:
    """The least-squares slope of each chain's values [chains, rounds] a round; with one round, the value itself."""
    count = values.shape[1]
    if count == 1:
        return np.asarray(values[:, 0])
    x = np.arange(count) - (count - 1) / 2
    return np.asarray(values @ x / (x @ x))
