"""Training of one eraser: from a base generator and pairs of prompts to a weight file."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import torch

from evalkit.erasure.pairs.pair import pairs_digest
from evalkit.erasure.training.checkpoint import FILE, Progressed, load_checkpoint, save_checkpoint
from evalkit.erasure.training.chosen import Chosen, chosen_names
from evalkit.erasure.training.learner import Learner, learner_of
from evalkit.erasure.training.objective import Edit, Objective, Work, method_class
from evalkit.erasure.training.recipes import recipe
from evalkit.erasure.training.result import read_trained, weights_digest, write_facts, write_weights
from evalkit.erasure.training.retention import Retention
from evalkit.erasure.training.settings import Settings
from evalkit.erasure.training.spec import FACTS, Trained, Training
from evalkit.erasure.training.windows import learn
from evalkit.errors import EvalkitError
from evalkit.generators.base import Generator
from evalkit.generators.registry import load_generator
from evalkit.jobs.progress import Progress
from evalkit.jsonio import canonical_json
from evalkit.tokenizers.cards import generator_cards
from evalkit.version import __version__


def train(spec: Training, progress: Progress | None = None, *, base: Generator | None = None) -> Trained:
    """The eraser that `spec` asks for; a training that was interrupted goes on to identical weights.

    `base`: the generator at hand, in place of the one that the spec names; it becomes the eraser.
    Raises `EvalkitError` for a method or generator that cannot be trained, and for a folder that holds another training.
    """
    settings = spec.settings or recipe(spec.method, spec.generator)
    method = method_class(spec.method)
    learner = learner_of(base or _loaded(spec))
    names = (learner.embedding,) if _on_words(method) else chosen_names(learner, settings)
    facts = _facts(spec, settings, learner, names)
    if (spec.out / FACTS).is_file():
        done = read_trained(spec.out)
        if done.facts.get("plan") != facts["plan"]:
            raise EvalkitError(f"{spec.out} holds another eraser. Give another --out")
        return done
    work = Work(learner, Chosen(learner.network, names), settings, spec.pairs, spec.retain, spec.seed)
    spec.out.mkdir(parents=True, exist_ok=True)
    if issubclass(method, Edit):
        began = time.perf_counter()
        method().apply(work)
        progressed = Progressed(updates=1, seconds=time.perf_counter() - began)
    else:
        progressed = _updates(spec, str(facts["plan"]), method(work), progress or Progress())
    return _finish(spec, facts, work, progressed)


def _loaded(spec: Training) -> Generator:
    return load_generator(
        spec.generator, spec.weights, spec.device, spec.dtype, tokenizer_weights=spec.tokenizer_weights
    )


def _on_words(method: type[Objective] | type[Edit]) -> bool:
    return issubclass(method, Edit) and method.on_words


def _updates(spec: Training, plan: str, method: Objective, progress: Progress) -> Progressed:
    work, settings = method.work, method.settings
    optimiser = torch.optim.Adam(work.chosen.parameters.values(), lr=settings.learning_rate, eps=settings.epsilon)
    state = load_checkpoint(spec.out, plan, work.chosen, optimiser)
    retention = Retention(work, method.reach) if settings.retain else None
    units = list(_units(len(work.pairs), settings, None if method.in_order else spec.seed))
    progress.start(f"{spec.method} on {spec.generator}", len(units))
    progress.advance(state.units, resumed=True)
    began = time.perf_counter() - state.seconds
    for number in range(state.units, len(units)):
        if settings.decay:
            optimiser.param_groups[0]["lr"] = settings.learning_rate * (1 - number / len(units))
        extra = retention.of_unit(number) if retention else None
        state.add(learn(method.episode(units[number]), settings, optimiser, extra), time.perf_counter() - began)
        progress.advance(1)
        if state.units % max(1, spec.save_every // settings.batch) == 0 and state.units < len(units):
            save_checkpoint(spec.out, plan, state, work.chosen, optimiser)
    progress.finish()
    return state


def _units(count: int, settings: Settings, seed: int | None) -> Iterator[list[int]]:
    """Places of the pairs of each unit: every epoch in an order of its own, or always in that of the file."""
    for epoch in range(settings.epochs):
        order = list(range(count))
        if seed is not None:
            Random(f"{seed}/order/{epoch}").shuffle(order)
        yield from (order[i : i + settings.batch] for i in range(0, count, settings.batch))


def _finish(spec: Training, facts: dict[str, Any], work: Work, progressed: Progressed) -> Trained:
    work.chosen.release()
    path = write_weights(work.learner, spec.out)
    facts |= {
        "weights": path.name,
        "weights_sha256": weights_digest(path, work.learner.generator),
        "steps": progressed.updates,
        "dropped_windows": progressed.dropped,
        "losses": progressed.losses,
        "change": work.chosen.change(),
        "seconds": round(progressed.seconds, 3),
    }
    write_facts(spec.out, facts)
    (spec.out / FILE).unlink(missing_ok=True)
    return read_trained(spec.out)


def _facts(spec: Training, settings: Settings, learner: Learner, names: Sequence[str]) -> dict[str, Any]:
    """What is known before the first update; `plan` stands for all that decides the weights."""
    base = learner.generator
    card = generator_cards().get(spec.generator)
    plan = {
        "method": spec.method,
        "concept": spec.concept,
        "base": {"name": base.name, "weights_sha256": base.weights_sha256, "licence": card.licence if card else None},
        "settings": settings.as_dict(),
        "seed": spec.seed,
        "pairs": {"count": len(spec.pairs), "digest": pairs_digest(spec.pairs)},
        "retain": {"count": len(spec.retain), "digest": _digest(list(spec.retain))},
        "changed": list(names),
        "dtype": spec.dtype,
    }
    known = {"format": "evalkit eraser", "version": 1, "evalkit": __version__, "torch": torch.__version__}
    return {**known, **plan, "device": learner.device.type, "plan": _digest(plan)}


def _digest(value: Any) -> str:
    return hashlib.sha256(canonical_json(value)).hexdigest()
