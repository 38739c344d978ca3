"""Flags that say which mark is meant, shared by embedding, detection, calibration and robustness."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalkit.cli.numbers import FINITE
from evalkit.watermark.spec import ABOUT, MarkSpec

if TYPE_CHECKING:
    from evalkit.tokenizers.base import Tokenizer
    from evalkit.watermark.keys import Key
    from evalkit.watermark.mark import Mark
    from evalkit.watermark.methods import MarkFile

NO_KEY = "whose mark? Give --key FILE or --key env:NAME (`evalkit watermark keygen FILE` makes a key)"
_FLAGS = (
    click.option("--key", "key", metavar="FILE|env:NAME", help="The secret key, never typed itself."),
    click.option("--tokenizer", help="Whose codes carry the mark: `evalkit ls tokenizers` [default: that of --mark]."),
    click.option("--mark", "mark", type=click.Path(), metavar="mark.json", help="What embedding left: method and numbers."),
    click.option("--method", help=f"{', '.join(ABOUT)} [default: lbw]."),
    click.option("--gamma", type=FINITE, help="Share of green codes [default: the method's]."),
    click.option("--lists", type=click.IntRange(min=1), help="Lists in the pool; an image gets one [default: 1]."),
    click.option("--kind", type=click.Choice(["independent", "balanced", "paired"]), help="How lists are drawn."),
    click.option("--epoch", "epochs", multiple=True, metavar="NAME", help="Name of the pool in use [default: 0]."),
    click.option("--cap", type=click.IntRange(min=1), help="How often a repeated code counts at most [default: 1]."),
    click.option("--context", type=click.IntRange(0, 1), help="kgw, wmar: codes before a code that decide its colour."),
    click.option("--clusters", type=click.IntRange(min=2), help="clusters, places: number of groups of near codes."),
    click.option("--pattern", type=click.IntRange(1, 12), help="bitmark: bits of a pattern."),
    click.option("--layout", metavar="NAME:BITS,…", help="payload: fields of a message, 64 bits at most [default: id:32]."),
    click.option("--carrier", type=click.Choice(["codes", "places"]), help="payload: what carries it [default: codes]."),
    click.option("--seeded", type=click.Choice(["places", "before"]), help="gumbel, dipmark, tournament: what decides a draw."),
    click.option("--reweight", type=FINITE, help="dipmark: share that is moved, 0.5 at most [default: 0.5]."),
    click.option("--layers", type=click.IntRange(1, 64), help="tournament: layers [default: 20]."),
    click.option("--frequencies", type=click.Path(path_type=Path), metavar="FILE", help="Counts of codes, of calibrate."),
)  # fmt: skip


@dataclass(frozen=True)
class MarkChoice:
    """What the flags say: one spec for each epoch, where the key is, and the mark.json that was given."""

    specs: tuple[MarkSpec, ...]
    key_spec: str
    tokenizer: str | None = None
    file: MarkFile | None = None
    frequencies: Path | None = None
    identity: str | None = None  # the tokenizer's, where a key ring says it

    @property
    def tokenizer_name(self) -> str:
        """The tokenizer's name; raises `EvalkitError` where neither --tokenizer nor --mark gives one."""
        from evalkit.errors import EvalkitError

        name = self.tokenizer or (self.file.tokenizer_name if self.file else None)
        if name is None:
            raise EvalkitError(
                "whose codes carry the mark? Give --tokenizer NAME (evalkit ls tokenizers), or --mark mark.json"
            )
        return name

    def key(self) -> Key:
        """The key, read now; raises `EvalkitError` where it is not the one of --mark."""
        from evalkit.errors import EvalkitError
        from evalkit.watermark.keys import read_key

        if not self.key_spec:
            raise EvalkitError(NO_KEY)
        found = read_key(self.key_spec)
        if self.file is not None:
            self.file.check(found)
        return found

    @property
    def mark(self) -> MarkSpec | str:
        """The mark.json that was given, or the method and its numbers."""
        return self.file.path if self.file is not None else self.specs[0]

    @property
    def assumed(self) -> str:
        """What was looked for where nobody said it, for a search that found nothing; else ""."""
        if self.file is not None or self.specs != (MarkSpec(),):
            return ""
        return "Looked for lbw with one list, as nothing else was said. Give --mark mark.json, which embed left, or --method."

    def saying(self, message: str | None) -> MarkChoice:
        """With the message that images are to carry, where there is one."""
        if message is None:
            return self
        return replace(self, specs=tuple(replace(each, message=message) for each in self.specs))

    @property
    def epochs(self) -> tuple[str, ...]:
        """Names of the pools."""
        return tuple(spec.epoch or "0" for spec in self.specs)

    def key_sources(self, more: Sequence[str] = ()) -> list[str]:
        """Files or env:NAME of the key and of `more`, each key once; raises `EvalkitError` as `key` does."""
        from evalkit.watermark.keys import read_key

        found = {self.key().id: self.key_spec}
        for source in more:
            found.setdefault(read_key(source).id, source)
        return list(found.values())

    def build(self, tokenizer: Tokenizer, keys: Sequence[Key] = ()) -> Mark:
        """The mark for a loaded tokenizer; of several epochs, or `keys` [--key], one whose tests are added up."""
        from evalkit.errors import EvalkitError
        from evalkit.watermark.identity import tokenizer_identity
        from evalkit.watermark.methods import Several, mark_for
        from evalkit.watermark.methods.subject import read_frequencies

        keys = keys or (self.key(),)
        if self.file is not None:
            self.file.check(keys[0], tokenizer_identity(tokenizer))
        if self.identity not in (None, tokenizer_identity(tokenizer)):
            raise EvalkitError(
                f"the key ring's mark is for other weights of {tokenizer.name}. Give its own with --weights"
            )
        counts = None if self.frequencies is None else read_frequencies(self.frequencies)
        marks = [mark_for(spec, key, tokenizer, frequencies=counts) for key in keys for spec in self.specs]
        return marks[0] if len(marks) == 1 else Several(marks)


def of_ring(ring: Path, choice: MarkChoice) -> MarkChoice:
    """The mark that a key ring has in use now; raises `EvalkitError` where flags give another, or none is in use."""
    from datetime import UTC, datetime

    from evalkit.errors import EvalkitError
    from evalkit.watermark.service.ring_file import key_of, placed, read_ring

    if choice != MarkChoice((MarkSpec(),), ""):
        raise EvalkitError(
            "--key-ring says key, method and tokenizer; leave out --tokenizer, --method, --key, --mark and their numbers"
        )
    entry = read_ring(ring).marking(datetime.now(UTC))
    key_of(entry, ring)
    counts = None if entry.frequencies is None else Path(placed(entry.frequencies, ring))
    return MarkChoice((entry.mark,), placed(entry.key, ring), entry.tokenizer_name, None, counts, entry.tokenizer)


message_flag = click.option(
    "--message", metavar="NAME=NUMBER,…", help="Method payload: what images say, such as model=3,user=90210, or 0x1F."
)


def mark_options(command: Callable[..., Any], *, key_needed: bool = True) -> Callable[..., Any]:
    """Add the flags; the command receives `choice: MarkChoice` instead of them, whose `key_spec` may be "" where no key
    is needed.
    """

    @functools.wraps(command)
    def collected(**given: Any) -> Any:
        names = (
            "method",
            "gamma",
            "lists",
            "kind",
            "cap",
            "context",
            "clusters",
            "pattern",
            "layout",
            "carrier",
            "seeded",
            "reweight",
            "layers",
        )
        numbers = {name: given.pop(name) for name in names}
        picked = {name: given.pop(name) for name in ("key", "tokenizer", "mark", "epochs", "frequencies")}
        return command(**given, choice=choose(numbers, **picked, key_needed=key_needed))

    for flag in reversed(_FLAGS):
        collected = flag(collected)
    return collected


def choose(
    numbers: dict[str, Any],
    *,
    key: str | None,
    tokenizer: str | None = None,
    mark: str | None = None,
    epochs: tuple[str, ...] = (),
    frequencies: Path | None = None,
    key_needed: bool = True,
) -> MarkChoice:
    """The choice that flags make; raises `EvalkitError` where they contradict each other."""
    from evalkit.errors import EvalkitError
    from evalkit.watermark.methods import read_mark

    if key is None and key_needed:
        raise EvalkitError(NO_KEY)
    given = {name: value for name, value in numbers.items() if value is not None}
    file = None if mark is None else read_mark(mark)
    if file is None:
        spec = MarkSpec(**given)
    else:
        spec = file.spec
        other = [name for name, value in given.items() if getattr(spec, name) != value]
        if other:
            raise EvalkitError(
                f"{file.path} says {other[0]} {getattr(spec, other[0])}, --{other[0]} {given[other[0]]}; leave out one of them"
            )
    listed = tuple(dict.fromkeys(epochs)) or (spec.epoch or "0",)
    return MarkChoice(tuple(spec.at(epoch) for epoch in listed), key or "", tokenizer, file, frequencies)
