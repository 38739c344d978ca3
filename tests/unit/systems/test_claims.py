"""A card claims no support that a test does not exercise."""

import re
from functools import cache
from pathlib import Path

import pytest

from evalkit.generators.registry import GENERATORS
from evalkit.generators.workers import known_workers
from evalkit.metrics.registry import METRICS
from evalkit.systems import list_systems
from evalkit.systems.card import SystemCard
from evalkit.systems.measures import MEASURES, RULES
from evalkit.tasks.probe.suite import SUITES
from evalkit.tokenizers.cards import tokenizer_cards
from evalkit.tokenizers.registry import TOKENIZERS

ROOT = Path(__file__).parents[3]
CARDS = list_systems()
OF_SCORE = ("score", "paired", "likelihood", "captions", "views")  # tasks of that verb
each = pytest.mark.parametrize("card", CARDS, ids=[card.id for card in CARDS])


@cache
def sources() -> str:
    """The source of all tests but those of cards."""
    here = Path(__file__).parent
    files = [path for path in (ROOT / "tests").rglob("test_*.py") if path.parent != here]
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


def is_tested(module: str, names: list[str]) -> bool:
    """Whether a test imports the family's module, or asks for one of its models by name."""
    return bool(re.search(rf"(from|import) {re.escape(module)}\b", sources())) or any(
        f'"{n}"' in sources() for n in names
    )


@each
def test_its_generators_exist_and_their_family_has_a_test(card: SystemCard):
    for name in card.generators:
        module = GENERATORS.get(name).cls.__module__
        family = [n for n in GENERATORS if GENERATORS.get(n).cls.__module__ == module]
        assert is_tested(module, family), f"{name}: no test uses {module}"


@each
def test_its_tokenizers_exist_and_their_family_has_a_test(card: SystemCard):
    models = tokenizer_cards()
    for name in card.tokenizers:
        if name in models and models[name].encode_only:
            assert is_tested("evalkit.tokenizers.encode_only", [name]), name
            continue
        module = TOKENIZERS.get(name).cls.__module__
        family = [n for n in TOKENIZERS if TOKENIZERS.get(n).cls.__module__ == module]
        assert is_tested(module, family), f"{name}: no test uses {module}"


@each
def test_its_kind_of_runner_is_backed(card: SystemCard):
    if card.runner in ("native", "library"):
        assert card.generators or card.tokenizers
    if card.runner == "worker":
        assert card.worker
    assert (card.runner == "worker") == bool(card.worker)
    models = {f"--model {name} " for name in (*card.generators, *card.tokenizers)}
    commands = " ".join(f"{step.command} " for step in card.steps)
    if card.runner in ("native", "library"):
        assert any(model in commands for model in models), "no step runs what the card calls its own"


@each
def test_its_worker_is_a_file_that_is_tested_and_started_by_a_step(card: SystemCard):
    if card.worker:
        assert (ROOT / "docs" / "workers" / card.worker).is_file()
        assert any(card.worker in step.command for step in card.steps)
        assert f'worker("{card.worker.removesuffix(".py")}", ' in sources(), "no test runs it"
        worker = known_workers()[card.id]
        assert (worker.file, worker.licence) == (card.worker, card.licence)


@each
def test_an_acceleration_in_a_step_has_a_test_and_fits_a_model_of_the_card(card: SystemCard):
    for step in card.steps:
        if found := re.search(r"--model (\S+) .*--accelerate (\w+)", step.command):
            assert f'"{found[2]}:' in sources()
            assert card.runner != "native" or found[1] in card.generators


@each
def test_modules_that_a_card_points_to_can_be_imported(card: SystemCard):
    import importlib

    for text in (*card.missing, card.note):
        for path in re.findall(r"\bevalkit\.[\w.]+\w", text):
            module, _, name = path.rpartition(".")
            try:
                found = importlib.import_module(path)
            except ModuleNotFoundError:
                found = getattr(importlib.import_module(module), name)
            assert found is not None


def test_what_evalkit_is_said_to_take_is_a_metric_of_that_verb():
    for name, measure in MEASURES.items():
        verb, _, metric = measure.here.partition(":")
        if verb == "tokenizer":
            assert metric in METRICS, name
            assert f'"{metric.partition("_")[0]}' in sources(), f"{metric} has no test"
        elif verb == "score":
            assert METRICS.get(metric).task in OF_SCORE or metric == "fid", name
        elif verb == "probe":
            assert metric in SUITES, name
        elif metric in ("seconds", "evaluations"):
            assert verb == "generate"
        else:
            assert verb in ("", "generate", "watermark detect", "watermark robustness"), (
                f"{name}: say here how {verb} is checked"
            )
            assert f'"{metric}"' in sources() or not metric, f"{metric} has no test"


def test_every_measure_and_every_rule_is_used():
    used = {name for card in CARDS for name in (*card.measures, *(number.measure for number in card.numbers))}
    assert set(MEASURES) - used == set()
    assert set(RULES) - {number.rule for card in CARDS for number in card.numbers} == set()
