"""A protocol says how a number is measured; two numbers with different protocol ids are never ranked together."""

from __future__ import annotations

import difflib
import hashlib
import tomllib
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.resources import files as package_files
from typing import Any, Literal

from evalkit.errors import EvalkitError
from evalkit.jsonio import canonical_json


@dataclass(frozen=True)
class InputRule:
    """How an image becomes the model's input: `method` of images.geometry, side length, and stated exceptions by model."""

    method: str
    size: int | Literal["native"]
    sizes: dict[str, int] = field(default_factory=dict)
    ranges: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PixelRule:
    """How floats become 8-bit images before they are scored."""

    original: Literal["as read", "model range, truncated"]
    reconstruction: Literal["round", "truncate 127.5x+128", "model range, truncated"]


@dataclass(frozen=True)
class ScoreRule:
    """The size at which the two images are compared."""

    size: int | Literal["input"]
    filter: str


@dataclass(frozen=True)
class PsnrRule:
    """Peak of the PSNR and whether images or squared errors are averaged."""

    data_range: Literal["1", "targets"]
    aggregate: Literal["mean", "pooled"]


@dataclass(frozen=True)
class SsimRule:
    """Window, border handling and data range of SSIM; `batch` counts where the range is taken from a batch."""

    window: Literal["gauss11", "uniform7"]
    border: Literal["crop", "reflect"]
    data_range: Literal["1", "2", "batch"]
    batch: int = 1


@dataclass(frozen=True)
class LpipsRule:
    """Networks of LPIPS and the range of the images they are fed."""

    nets: tuple[str, ...]
    input_range: Literal["[-1, 1]", "[0, 1]"]


@dataclass(frozen=True)
class DistributionRule:
    """Feature extractors of the Fréchet distances, and whose resize feeds them."""

    extractors: tuple[str, ...]
    resize: Literal["extractor", "bilinear-antialias"]


@dataclass(frozen=True)
class TextRule:
    """Side at which text is read, what WER means, and what the text is compared with.

    `ocr_fit` exactly: every image is brought to `ocr_size`; at least: smaller ones are enlarged to it.
    """

    ocr_size: int
    ocr_fit: Literal["exactly", "at least"]
    ocr_filter: str
    wer: Literal["words", "characters per word"]
    references: tuple[Literal["truth", "original"], ...]


@dataclass(frozen=True)
class Quirk:
    """Something that a paper's script does and a reader would not expect, with the metrics that it moves."""

    name: str
    moves: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Protocol:
    """A named measurement definition, read from `evalkit/protocols/<id>.toml`."""

    id: str
    title: str
    source: str
    input: InputRule
    pixels: PixelRule
    score: ScoreRule
    psnr: PsnrRule
    ssim: SsimRule
    lpips: LpipsRule
    distribution: DistributionRule
    text: TextRule
    quirks: tuple[Quirk, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain data, as the record keeps it."""
        return asdict(self)

    @property
    def sha256(self) -> str:
        """Digest of the whole definition."""
        return hashlib.sha256(canonical_json(self.as_dict())).hexdigest()


DEFAULT = "evalkit-1"


def ids_in(package: str) -> tuple[str, ...]:
    """The TOML files of a package without their suffix, the default first."""
    names = [p.name for p in package_files(package).iterdir() if p.name.endswith(".toml")]
    return (DEFAULT, *sorted({name.removesuffix(".toml") for name in names} - {DEFAULT}))


def toml_of(package: str, id: str) -> dict[str, Any]:
    """The definition `id` of a package; raises `EvalkitError` with the known ids where there is none."""
    known = ids_in(package)
    if id not in known:
        near = difflib.get_close_matches(id, known, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise EvalkitError(f"there is no protocol called {id!r}; {hint}known: {', '.join(known)}")
    return tomllib.loads((package_files(package) / f"{id}.toml").read_text(encoding="utf-8"))


@cache
def protocol_ids() -> tuple[str, ...]:
    """Every protocol of reconstructions that ships, the default first."""
    return ids_in("evalkit.protocols")


@cache
def load_protocol(id: str) -> Protocol:
    """The protocol called `id`; raises `EvalkitError` with the known ids otherwise.

    >>> load_protocol("vtbench-2025").psnr.aggregate
    'pooled'
    """
    return _parse(toml_of("evalkit.protocols", id))


def differences(a: Protocol, b: Protocol) -> list[tuple[str, str, str]]:
    """(field, value in `a`, value in `b`) for everything in which two protocols differ, titles and quirks aside."""
    return different_fields(a.as_dict(), b.as_dict())


def different_fields(a: dict[str, Any], b: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(field, value in `a`, value in `b`) where two definitions as plain data differ, titles and quirks aside."""
    one, two = flatten(a), flatten(b)
    skip = {"id", "title", "source", "quirks"}
    return [
        (key, one.get(key, "—"), two.get(key, "—"))
        for key in {**one, **two}
        if key not in skip and one.get(key) != two.get(key)
    ]


def flatten(value: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested plain data as dotted keys and printable values, quirks left out."""
    rows: dict[str, str] = {}
    for key, item in value.items():
        if isinstance(item, dict):
            rows.update(flatten(item, f"{prefix}{key}."))
        elif key == "quirks":
            continue
        else:
            rows[prefix + key] = ", ".join(map(str, item)) if isinstance(item, list | tuple) else str(item)
    return rows


def _parse(data: dict[str, Any]) -> Protocol:
    def tuples(row: dict[str, Any]) -> dict[str, Any]:
        return {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}

    return Protocol(
        id=data["id"],
        title=data["title"],
        source=data["source"],
        input=InputRule(**data["input"]),
        pixels=PixelRule(**data["pixels"]),
        score=ScoreRule(**data["score"]),
        psnr=PsnrRule(**data["psnr"]),
        ssim=SsimRule(**data["ssim"]),
        lpips=LpipsRule(**tuples(data["lpips"])),
        distribution=DistributionRule(**tuples(data["distribution"])),
        text=TextRule(**tuples(data["text"])),
        quirks=tuple(Quirk(**tuples(q)) for q in data.get("quirks", ())),
    )
