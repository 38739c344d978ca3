"""A trained decoder probe: what it was trained on, how good it is, and its file.

The classes are what the folders hold: diffusion decoders against next-scale decoders, say, as in GPT-ImgEval
(arXiv:2504.02782, part D). Each sub-folder is one generator; with several in both, accuracy is that on generators that
were not trained on.
"""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError
from evalkit.jsonio import canonical_json, parse_json
from evalkit.metrics.base import Estimate
from evalkit.metrics.npz import arrays_of
from evalkit.stats.intervals import mean_interval
from evalkit.tasks.probe.decoder.classifier import Classifier, HeldOut
from evalkit.tasks.probe.decoder.equal import Equaliser
from evalkit.tasks.probe.decoder.features import Floats

FILE = "decoder.npz"  # in the run
CHANCE = 0.5  # balanced accuracy of guessing


@dataclass(frozen=True)
class DecoderProbe:
    """Names of both classes, how images are made equal and looked at, and what it was trained on.

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
        if self.accuracy.low is None or self.accuracy.low <= CHANCE:
            said.append(
                "Its interval reaches down to guessing (0.5), so its answers say little. Train it on more generators."
            )
        if not self.apart:
            said.append("A class has one generator, so this tells two models apart and not two kinds of decoder.")
        if self.sizes[0] != self.sizes[1]:
            said.append("The classes are stored at different sizes, so what scaling leaves behind may tell them apart.")
        return said

    @property
    def sentence(self) -> str:
        """How good it is."""
        a, how = self.accuracy, "on generators that it was not trained on" if self.apart else "on held-out images"
        ends = "" if a.low is None else f" (95 % interval {a.low:.3f} to {a.high:.3f})"
        return (
            f"{self.names[0]} ({self.images[0]:,} images) and {self.names[1]} ({self.images[1]:,}) are told apart with an "
            f"accuracy of {a.value:.3f}{ends} {how}, by {self.features} features at {self.equaliser.side} px."
        )


def probe_bytes(probe: DecoderProbe) -> bytes:
    """A probe as an .npz file of plain arrays; the same probe gives the same bytes."""
    said = {key: value for key, value in asdict(probe).items() if key not in ("classifier", "spectra", "traces")}
    arrays: dict[str, Any] = {name: np.asarray(value, np.float64) for name, value in asdict(probe.classifier).items()}
    arrays |= {"said": np.frombuffer(canonical_json(said), np.uint8), "spectra": probe.spectra, "traces": probe.traces}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def probe_file(path: str | Path) -> Path:
    """The file of a probe: `path` itself, or that in a run of `evalkit probe decoder train`."""
    found = Path(path).expanduser()
    return found / FILE if found.is_dir() else found


def read_probe(path: str | Path) -> DecoderProbe:
    """The probe in a file or a run. Raises `EvalkitError` for another one."""
    try:
        held = arrays_of(probe_file(path))
        said: dict[str, Any] = parse_json(held["said"].tobytes(), str(path))
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
        raise EvalkitError(f"{path} is no decoder probe. Train one: evalkit probe decoder train A B") from None


def held_out_accuracy(held: HeldOut, labels: npt.NDArray[np.int64], generators: npt.ArrayLike) -> Estimate:
    """Balanced accuracy: each class counts alike, and generators are drawn as a whole where they were held out."""
    right = named_right(held, labels)
    shares = np.asarray([right[labels == each].mean() for each in (0, 1)])
    weights = len(labels) / (2 * np.bincount(labels)[labels])
    moved = shares.mean() + weights * (right - shares[labels])  # its mean is the balanced share
    reach = (min(0.0, float(moved.min())), max(1.0, float(moved.max())))
    found = mean_interval(moved, clusters=generators if held.by_generator else None, range=reach)
    low, high = (None if each is None else min(max(each, 0.0), 1.0) for each in (found.low, found.high))
    return replace(found, low=low, high=high)


def named_right(held: HeldOut, labels: npt.NDArray[np.int64]) -> Floats:
    """1 for each held-out image whose class is named right, else 0."""
    return np.asarray((held.probability > 0.5) == labels, np.float64)
