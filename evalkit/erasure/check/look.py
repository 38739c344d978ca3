"""Who looks at the images of a check, and what counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from evalkit.encoders.base import Encoder
from evalkit.encoders.registry import load_encoder
from evalkit.erasure.check.gates import Gates
from evalkit.erasure.check.seen import labels_of
from evalkit.errors import EvalkitError
from evalkit.jobs.live import hold
from evalkit.jobs.options import weights_by_name
from evalkit.jobs.spec import ModelRef
from evalkit.metrics.image_text import CLIPSCORE

USUAL = {"object": "resnet50", "style": "clip-style", "nudity": "nudenet"}
WORLD, DOMAIN = "world", "domain"


@dataclass(frozen=True)
class Look:
    """Who looks at the images and what counts: `detector` None is the usual one of the concept's kind.

    `labels`: of the detector, that stand for the concept. `top`, `threshold`: in the rule. `operating`: the detector's
    sensitivity and specificity, where they are known. `gates`: numbers of the verdict. `distances`: measure how far
    retained concepts lie from the erased one; without, all of them count as far. `texts`: score how images fit their prompts,
    where CLIPScore's weights are at hand. `domain`: who sees the other domain (objects where a style is erased), for CRA.
    """

    detector: str | Encoder | None = None
    labels: tuple[str, ...] = ()
    top: int | None = None
    threshold: float | None = None
    operating: tuple[float, float] | None = None
    gates: Gates = field(default_factory=Gates)
    distances: bool = True
    texts: bool = True
    domain: str | Encoder | None = None

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
    """The detector, loaded, its reference, and the weight files of `others`, CLIPScore and the other domain by name."""
    if isinstance(look.detector, Encoder):
        names = (*others, *_domain_names(look), CLIPSCORE.name)
        files = weights_by_name(given, names, main=names[0]) if given else {}
        return (
            look.detector,
            ModelRef(look.detector.id, look.detector.weights_sha256, weights=hold(look.detector)),
            files,
        )
    name = look.detector or (WORLD if base.startswith("world-") else USUAL[kind])
    names = (*others, name, *_domain_names(look), CLIPSCORE.name)
    files = weights_by_name(given, names, main=names[0]) if given else {}
    made = load_encoder(name, files.get(name), "cpu")
    return made, ModelRef(made.id, made.weights_sha256, settings={"load": name}, weights=files.get(name)), files


def domain_of(look: Look, files: Mapping[str, str]) -> tuple[ModelRef, tuple[str, ...]] | None:
    """Who sees the other domain, and its labels; None where nobody was given.

    Raises `EvalkitError` for one that names nothing in an image.
    """
    if look.domain is None:
        return None
    given = look.domain
    made = given if isinstance(given, Encoder) else load_encoder(given, files.get(given), "cpu")
    if not labels_of(made):
        raise EvalkitError(f"{made.id} names nothing in an image. Give a detector or a classifier")
    if isinstance(given, Encoder):
        return ModelRef(made.id, made.weights_sha256, weights=hold(made)), labels_of(made)
    return ModelRef(made.id, made.weights_sha256, settings={"load": given}, weights=files.get(given)), labels_of(made)


def _domain_names(look: Look) -> tuple[str, ...]:
    return (look.domain,) if isinstance(look.domain, str) else ()
