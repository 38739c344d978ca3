"""One shard of a paired scoring: each image is read beside the baseline's, and both are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from evalkit.encoders.base import FeatureExtractor, PerceptualDistance
from evalkit.encoders.perceptual.lpips import SMALLEST
from evalkit.images.loader import TOO_LARGE
from evalkit.images.sample import ImageSet, Pixels, Sample, Unreadable
from evalkit.jobs.shard import Shard, ShardOutput
from evalkit.jobs.task import Tick, Worker
from evalkit.jobs.timers import Timers
from evalkit.metrics.consistency import canny_f1, cosine, map_iou, map_rmse
from evalkit.metrics.paired import CANNY, EXACT, IOU, LPIPS, MAP_SSIM, PSNR, RMSE, SSIM, SUBJECT
from evalkit.metrics.psnr import mse, psnr
from evalkit.metrics.ssim import SMALLEST_MS_SSIM, ms_ssim, ssim
from evalkit.tasks.paired.rows import BASELINE, EVALUATIONS, SECONDS, table
from evalkit.tasks.paired.sides import Made

SMALLEST_SSIM = 11  # pixels of a side
_MAPS = {CANNY.name: canny_f1, RMSE.name: map_rmse, IOU.name: map_iou}


@dataclass(frozen=True)
class Side:
    """One set and its images by what pairs them."""

    images: ImageSet
    made: Mapping[str, Made]


@dataclass(frozen=True)
class Networks:
    """LPIPS by net, extractors of subject fidelity by name, those whose weights are here; `wanted`: names of metrics."""

    lpips: Mapping[str, PerceptualDistance]
    subject: Mapping[str, FeatureExtractor]
    wanted: frozenset[str]


class PairedWorker(Worker):
    """Holds both sets and the networks."""

    def __init__(self, mine: Side, baseline: Side, networks: Networks, *, threads: int, device: str) -> None:
        self.mine, self.baseline, self.networks, self.threads, self.device = mine, baseline, networks, threads, device
        self.keys = list(mine.made)
        self.timers = Timers()

    def process(self, shard: Shard, tick: Tick) -> ShardOutput:
        """Rows in order."""
        rows = []
        reader = self.mine.images.read(shard.start, shard.stop, threads=self.threads)
        for key in self.keys[shard.start : shard.stop]:
            with self.timers("read"):
                one, other = next(reader), self._partner(key)
            with self.timers("compare"):
                rows.append(self._row(key, one, other))
            tick(1)
        return ShardOutput(table(rows), seconds=self.timers.taken())

    def _partner(self, key: str) -> Sample | Unreadable | None:
        there = self.baseline.made.get(key)
        if there is None:
            return None
        return next(self.baseline.images.read(there.position, there.position + 1, threads=1))

    def _row(self, key: str, one: Sample | Unreadable, other: Sample | Unreadable | None) -> dict[str, Any]:
        made, there = self.mine.made[key], self.baseline.made.get(key)
        row: dict[str, Any] = {
            "id": key,
            "prompt_id": made.prompt_id,
            "prompt": made.prompt,
            "sha256": one.sha256,
            SECONDS: made.seconds,
            EVALUATIONS: made.evaluations,
        }
        if other is None or there is None:
            return {**row, "error": "the baseline has no image of this name"}
        row |= {
            f"sha256{BASELINE}": other.sha256,
            f"{SECONDS}{BASELINE}": there.seconds,
            f"{EVALUATIONS}{BASELINE}": there.evaluations,
        }
        if isinstance(one, Unreadable):
            return {**row, "error": one.reason}
        if isinstance(other, Unreadable):
            return {**row, "error": f"the baseline's image: {other.reason}"}
        row |= {"height": int(one.image.shape[0]), "width": int(one.image.shape[1])}
        if one.image.shape != other.image.shape and not self.networks.subject:
            height, width = other.image.shape[:2]
            return {**row, "error": f"the baseline's image has another size ({width}x{height})"}
        try:
            row |= self._subject(one.image, other.image)
            return {**row, **(self._compared(one.image, other.image) if one.image.shape == other.image.shape else {})}
        except MemoryError:
            return {**row, "error": TOO_LARGE}

    def _compared(self, one: Pixels, other: Pixels) -> dict[str, float | None]:
        error, side = mse(other, one), min(one.shape[:2])
        found: dict[str, float | None] = {EXACT.name: float(error == 0), PSNR.name: psnr(error)}
        found[SSIM.name] = ssim(other, one) if side >= SMALLEST_SSIM else None
        x, y = (torch.from_numpy(each.copy()).permute(2, 0, 1)[None].float() / 255 for each in (one, other))
        found |= {name: act(other, one) for name, act in _MAPS.items() if name in self.networks.wanted}
        if MAP_SSIM.name in self.networks.wanted and side >= SMALLEST_MS_SSIM:
            found[MAP_SSIM.name] = ms_ssim(other, one)
        for net, network in self.networks.lpips.items():
            if side >= SMALLEST[net]:
                found[LPIPS[net].name] = float(network.distance(x.to(self.device), y.to(self.device)))
        return found

    def _subject(self, one: Pixels, other: Pixels) -> dict[str, float]:
        """Cosines of features, for any sizes."""
        found = {}
        for name, network in self.networks.subject.items():
            a, b = network([one, other])
            found[SUBJECT[name].name] = cosine(a, b)
        return found
