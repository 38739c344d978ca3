"""A protocol of image-set metrics: two values of different protocols are different metrics and never share a board."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Literal

from evalkit.errors import EvalkitError
from evalkit.jsonio import canonical_json
from evalkit.metrics.rules import BallRule, SplitRule, SubsetRule
from evalkit.protocols.protocol import DEFAULT, Quirk, ids_in, toml_of


@dataclass(frozen=True)
class NetworkRule:
    """How images reach the network, by its `name`: the FID network of 299 px, or I3D of 224 px.

    `resize`: a way of evalkit.encoders.resize. `scale`: of pixel values v from 0 to 255.
    """

    name: str
    resize: str
    scale: Literal["(v - 128) / 128", "v / 127.5 - 1"]


@dataclass(frozen=True)
class ClipRule:
    """What of a video is looked at: its first `frames` frames; shorter ones are left out. `eps`: of the batch norms."""

    frames: int
    eps: float


@dataclass(frozen=True)
class ReferenceRule:
    """What the source compares with, in words, and the usual number of images."""

    kind: str
    images: int | None = None


@dataclass(frozen=True)
class ScoreProtocol:
    """Named definition of image-set metrics, read from `evalkit/protocols/score/<id>.toml`.

    `metrics`: what the source computes; a rule that is None is of a metric that the source does not define. `clips`: the
    protocol is of videos.
    """

    id: str
    title: str
    source: str
    metrics: tuple[str, ...]
    network: NetworkRule
    reference: ReferenceRule
    splits: SplitRule | None = None
    subsets: SubsetRule | None = None
    balls: BallRule | None = None
    density: BallRule | None = None
    clips: ClipRule | None = None
    quirks: tuple[Quirk, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain data, as a record keeps it; rules for videos stand in it where there are some."""
        said = asdict(self)
        return said if self.clips is not None else {name: value for name, value in said.items() if name != "clips"}

    @property
    def sha256(self) -> str:
        """Digest of the whole definition."""
        return hashlib.sha256(canonical_json(self.as_dict())).hexdigest()

    def check(self, metric: str) -> None:
        """Raise where the source of this protocol does not define `metric`."""
        if metric not in self.metrics:
            others = [each for each in score_protocol_ids() if metric in load_score_protocol(each).metrics]
            there = f"Use the protocol {' or '.join(others)}." if others else f"It defines {', '.join(self.metrics)}."
            raise EvalkitError(f"The protocol {self.id} does not define {metric}. {there}")


@cache
def score_protocol_ids() -> tuple[str, ...]:
    """Every protocol of image sets, the default first."""
    return ids_in("evalkit.protocols.score")


@cache
def load_score_protocol(id: str = DEFAULT) -> ScoreProtocol:
    """The protocol called `id`; raises `EvalkitError` with the known ids otherwise.

    >>> load_score_protocol("adm").splits.chunk
    5000
    """
    return _parse(toml_of("evalkit.protocols.score", id))


def _parse(data: dict[str, Any]) -> ScoreProtocol:
    def rule(kind: type[Any], name: str) -> Any:
        if name not in data:
            return None
        row = dict(data[name])
        if row.get("shuffle") == "file order":  # TOML has no null
            row["shuffle"] = None
        return kind(**row)

    return ScoreProtocol(
        id=data["id"],
        title=data["title"],
        source=data["source"],
        metrics=tuple(data["metrics"]),
        network=NetworkRule(**data["network"]),
        reference=ReferenceRule(**data["reference"]),
        splits=rule(SplitRule, "splits"),
        subsets=rule(SubsetRule, "subsets"),
        balls=rule(BallRule, "balls"),
        density=rule(BallRule, "density"),
        clips=rule(ClipRule, "clips"),
        quirks=tuple(Quirk(q["name"], tuple(q["moves"]), q["text"]) for q in data.get("quirks", ())),
    )
