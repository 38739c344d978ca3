"""Names of encoders, and `load_encoder`, which turns a name and a weight file into a working network."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files as package_files
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from evalkit.device import pick_device
from evalkit.encoders.base import Encoder, FeatureExtractor, Kind, Ocr, PerceptualDistance
from evalkit.encoders.detectors.base import Detector
from evalkit.encoders.faces.face import FaceDetector
from evalkit.errors import EvalkitError
from evalkit.registry import Registry, Table

if TYPE_CHECKING:
    import torch

Load = Callable[[str | Path | None, "torch.device"], Encoder]
OTHER = ("aliases", "patterns", "weights")  # parts of encoders.toml that are no kind
L = TypeVar("L", bound=Load)


@dataclass(frozen=True)
class Entry:
    """A registered encoder: what kind of evidence it gives, and how it is made from weights and a device."""

    id: str
    kind: Kind
    load: Load


@cache
def _listed() -> dict[str, dict[str, str]]:
    return tomllib.loads((package_files("evalkit.encoders") / "encoders.toml").read_text(encoding="utf-8"))


def _table() -> Table:
    modules = {name: module for kind, part in _listed().items() if kind not in OTHER for name, module in part.items()}
    return Table(modules, _listed()["aliases"], _listed()["patterns"])


def weight_keys() -> dict[str, str]:
    """Keys of the weights manifest by encoder, where they are not the encoder's own name."""
    return _listed()["weights"]


ENCODERS: Registry[Entry] = Registry("encoder", entry_point_group="evalkit.encoders", table=_table)


def register(id: str, kind: Kind, aliases: tuple[str, ...] = ()) -> Callable[[L], L]:
    """Decorator: `id` is what the function or class gives for `(weights, device)`; its evidence is of `kind`.

    `weights`: a file or folder of the user, or None to search for it. `encoders.toml` names the module of each id; other
    packages have an entry point of that name in the group `evalkit.encoders`.
    """

    def add(load: L) -> L:
        ENCODERS.add(id, Entry(id, kind, load), aliases)
        return load

    return add


def encoder_names(kind: Kind) -> list[str]:
    """Names of the encoders of one kind, in order; those of other packages are imported to know their kind."""
    own = _table().modules
    others = [name for name in ENCODERS if name not in own and ENCODERS.get(name).kind == kind]
    return sorted([*_listed().get(kind, {}), *others])


def encoder_entry(name: str, kind: Kind) -> Entry:
    """The entry of an encoder of `kind`; raises `EvalkitError` for an unknown name and for one of another kind."""
    entry = ENCODERS.get(name)
    if entry.kind != kind:
        raise EvalkitError(f"{name} gives {entry.kind}, not {kind}; give one of {', '.join(encoder_names(kind))}")
    return entry


def load_encoder(name: str, weights: str | Path | None = None, device: str = "auto") -> Encoder:
    """The encoder called `name`: features, a perceptual distance, a reader of text, a detector.

    `weights`: its file, or a folder to look in; by default `EVALKIT_WEIGHTS`, the caches and its source are searched.
    `device`: auto, cpu, cuda, cuda:1, mps.

    Raises `EvalkitError` for an unknown name and `WeightsError` where its weight file cannot be had.

    >>> load_encoder("yunet-s", device="cpu").kind
    'boxes'
    """
    return ENCODERS.get(name).load(weights, pick_device(device))


def load_extractor(name: str, weights: str | Path | None = None, device: str = "auto") -> FeatureExtractor:
    """The feature extractor called `name` (`inception-v3-fid`, `efflite0`, `dinov2-vitl14`, `clip-vitl14`, …)."""
    made = encoder_entry(name, "features").load(weights, pick_device(device))
    if not isinstance(made, FeatureExtractor):
        raise _other(name, "FeatureExtractor")
    return made


def load_distance(name: str, weights: str | Path | None = None, device: str = "auto") -> PerceptualDistance:
    """The perceptual distance called `name` (`lpips-alex`, `dino-structure`, `dreamsim`, …)."""
    made = encoder_entry(name, "distance").load(weights, pick_device(device))
    if not isinstance(made, PerceptualDistance):
        raise _other(name, "PerceptualDistance")
    return made


def load_lpips(net: str, weights: str | Path | None = None, device: str = "auto") -> PerceptualDistance:
    """LPIPS with `net` alex, vgg or squeeze; raises `WeightsError` where the trunk's file cannot be had."""
    return load_distance(f"lpips-{net}", weights, device)


def load_ocr(name: str = "rapidocr", device: str = "auto") -> Ocr:
    """The reader called `name`: `rapidocr`, `http:URL#MODEL` (an OpenAI-compatible vision endpoint), or
    `transformers:REPO` (a hub repository, or a folder).

    Raises `EvalkitError` for an unknown name or address, `WeightsError` where a model cannot be had.
    """
    full = f"ocr:{name}" if name.startswith(("http:", "transformers:")) else name
    try:
        entry = encoder_entry(full, "text")
    except EvalkitError:
        known = ", ".join(encoder_names("text"))
        raise EvalkitError(
            f"there is no OCR engine called {name!r}; give {known}, http:URL#MODEL or transformers:REPO"
        ) from None
    made = entry.load(None, pick_device(device))
    if not isinstance(made, Ocr):
        raise _other(full, "Ocr")
    return made


def load_faces(device: str = "auto") -> FaceDetector:
    """The face detector; its weights are shipped."""
    made = encoder_entry("yunet-s", "boxes").load(None, pick_device(device))
    if not isinstance(made, FaceDetector):
        raise _other("yunet-s", "FaceDetector")
    return made


def load_detector(name: str, weights: str | Path | None = None, device: str = "auto") -> Detector:
    """The detector called `name`: `mask2former-swin-s`, `world`, or one of another package's entry point.

    Raises `EvalkitError` for an unknown name and `WeightsError` where its weights cannot be had.
    """
    made = encoder_entry(name, "boxes").load(weights, pick_device(device))
    if not isinstance(made, Detector):
        raise _other(name, "Detector")
    return made


def shipped(name: str, weights: str | Path | None) -> None:
    """Raises `EvalkitError` where weights are given for an encoder that brings its own."""
    if weights is not None:
        raise EvalkitError(f"{name} comes with its weights; leave out weights={str(weights)!r}")


def _other(name: str, contract: str) -> EvalkitError:
    return EvalkitError(f"the encoder {name} is no {contract}, as its kind promises; update the package that brings it")
