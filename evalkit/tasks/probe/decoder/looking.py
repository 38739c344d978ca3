"""What both decoder tasks do with images: made equal, looked at, and kept as features and fingerprints."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from evalkit.errors import EvalkitError, WeightsError
from evalkit.images.decode import size_of
from evalkit.images.folder import FolderSet
from evalkit.images.sample import ImageSet, Pixels, Sample, Unreadable
from evalkit.jobs.shard import Shard, ShardOutput, split
from evalkit.jobs.spec import ModelRef, Spec
from evalkit.jobs.task import Tick, Worker
from evalkit.jobs.timers import Timers
from evalkit.metrics.npz import arrays_of
from evalkit.runs.plain import read_plain
from evalkit.runs.shards import MemoryParts, Parts
from evalkit.runs.store import Run
from evalkit.tasks.probe.decoder.equal import Equaliser
from evalkit.tasks.probe.decoder.features import SPECTRAL, Floats, featurizer, grid_traces, spectrum
from evalkit.tasks.score.inputs import opened_images
from evalkit.tasks.score.spec import networks_of

SHARD = 64
FEATURES, SPECTRA, TRACES = "features", "spectra", "traces"
KEPT = "statistics/images.npz"
ROWS = pa.schema(
    [
        *(("id", pa.string()), ("task", pa.string()), ("generator", pa.string()), ("sha256", pa.string())),
        *(("height", pa.int32()), ("width", pa.int32()), ("error", pa.string())),
    ]
)


@dataclass(frozen=True)
class Looked:
    """Every image's row, and of those without an error features [k, dim], spectra [k, 48] and traces [k, 7] in order."""

    rows: pa.Table
    features: Floats
    spectra: Floats
    traces: Floats

    @property
    def good(self) -> pa.Table:
        """The rows that the arrays belong to."""
        return self.rows.filter(self.rows["error"].is_null())

    def column(self, values: Sequence[Any], kind: pa.DataType) -> pa.Array:
        """A column of all rows from `values` of the good ones."""
        left = iter(values)
        return pa.array([None if error else next(left) for error in self.rows["error"].to_pylist()], kind)

    @property
    def files(self) -> dict[str, bytes]:
        """The arrays as a file of the run."""
        buffer = io.BytesIO()
        np.savez(buffer, features=self.features, spectra=self.spectra, traces=self.traces)
        return {KEPT: buffer.getvalue()}


class DecoderWorker(Worker):
    """Sets of images by role, each with its number of images; the roles' images follow each other."""

    def __init__(
        self, sets: Mapping[str, tuple[ImageSet, int, str]], equal: Equaliser, look: Callable[..., Floats], threads: int
    ) -> None:
        self.sets, self.equal, self.look, self.threads, self.timers = sets, equal, look, threads, Timers()

    def process(self, shard: Shard, tick: Tick) -> ShardOutput:
        """Rows, and arrays of the images that could be looked at."""
        rows, small = [], []
        with self.timers("read"):
            for role, sample in self._read(shard):
                row, made = self._row(role, sample)
                rows.append(row)
                small += [] if made is None else [made]
        with self.timers("features"):
            arrays = {
                FEATURES: self.look(small) if small else np.zeros((0, 0)),
                SPECTRA: np.array([spectrum(image) for image in small]),
                TRACES: np.array([grid_traces(image) for image in small]),
            }
        tick(len(rows))
        return ShardOutput(pa.Table.from_pylist(rows, schema=ROWS), arrays, seconds=self.timers.taken())

    def _read(self, shard: Shard) -> Iterator[tuple[str, Sample | Unreadable]]:
        """The images of a shard, each with its role, one after the other, so that few are whole in memory."""
        begin = 0
        for images, n, role in self.sets.values():
            if begin <= shard.start < begin + n:
                for each in images.read(shard.start - begin, shard.stop - begin, threads=self.threads):
                    yield role, each
            begin += n

    def _row(self, role: str, sample: Sample | Unreadable) -> tuple[dict[str, Any], Pixels | None]:
        generator = sample.id.split("/")[0] if "/" in sample.id else ""
        row = {"id": f"{role}/{sample.id}" if role else sample.id, "task": role or None, "sha256": sample.sha256}
        row |= {"generator": f"{role}/{generator}" if role else generator}
        if isinstance(sample, Unreadable):
            return {**row, "error": sample.reason}, None
        row |= {"height": sample.image.shape[0], "width": sample.image.shape[1]}
        try:
            return row, self.equal(sample.image)
        except EvalkitError as error:
            return {**row, "error": str(error)}, None


def shards_of(spec: Spec, roles: Sequence[str]) -> list[Shard]:
    """Shards of each role's images, none of which spans two roles."""
    found: list[Shard] = []
    for role in roles:
        begin = found[-1].stop if found else 0
        here = split(spec.inputs[role].n, spec.shard)
        found += [Shard(f"{role}-{each.key}", each.start + begin, each.stop + begin) for each in here]
    return found


def opened(spec: Spec, roles: Mapping[str, str], equal: Equaliser, features: ModelRef, device: str) -> DecoderWorker:
    """The worker of a spec; `roles`: what the images of each input are called."""
    sets = {each: (opened_images(spec.inputs[each]), spec.inputs[each].n, name) for each, name in roles.items()}
    look = featurizer(features.name, features.weights, device)
    return DecoderWorker(sets, equal, look, int(spec.here.get("threads", 2)))


def features_ref(name: str, weights: Sequence[str]) -> ModelRef:
    """What looks at images. Raises `EvalkitError` for an unknown name, `WeightsError` where its weights cannot be had."""
    if name == SPECTRAL:
        return ModelRef(name)
    found = networks_of([name], weights)
    if reason := found.missing([name]):
        raise WeightsError(reason)
    return found.here[name]


def looked(parts: Parts) -> Looked:
    """What all shards saw."""
    rows = pa.concat_tables(each.select(ROWS.names) for each in parts.tables())
    arrays = [each for each in parts.arrays() if len(each[FEATURES])]
    if not arrays:
        reason = next((error for error in rows["error"].to_pylist() if error), "there is none")
        raise EvalkitError(f"no image can be looked at: {reason}. Give a folder of images")
    return Looked(rows, *(np.concatenate([each[name] for each in arrays]) for name in (FEATURES, SPECTRA, TRACES)))


def kept_parts(run: Run) -> Parts:
    """What the shards of a sealed run saw."""
    return MemoryParts(run.samples, arrays_of(run.path / KEPT))


def shorter_sides(images: ImageSet, n: int) -> list[int]:
    """The shorter side in px of each of the first `n` images that can be read; of files the header is enough."""
    if isinstance(images, FolderSet):
        return [side for side in (_side_of(images, index) for index in range(n)) if side]
    return [min(each.image.shape[:2]) for each in images.read(0, n) if isinstance(each, Sample)]


def _side_of(images: FolderSet, index: int) -> int:
    try:
        return min(size_of(read_plain(images.file(index))) or (0, 0))
    except OSError:  # the worker says why it cannot be read
        return 0
