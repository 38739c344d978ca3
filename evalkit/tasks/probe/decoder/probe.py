"""`evalkit probe decoder`: training on two folders of images, and asking the trained probe about a third.

The classes are what the folders hold: diffusion decoders against next-scale decoders, say, as in GPT-ImgEval
(arXiv:2504.02782, part D). Each sub-folder is one generator; with several in both, accuracy is that on generators that
were not trained on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError
from evalkit.images import open_images
from evalkit.images.loader import fitted
from evalkit.images.sample import Pixels, Sample, Unreadable
from evalkit.jobs.progress import Progress
from evalkit.jsonio import parse_json
from evalkit.metrics.base import Estimate
from evalkit.metrics.npz import arrays_of
from evalkit.stats.intervals import mean_interval
from evalkit.tasks.probe.decoder.classifier import Classifier, HeldOut, train
from evalkit.tasks.probe.decoder.equal import Equaliser, equaliser_for
from evalkit.tasks.probe.decoder.features import SPECTRAL, Floats, featurizer, grid_traces, spectrum
from evalkit.text import counted
from evalkit.whole_files import whole

_BATCH = 64


@dataclass(frozen=True)
class DecoderProbe:
    """A trained probe: names of both classes, how images are made equal and looked at, and what it was trained on.

    `accuracy`: the balanced share of held-out images that it names right, those that it calls outside included. `apart`:
    whether whole generators were held out. `sizes`: shorter sides of each class. `spectra`, `traces` [2, …]: fingerprints.
    """

    names: tuple[str, str]
    features: str
    equaliser: Equaliser
    classifier: Classifier
    accuracy: Estimate
    apart: bool
    outside: float
    sizes: tuple[tuple[int, int], tuple[int, int]]
    images: tuple[int, int]
    spectra: Floats
    traces: Floats

    @property
    def cautions(self) -> list[str]:
        """Why its accuracy may come from something else than the decoder."""
        said = []
        if not self.apart:
            said.append("A class has one generator, so this tells two models apart and not two kinds of decoder.")
        if self.sizes[0] != self.sizes[1]:
            said.append("The classes are stored at different sizes, so what scaling leaves behind may tell them apart.")
        return said


@dataclass(frozen=True)
class Answer:
    """What the probe says of a folder: the mean probability of the second class over images inside of the training
    distribution, the share of the others, and the row of each image (id, probability, outside).
    """

    share: Estimate
    outside: Estimate
    rows: tuple[tuple[str, float, bool], ...]
    spectrum: Floats
    traces: Floats


def train_probe(
    a: str | Path,
    b: str | Path,
    *,
    features: str = SPECTRAL,
    limit: int | None = None,
    device: str = "auto",
    progress: Progress | None = None,
) -> DecoderProbe:
    """A probe that tells the images of `a` from those of `b`. Raises `EvalkitError` where a folder has too few.

    Images are read twice, because the smallest of them decides how all are made equal.
    """
    folders, told = (Path(str(a)), Path(str(b))), progress or Progress()
    sides = [[min(each.source["size"]) for each in _read(folder, limit, _corner, told)] for folder in folders]
    equal = equaliser_for([*sides[0], *sides[1]])
    read = [_read(each, limit, equal, Progress()) for each in folders]
    small = [[each.image for each in half] for half in read]
    look = featurizer(features, device)
    table = np.concatenate([_features(look, each) for each in small])
    labels = np.repeat([0, 1], [len(small[0]), len(small[1])])
    generators = [f"{label}/{_generator(each.id)}" for label, half in enumerate(read) for each in half]
    classifier, held = train(table, labels, generators)
    return DecoderProbe(
        names=(Path(str(a)).name, Path(str(b)).name),
        features=features,
        equaliser=equal,
        classifier=classifier,
        accuracy=_accuracy(held, labels, generators),
        apart=held.by_generator,
        outside=float(held.outside.mean()),
        sizes=tuple((min(each), max(each)) for each in sides),  # type: ignore[arg-type]
        images=(len(small[0]), len(small[1])),
        spectra=np.stack([_mean(spectrum, each) for each in small]),
        traces=np.stack([_mean(grid_traces, each) for each in small]),
    )


def ask_probe(
    probe: DecoderProbe,
    folder: str | Path,
    *,
    limit: int | None = None,
    device: str = "auto",
    progress: Progress | None = None,
) -> Answer:
    """What `probe` says of the images in `folder`; those that cannot be read are left out and told of."""
    read = _read(Path(str(folder)), limit, probe.equaliser, progress or Progress())
    small = [each.image for each in read]
    table = _features(featurizer(probe.features, device), small)
    probability, outside = probe.classifier.probability(table), probe.classifier.outside(table)
    inside = np.where(outside, np.nan, probability)
    rows = tuple((each.id, float(p), bool(o)) for each, p, o in zip(read, probability, outside, strict=True))
    return Answer(
        mean_interval(inside, range=(0.0, 1.0)),
        mean_interval(outside.astype(float)),
        rows,
        _mean(spectrum, small),
        _mean(grid_traces, small),
    )


def write_probe(path: Path, probe: DecoderProbe) -> None:
    """Keep a probe as an .npz file of plain arrays."""
    said = {key: value for key, value in asdict(probe).items() if key not in ("classifier", "spectra", "traces")}
    arrays: dict[str, Any] = {name: np.asarray(value, np.float64) for name, value in asdict(probe.classifier).items()}
    with whole(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            said=np.frombuffer(json.dumps(said).encode(), np.uint8),
            spectra=probe.spectra,
            traces=probe.traces,
            **arrays,
        )


def read_probe(path: Path) -> DecoderProbe:
    """The probe that `write_probe` kept. Raises `EvalkitError` for another file."""
    try:
        held = arrays_of(path)
        said: dict[str, Any] = parse_json(held["said"].tobytes(), path.name)
        arrays = {name: array for name, array in held.items() if name not in ("said", "spectra", "traces")}
        single: dict[str, Any] = {name: float(value) if value.ndim == 0 else value for name, value in arrays.items()}
        made = {"classifier": Classifier(**single), "spectra": held["spectra"], "traces": held["traces"]}
        parts = {
            "equaliser": Equaliser(**said["equaliser"]),
            "accuracy": Estimate(**said["accuracy"]),
            "names": tuple(said["names"]),
            "sizes": tuple(tuple(each) for each in said["sizes"]),
            "images": tuple(said["images"]),
        }
        return DecoderProbe(**{**said, **parts, **made})
    except Exception:  # numpy and zipfile raise many kinds for damaged files
        raise EvalkitError(
            f"{path} is no decoder probe. Train one: evalkit probe decoder train A B --out FILE"
        ) from None


def _read(folder: Path, limit: int | None, fit: Callable[[Pixels], Pixels], told: Progress) -> list[Sample]:
    """Every image that can be read, with what `fit` makes of its pixels."""
    found = open_images(folder)
    for remark in found.remarks():
        told.note(remark)
    samples, lost = [], []
    for each in fitted(found.read(0, min(len(found), limit or len(found))), fit):
        samples += [each] if isinstance(each, Sample) else []
        lost += [each] if isinstance(each, Unreadable) else []
    if lost:
        told.note(f"left out: {counted(len(lost), 'image')} of {folder} (first {lost[0].id}: {lost[0].reason})")
    if not samples:
        raise EvalkitError(f"no image of {folder} can be read. Give a folder of images")
    return samples


def _corner(image: Pixels) -> Pixels:
    return image[:1, :1].copy()


def _generator(id: str) -> str:
    """The first sub-folder."""
    return id.split("/")[0] if "/" in id else ""


def _features(look: Any, images: Sequence[Pixels]) -> Floats:
    return np.concatenate([look(images[start : start + _BATCH]) for start in range(0, len(images), _BATCH)])


def _mean(function: Any, images: Sequence[Pixels]) -> Floats:
    return np.asarray(np.mean([function(image) for image in images], axis=0))


def _accuracy(held: HeldOut, labels: npt.NDArray[np.int64], generators: Sequence[str]) -> Estimate:
    """Balanced accuracy: each class counts alike, and generators are drawn as a whole where they were held out."""
    right = ((held.probability > 0.5) == labels).astype(float)
    shares = np.asarray([right[labels == each].mean() for each in (0, 1)])
    weights = len(labels) / (2 * np.bincount(labels)[labels])
    moved = shares.mean() + weights * (right - shares[labels])  # its mean is the balanced share
    reach = (min(0.0, float(moved.min())), max(1.0, float(moved.max())))
    found = mean_interval(moved, clusters=list(generators) if held.by_generator else None, range=reach)
    ends = (None if each is None else min(max(each, 0.0), 1.0) for each in (found.low, found.high))
    low, high = ends
    return replace(found, low=low, high=high)
