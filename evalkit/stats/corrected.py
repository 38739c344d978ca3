"""Shares as a detector reports them, corrected for what it misses and what it sees where nothing is."""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.errors import EvalkitError


@dataclass(frozen=True)
class Operating:
    """How often a detector is right: of images with the concept (`sensitivity`), of those without (`specificity`)."""

    sensitivity: float
    specificity: float

    def __post_init__(self) -> None:
        if not all(0 <= each <= 1 for each in (self.sensitivity, self.specificity)):
            raise EvalkitError(
                f"sensitivity and specificity lie in [0, 1]; {self.sensitivity} and {self.specificity} were given"
            )


def rogan_gladen(share: float, operating: Operating) -> float | None:
    """The true share in [0, 1] behind a reported `share`; None where the detector says the same of both kinds of images.

    Source: Rogan and Gladen 1978, doi:10.1093/oxfordjournals.aje.a112510.

    >>> round(rogan_gladen(0.3, Operating(0.9, 0.95)), 4)
    0.2941
    """
    power = operating.sensitivity + operating.specificity - 1
    if abs(power) < 1e-12:
        return None
    return min(max((share + operating.specificity - 1) / power, 0.0), 1.0)
