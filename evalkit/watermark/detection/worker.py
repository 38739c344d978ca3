"""One shard of a detection: codes from the cache or made now, scores, a second stage for undecided images, heat maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError
from evalkit.images.folder import FolderSet
from evalkit.jobs.live import held, is_live
from evalkit.jobs.shard import Shard, ShardOutput
from evalkit.jobs.task import Tick, Worker
from evalkit.watermark.detection.calibration import Calibration
from evalkit.watermark.detection.decoy_scores import NAME
from evalkit.watermark.detection.heat import heat_maps
from evalkit.watermark.detection.located import Locator
from evalkit.watermark.detection.messages import messages
from evalkit.watermark.detection.reader import Read
from evalkit.watermark.detection.rows import SHARD, shard_rows
from evalkit.watermark.detection.scan import Scanner
from evalkit.watermark.detection.scan_spec import Opened


@dataclass(frozen=True)
class Manifests:
    """C2PA manifests are read too; `anchors`: PEM certificates to trust, `source`: their file, where they have one."""

    anchors: bytes | None = None
    source: str | None = None


def read_manifests(source: str) -> Manifests:
    """Manifests that are trusted by the certificates in a file, or behind a reference of `live`."""
    if is_live(source):
        found: Manifests = held(source)
        return found
    try:
        return Manifests(Path(source).expanduser().read_bytes(), source)
    except OSError as error:
        raise EvalkitError(f"{source} cannot be read ({error.strerror}); give a file of PEM certificates") from None


class DetectWorker(Worker):
    """Rows of shards, and the heat maps of chosen images. `facts`: what the record says of tokenizer, mark and views."""

    def __init__(
        self,
        opened: Opened,
        scanner: Scanner,
        calibration: Calibration | None,
        manifests: Manifests | None,
        facts: Mapping[str, Any],
        locator: Locator | None = None,
        among: str | None = None,
    ) -> None:
        """`among`: the messages that are looked for, as text; None: any."""
        self.among = among
        self.opened, self.scanner, self.calibration, self.manifests = opened, scanner, calibration, manifests
        self.locator = locator
        self.facts = facts

    def process(self, shard: Shard, tick: Tick) -> ShardOutput:
        """Rows in listing order; for an exhibit no row, but heat/index.json with its images."""
        timers = self.opened.reader.timers
        if shard.exhibit is not None:
            with timers("heat maps"):
                files = heat_maps(self.scanner, shard.exhibit["rows"])
            return ShardOutput(SHARD.empty_table(), {}, files, timers.taken())
        found = self.scanner.scan(range(shard.start, shard.stop), tick)
        calibrated = None
        if self.calibration is not None:
            calibrated = self.calibration.p_values(found.statistic, found.best.design_effect)
        c2pa = [self._manifest(i) if each.kept else None for i, each in enumerate(found.read, start=shard.start)]
        warnings = warnings_of(found.read, self.opened.states[shard.start : shard.stop])
        codes = self.opened.reader.codes([each.kept for each in found.read if each.kept is not None])
        decoys = self._kept(found.decoys)
        more = {**self._regions_of(codes), **self._evidence(codes, found.best.green)}
        told = messages(self.scanner, found, shard.start, self.among)
        best, mark = found.best, self.scanner.mark
        rows = shard_rows(found.read, best, mark, self.opened.views, calibrated, warnings, c2pa, more, told)
        return ShardOutput(rows, decoys, {}, timers.taken(), self.facts)

    def _regions_of(self, codes: npt.NDArray[np.int64]) -> Mapping[str, Any]:
        """Columns of regions of the images that have codes."""
        if self.locator is None:
            return {}
        with self.opened.reader.timers("regions"):
            return self.locator.columns(codes, self.opened.reader)

    def _kept(self, scores: npt.NDArray[np.int64] | None) -> dict[str, Any]:
        """Scores of the images that have codes under every decoy key, as they are kept."""
        decoys = self.scanner.decoys
        if scores is None or decoys is None:
            return {}
        small = decoys.most * int(np.prod(self.opened.reader.shape)) < 2**16
        return {NAME: scores.astype(np.uint16 if small or self.opened.views else np.uint32)}

    def _evidence(self, codes: npt.NDArray[np.int64], green: npt.NDArray[np.int64]) -> dict[str, Any]:
        """What decoys are compared by, where it is not what is green."""
        own = green if self.scanner.decoys is None else self.scanner.mark.evidence(codes, green)
        return {} if own is green else {"evidence": own}

    def close(self) -> None:
        """Close the cache."""
        self.opened.cache.close()

    def _manifest(self, index: int) -> str | None:
        """The state of an image's C2PA manifest; None where nobody asked, or the image is no file."""
        images = self.opened.images
        if self.manifests is None or not isinstance(images, FolderSet):
            return None
        from evalkit.images.c2pa import read_manifest

        try:
            return read_manifest(images.file(index), anchors=self.manifests.anchors).state
        except EvalkitError:  # gone, or not readable: the row says so
            return None


def warnings_of(read: Sequence[Read], states: Sequence[str]) -> list[str | None]:
    """What a person should know of each image; `states` of their sources when the scan began."""
    found = []
    for each, state in zip(read, states, strict=True):
        said = [each.kept.warning if each.kept else None]
        said += ["the file changed after the scan began"] if each.state != state else []
        found.append("; ".join(filter(None, said)) or None)
    return found
