"""Who looks at the images of a check, and what counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from evalkit.encoders.base import Encoder
from evalkit.encoders.registry import load_encoder
from evalkit.erasure.check.gates import Gates
from evalkit.errors import EvalkitError
from evalkit.jobs.live import hold
from evalkit.jobs.options import weights_by_name
from evalkit.jobs.spec import ModelRef
from evalkit.metrics.image_text import CLIPSCORE

USUAL = {"object": "resnet50", "style": "clip-style", "nudity": "nudenet"}
WORLD = "world"


@dataclass(frozen=True)
class Look:
    """Who looks at the images and what counts: `detector` None is the usual one of the concept's kind.

    `labels`: of the detector, that stand for the concept. `top`, `threshold`: in the rule. `operating`: the detector's
    sensitivity and specificity, where they are known. `gates`: numbers of the verdict. `distances`: measure how far
    retained concepts lie from the erased one; without, all of them count as far. `texts`: score how images fit their prompts,
    where CLIPScore's weights are at hand.
    """

    detector: str | Encoder | None = None
    labels: tuple[str, ...] = ()
    top: int | None = None
    threshold: float | None = None
    operating: tuple[float, float] | None = None
    gates: Gates = field(default_factory=Gates)
    distances: bool = True
    texts: bool = True

    def __post_init__(self) -> None:
        """Raise `EvalkitError` for rates of a detector that tells nothing apart."""
        if self.operating is not None and sum(self.operating) <= 1:
            said = " and ".join(f"{rate:g}" for rate in self.operating)
            raise EvalkitError(
                f"a detector of sensitivity and specificity {said} tells nothing apart. Give the rates of a better one"
            )


def detector_of(
    look: Look, kind: str, base: str, given: Sequence[str], others: Sequence[str]
) -> tuple[Encoder, ModelRef, dict[str, str]]:
    """The detector, loaded, its reference, and the weight files of `others` and of CLIPScore by name."""
    if isinstance(look.detector, Encoder):
        names = (*others, CLIPSCORE.name)
        files = weights_by_name(given, names, main=names[0]) if given else {}
        return (
            look.detector,
            ModelRef(look.detector.id, look.detector.weights_sha256, weights=hold(look.detector)),
            files,
        )
    name = look.detector or (WORLD if base.startswith("world-") else USUAL[kind])
    names = (*others, name, CLIPSCORE.name)
    files = weights_by_name(given, names, main=names[0]) if given else {}
    made = load_encoder(name, files.get(name), "cpu")
    return made, ModelRef(made.id, made.weights_sha256, settings={"load": name}, weights=files.get(name)), files
