"""What a mark is made with: a method and its numbers, as commands give them and as records keep them."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.watermark.lists import Kind, Scheme
from evalkit.watermark.payload.fields import packed, read_layout, said

# What each method takes, with what it takes where nothing is said. None: nothing, or found out when it is needed.
NUMBERS: dict[str, dict[str, Any]] = {
    "lbw": {"gamma": 0.5, "lists": 1, "kind": None, "epoch": "0", "cap": 1, "frequencies": None},
    "kgw": {"gamma": 0.25, "epoch": "0", "context": 1},
    "wmar": {"gamma": 0.25, "epoch": "0", "context": 1, "frequencies": None},
    "indexmark": {"gamma": 0.5, "lists": 1, "epoch": "0", "cap": 1, "groups": None},
    "clusters": {
        "gamma": 0.5, "lists": 1, "kind": None, "epoch": "0", "cap": 1, "clusters": None, "groups": None
    },
    "places": {"gamma": 0.5, "epoch": "0", "clusters": None, "groups": None},
    "bitmark": {"lists": 1, "epoch": "0", "pattern": 2},
    "payload": {"epoch": "0", "layout": "id:32", "carrier": "codes", "message": None},
    "gumbel": {"lists": 16, "epoch": "0", "seeded": "places"},
    "dipmark": {"gamma": 0.5, "lists": 1, "epoch": "0", "seeded": "places", "reweight": 0.5},
    "tournament": {"lists": 1, "epoch": "0", "seeded": "places", "layers": 20},
}  # fmt: skip
KINDS: dict[str, type] = {
    "gamma": float, "lists": int, "kind": str, "epoch": str, "cap": int, "frequencies": str, "context": int,
    "clusters": int, "groups": str, "pattern": int, "layout": str, "carrier": str, "message": str,
    "seeded": str, "reweight": float, "layers": int,
}  # fmt: skip
ABOUT = {
    "lbw": "fixed lists of green codes, one of a pool for each image (LBW, arXiv 2506.01011)",
    "kgw": "a list for each code before (--context 1), or one for all (0); arXiv 2301.10226",
    "wmar": "the same, with equal shares among codes that occur and codes that never do; arXiv 2506.16349",
    "indexmark": "one green code in each group of near codes; arXiv 2505.14673",
    "clusters": "groups of near codes have one colour; after arXiv 2508.06656",
    "places": "a list for each place, so that repeated codes count; shifts by whole cells lose it",
    "bitmark": "patterns of bits, for tokenizers of bits; after arXiv 2506.21209",
    "payload": "a message of 8 to 64 bits (--layout, --message), in codes or in places (--carrier)",
    "gumbel": "draws codes by the key, distribution unchanged: the largest of keyed Gumbel numbers",
    "dipmark": "draws codes by the key, distribution unchanged: keyed reweighting; arXiv 2310.07710, 2310.10669",
    "tournament": "draws codes by the key, distribution unchanged: tournaments, after SynthID-Text",
}
DRAWING = ("gumbel", "dipmark", "tournament")  # methods that change no logits


@dataclass(frozen=True)
class MarkSpec:
    """A method with its numbers; what is None becomes the method's own, and what the method does not take is an error.

    `gamma`, `lists`, `kind`, `epoch`, `frequencies` (a histogram's sha256): see `lists.Scheme`. `cap`: how often a code
    that repeats counts at most. `context`: codes before a code that decide over its colours. `clusters`: number of
    groups of near codes. `pattern`: bits of a pattern. `groups`: sha256 of which codes belong together. `layout`,
    `message`: see `payload.fields`. `carrier`: codes, or places. `seeded`: what decides the secret numbers of a draw, its
    place (places) or the code before. `reweight`: share that DiPmark moves, 1/2 at most. `layers` of a tournament.

    >>> MarkSpec(lists=16).kind
    'balanced'
    """

    method: str = "lbw"
    gamma: float | None = None
    lists: int | None = None
    kind: Kind | None = None
    epoch: str | None = None
    cap: int | None = None
    frequencies: str | None = None
    context: int | None = None
    clusters: int | None = None
    pattern: int | None = None
    groups: str | None = None
    layout: str | None = None
    carrier: str | None = None
    message: str | None = None
    seeded: str | None = None
    reweight: float | None = None
    layers: int | None = None

    def __post_init__(self) -> None:
        takes = numbers_of(self.method)
        for name in _names():
            if getattr(self, name) is None:
                object.__setattr__(self, name, takes.get(name))
            elif name not in takes:
                raise EvalkitError(f"the method {self.method} takes no {name}; it takes {', '.join(takes)}")
        if "kind" in takes and self.kind is None:
            object.__setattr__(self, "kind", "balanced" if (self.lists or 1) > 1 else "independent")
        if self.cap is not None and self.cap < 1:
            raise EvalkitError(f"cap is a whole number from 1; {self.cap} given")
        if self.gamma is not None:
            self.scheme()
        if self.layout is not None:
            self._check_payload(self.layout)
        if self.method in DRAWING:
            self._check_drawing()

    def _check_drawing(self) -> None:
        if self.seeded not in ("places", "before"):
            raise EvalkitError(f"codes are drawn by places or by the code before; {self.seeded} given")
        if (self.lists or 1) < 1 or not 1 <= (self.layers or 1) <= 64 or not 0 < (self.reweight or 0.5) <= 0.5:
            raise EvalkitError(
                f"lists is at least 1, layers 1 to 64, reweight above 0 up to 0.5; {self.lists}, {self.layers}, "
                f"{self.reweight} given"
            )

    def _check_payload(self, layout: str) -> None:
        fields = read_layout(layout)
        if self.carrier not in ("codes", "places"):
            raise EvalkitError(f"a message is carried by codes or places; {self.carrier} given")
        if self.message is not None:
            object.__setattr__(self, "message", said(fields, packed(fields, self.message)))

    def scheme(self) -> Scheme:
        """How the method's lists are made."""
        share = 0.5 if self.gamma is None else self.gamma
        return Scheme(share, self.lists or 1, self.kind or "independent", self.epoch or "0", self.frequencies)

    def as_dict(self) -> dict[str, Any]:
        """The method and the numbers that it takes, as records keep them."""
        return {"method": self.method, **{name: getattr(self, name) for name in numbers_of(self.method)}}

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> MarkSpec:
        """What `as_dict`, or a mark's, gave (its key_id is no number)."""
        method = str(said.get("method"))
        takes = numbers_of(method)
        unknown = [name for name in said if name not in {"method", "key_id", *takes}]
        if unknown:
            raise EvalkitError(
                f"a mark of the method {method} takes no {', '.join(unknown)}; is evalkit too old for it?"
            )
        wrong = [name for name in takes if name in said and not _is_kind(said[name], takes[name], KINDS[name])]
        if wrong:
            raise EvalkitError(
                f"{wrong[0]} of a mark cannot be {said[wrong[0]]!r}. Give the mark.json that embedding left"
            )
        return cls(**{name: value for name, value in said.items() if name != "key_id"})

    def at(self, epoch: str) -> MarkSpec:
        """The same in another epoch."""
        return replace(self, epoch=epoch)


def numbers_of(method: str) -> dict[str, Any]:
    """The numbers that a method takes, with its defaults; an unknown method is an error that names those there are."""
    if method not in NUMBERS:
        near = difflib.get_close_matches(method, NUMBERS, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise EvalkitError(f"there is no watermark method {method!r}; {hint}Give one of {', '.join(NUMBERS)}")
    return NUMBERS[method]


def _is_kind(value: Any, default: Any, kind: type) -> bool:
    """Whether a value that was read is of its kind, or None where nothing need be said."""
    if value is None:
        return default is None
    return isinstance(value, int | float if kind is float else kind) and not isinstance(value, bool)


def _names() -> list[str]:
    return [field.name for field in dataclasses.fields(MarkSpec) if field.name != "method"]
