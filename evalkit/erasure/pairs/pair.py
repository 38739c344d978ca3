"""A prompt that asks for a concept beside one that does not, and files of such pairs (JSON lines)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from evalkit.errors import EvalkitError
from evalkit.jsonio import canonical_json, read_json_lines
from evalkit.whole_files import whole

Kind = Literal["object", "style", "nudity"]
Stratum = Literal["direct", "synonym", "implicit", "compositional", "misspelt", "other-language"]
Split = Literal["train", "test"]
KINDS: tuple[Kind, ...] = get_args(Kind)
STRATA: tuple[Stratum, ...] = get_args(Stratum)
SPLITS: tuple[Split, ...] = get_args(Split)
_CLOSED: dict[str, tuple[str, ...]] = {"kind": KINDS, "stratum": STRATA, "split": SPLITS}


@dataclass(frozen=True)
class Pair:
    """Two prompts that are alike but for one concept.

    `target` asks for the concept, `replacement` for something else in its place. `stratum`: how the target asks.
    `template`: the id of the grammar's sentence or of the request; `source`: the grammar, the language model or the file
    that the pair comes from. Raises `EvalkitError` for an empty prompt, equal prompts, and unknown words.
    """

    target: str
    replacement: str
    kind: Kind
    stratum: Stratum
    split: Split
    concept: str
    template: str
    source: str

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, str) or not value.strip():
                raise EvalkitError(f"a pair's {field.name} is {value!r}. Give text")
        for name, known in _CLOSED.items():
            if getattr(self, name) not in known:
                raise EvalkitError(f"a pair's {name} is {getattr(self, name)!r}. Give one of {', '.join(known)}")
        if self.target.split() == self.replacement.split():
            raise EvalkitError(f"a pair asks twice for {self.target!r}. Give two different prompts")

    @property
    def id(self) -> str:
        """12 hexadecimal digits that depend on both prompts alone."""
        return hashlib.sha256(canonical_json([self.target, self.replacement])).hexdigest()[:12]


def pairs_digest(pairs: Sequence[Pair]) -> str:
    """sha256 over all pairs in their order."""
    return hashlib.sha256(canonical_json([asdict(pair) for pair in pairs])).hexdigest()


def read_pairs(path: str | Path) -> tuple[Pair, ...]:
    """The pairs of a JSON-lines file; further fields are passed over.

    Raises `EvalkitError` with the line of what is no pair, and for a file without pairs.
    """
    found = tuple(_pair(f"{path}, line {number}", row) for number, row in read_json_lines(path))
    if not found:
        raise EvalkitError(f"{path} holds no pair. Make some with: evalkit erasure pairs")
    return found


def write_pairs(path: Path, pairs: Iterable[Pair]) -> None:
    """One JSON object for each pair; the file appears whole or not at all."""
    with whole(path) as temporary:
        temporary.write_bytes(b"".join(canonical_json(asdict(pair)) + b"\n" for pair in pairs))


def _pair(where: str, row: Any) -> Pair:
    names = [field.name for field in fields(Pair)]
    if not isinstance(row, dict) or (missing := [name for name in names if name not in row]):
        lacks = ", ".join(missing) if isinstance(row, dict) else "all fields"
        raise EvalkitError(f"{where} is no pair: it lacks {lacks}. Give {', '.join(names)}")
    try:
        return Pair(**{name: row[name] for name in names})
    except EvalkitError as error:
        raise EvalkitError(f"{where}: {error}") from None
