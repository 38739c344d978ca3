"""Acceleration of a loaded generator: checks that the two fit, loads the draft, switches on and off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from evalkit.errors import EvalkitError, WeightsError
from evalkit.generators.accelerate import settings as known
from evalkit.generators.accelerate.ahead import AheadRunner
from evalkit.generators.accelerate.cspd import ContinuousSpeculation
from evalkit.generators.accelerate.hack import Budgets, Hack, ScaleRunner, compress
from evalkit.generators.accelerate.rules import Grouped, Relaxed, Rule, codebook_of, exact
from evalkit.generators.accelerate.settings import JACOBI, Cspd, Gsd, Lantern, Settings, Speculative
from evalkit.generators.accelerate.speculate import Speculation, totals
from evalkit.generators.acceptance import GroupRule
from evalkit.generators.base import Generator, TokenGenerator
from evalkit.generators.mar import Mar
from evalkit.generators.registry import GENERATORS

NEXT_TOKEN = "world-ar and the llamagen, gigatok-gpt, d-ar and hita-gpt families"


@dataclass
class Acceleration:
    """An acceleration of `generator`; it starts switched on."""

    settings: Settings
    generator: Generator
    draft: Generator | None
    apply: Callable[[bool], None]
    budgets: Budgets | None = None

    @property
    def single(self) -> bool:
        """Whether images are drawn one at a time."""
        return isinstance(self.settings, Speculative)

    def on(self) -> None:
        """Draw with it."""
        self.apply(True)

    def off(self) -> None:
        """Draw by the plain loop."""
        self.apply(False)

    def plan(self) -> dict[str, Any]:
        """What decides the images: the settings and the draft's weights."""
        draft = {"draft_weights": self.draft.weights_sha256} if self.draft is not None else {}
        return {**known.as_dict(self.settings), **draft}

    def report(self, notes: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Settings, whether the law of the images is the plain loop's, and totals over the notes of all images."""
        if self.budgets is not None:
            return {**self.plan(), **self.budgets.report()}
        settings = cast(Speculative | Cspd, self.settings)
        return {**self.plan(), "law": settings.law, **totals(notes)}


def accelerate(
    generator: Generator, settings: Settings, load: Callable[[str], Generator] | None = None
) -> Acceleration:
    """Let `generator` draw as `settings` say from now on; `load` gives the draft model of a name.

    Raises `EvalkitError` where the model cannot be accelerated so, or draft and model do not fit each other.
    """
    draft = draft_for(generator, settings, load)
    if isinstance(settings, Hack):
        return _hack(generator, settings)
    if isinstance(settings, Cspd):
        return _cspd(generator, settings, draft)
    model = cast(TokenGenerator, generator)
    runner, drafter = cast(AheadRunner, generator), cast(AheadRunner | None, draft)
    speculation = Speculation(runner, drafter, _rule(model, settings), settings.length)
    rows = generator.rows

    def apply(on: bool) -> None:
        model.drawing, model.rows = (speculation, 1) if on else (None, rows)

    apply(True)
    return Acceleration(settings, generator, draft, apply)


def draft_for(
    generator: Generator, settings: Settings, load: Callable[[str], Generator] | None = None
) -> Generator | None:
    """The draft that `settings` ask for, from `load`; None where they ask for none. Weights are not looked at.

    Raises `EvalkitError` where the model cannot be accelerated so, or draft and model do not fit each other.
    """
    if isinstance(settings, Hack):
        if not hasattr(generator, "plan") or not isinstance(generator, TokenGenerator):
            raise EvalkitError(
                "hack keeps fewer keys of next-scale models (var, flexvar, infinity); "
                f"{generator.name} is none{_other(generator)}"
            )
        return None
    if isinstance(settings, Cspd):
        return _latent_draft(generator, settings, load)
    if not isinstance(generator, TokenGenerator) or not _grows(generator):
        raise EvalkitError(
            f"{known.kind_of(settings)} drafts one code after another, for {NEXT_TOKEN}; {generator.name} does not draw "
            f"so{_other(generator)}"
        )
    return None if settings.draft == JACOBI else _load(settings.draft, generator, load)


def _grows(generator: object) -> bool:
    return isinstance(generator, AheadRunner) and generator.one_by_one


def _rule(generator: TokenGenerator, settings: Speculative) -> Rule:
    if isinstance(settings, Lantern | Gsd):
        tokenizer = getattr(generator, "tokenizer", None)
        if tokenizer is None:
            raise EvalkitError(
                f"{generator.name} has no tokenizer here whose codes could be compared; give speculative"
            )
        codebook = codebook_of(tokenizer, generator.vocab_size)
        if isinstance(settings, Lantern):
            return Relaxed(codebook, settings.k, settings.delta)
        return Grouped(codebook, GroupRule(settings.half, settings.probability, settings.distance))
    return exact


def _load(name: str, generator: Generator, load: Callable[[str], Generator] | None) -> Generator:
    tokenizer = _tokenizer_of(name)
    if tokenizer is not None and tokenizer != generator.tokenizer_name:  # said before weights are asked for
        raise EvalkitError(_unlike(name, generator, "writes codes of", tokenizer, generator.tokenizer_name))
    draft = _drafter(name, load)
    if not _grows(draft):
        raise EvalkitError(f"{name} cannot draft for {generator.name}: it does not draw one code after another")
    for fact, word in (("conditions", "takes a"), ("tokenizer_name", "writes codes of"), ("tokens_per_image", "makes")):
        theirs, ours = getattr(draft, fact, None), getattr(generator, fact, None)
        if theirs != ours:
            raise EvalkitError(_unlike(name, generator, word, theirs, ours))
    return draft


def _tokenizer_of(name: str) -> str | None:
    try:
        return GENERATORS.get(name).tokenizer
    except EvalkitError:  # a model that only the caller knows
        return None


def _unlike(name: str, generator: Generator, word: str, theirs: object, ours: object) -> str:
    return (
        f"{name} cannot draft for {generator.name}: it {word} {theirs}, not {ours}; "
        f"give a smaller model of the same tokenizer and size, or draft={JACOBI}"
    )


def _drafter(name: str, load: Callable[[str], Generator] | None) -> Generator:
    if load is None:
        raise EvalkitError(f"the draft {name} is not loaded; give a function that loads it")
    try:
        return load(name)
    except WeightsError as error:
        raise EvalkitError(f"the draft {name} (--weights {name}=FILE): {error}") from None


def _hack(generator: Generator, settings: Hack) -> Acceleration:
    runner = cast(ScaleRunner, generator)
    budgets = compress(runner, settings)

    def apply(on: bool) -> None:
        runner.plan = budgets if on else None

    return Acceleration(settings, generator, None, apply, budgets)


def _latent_draft(generator: Generator, settings: Cspd, load: Callable[[str], Generator] | None) -> Mar:
    if not isinstance(generator, Mar):
        raise EvalkitError(
            f"cspd judges continuous latents of mar-l and mar-h; {generator.name} is none{_other(generator)}"
        )
    draft = _drafter(settings.draft, load)
    if not isinstance(draft, Mar) or (draft.config.side, draft.config.channels) != (
        generator.config.side,
        generator.config.channels,
    ):
        raise EvalkitError(
            f"{settings.draft} cannot draft for {generator.name}; give a smaller MAR, such as draft=mar-b"
        )
    return draft


def _cspd(generator: Generator, settings: Cspd, draft: Generator | None) -> Acceleration:
    model = cast(Mar, generator)
    speculation = ContinuousSpeculation(model, cast(Mar, draft), settings)

    def apply(on: bool) -> None:
        model.drawing = speculation if on else None

    apply(True)
    return Acceleration(settings, generator, draft, apply)


def _other(generator: Generator) -> str:
    """What could be tried with this generator instead."""
    if isinstance(generator, Mar):
        return "; try --accelerate cspd:draft=mar-b"
    if hasattr(generator, "plan"):
        return "; try --accelerate hack:budget=0.5"
    if _grows(generator):
        return "; try --accelerate speculative:length=5"
    return "; leave --accelerate out"
