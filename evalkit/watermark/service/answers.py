"""The interchange form: what a detector says of one image, as one JSON object that names all it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

from evalkit.jsonio import parse_json
from evalkit.version import __version__

FORMAT = "evalkit.watermark-answer/1"
Verdict = Literal["marked", "not found", "undecided", "could not be read"]
Basis = Literal["exact", "decoys", "larger"]
MARKED: Verdict = "marked"
NOT_FOUND: Verdict = "not found"
UNDECIDED: Verdict = "undecided"
UNREADABLE: Verdict = "could not be read"
NOT_ASKED = "not asked"
BASES: dict[str, str] = {  # the weakest first
    "exact": "exact for an image made without the key, on average over keys",
    "decoys": "for this key in the images asked about together, by its rank among decoy keys; below the least rank by the "
    "exact p-value, less what the key owes to codes that the images share",
    "larger": "the larger of the exact p-value and one calibrated on images known to be unmarked",
}


@dataclass(frozen=True)
class MarkAnswer:
    """What is said of one mark of the ring. `basis`: of its false-positive rate; `search`: what was tried besides the image
    itself; `details`: numbers for operators.
    """

    entry: str
    key_id: str
    method: str
    tokenizer: str
    verdict: Verdict
    basis: Basis
    search: str = "none"
    details: Mapping[str, Any] | None = None

    def as_dict(self, *, details: bool) -> dict[str, Any]:
        """As the interchange form has it."""
        said = {"entry": self.entry, "key_id": self.key_id, "method": self.method, "tokenizer": self.tokenizer}
        said |= {"search": self.search, "verdict": self.verdict, "basis": self.basis}
        return {**said, "details": dict(self.details or {})} if details else said


@dataclass(frozen=True)
class Rate:
    """The false-positive rate of an answer: at most `alpha` an image, over `keys` marks that are looked for together."""

    alpha: float
    keys: int

    def as_dict(self, basis: str) -> dict[str, Any]:
        """As the interchange form has it."""
        words = {"per": "image", "basis": basis, "means": BASES[basis], "correction": "bonferroni"}
        return {"rate": self.alpha, **words, "keys": self.keys}


@dataclass(frozen=True)
class Answer:
    """What is said of one image. `reason`: why it could not be read; `ring`: the digest of the key ring."""

    id: str | None
    sha256: str
    rate: Rate
    ring: str
    marks: tuple[MarkAnswer, ...] = ()
    c2pa: Mapping[str, Any] | None = None
    reason: str | None = None

    @property
    def verdict(self) -> Verdict:
        """Marked where one mark is found; undecided where none is and one could not have been."""
        if self.reason is not None:
            return UNREADABLE
        verdicts = {each.verdict for each in self.marks}
        return next((each for each in (MARKED, UNDECIDED) if each in verdicts), NOT_FOUND)

    @property
    def found(self) -> list[str]:
        """Ids of the keys whose marks were found."""
        return [each.key_id for each in self.marks if each.verdict == MARKED]

    def as_dict(self, *, details: bool = False) -> dict[str, Any]:
        """The interchange form; `details`: with numbers that no client of a service may see."""
        used = {each.basis for each in self.marks}
        basis = next((each for each in BASES if each in used), "exact")
        return {
            "format": FORMAT,
            "evalkit": __version__,
            "image": {"id": self.id, "sha256": self.sha256},
            "verdict": self.verdict,
            "reason": self.reason,
            "marks": [each.as_dict(details=details) for each in self.marks],
            "false_positives": self.rate.as_dict(basis),
            "c2pa": dict(self.c2pa or {"state": NOT_ASKED, "source_types": []}),
            "ring": self.ring,
        }


def schema() -> dict[str, Any]:
    """The JSON schema of the interchange form."""
    data = files("evalkit.watermark.service").joinpath("answer.schema.json").read_bytes()
    found: dict[str, Any] = parse_json(data, "answer.schema.json")
    return found
