"""A run that calls its model by another name is found, though every digest was computed anew."""

import json

import pytest
from helpers.resealed import resealed

from evalkit.jsonio import canonical_json, pretty_json
from evalkit.provenance.models import model_failures
from evalkit.provenance.verify import verify_run
from evalkit.runs.store import read_run


def renamed(run, name, *, plan=True, card=True):
    """As a liar does it who knows how records work: everywhere, and sealed again."""
    record = json.loads((run / "record.json").read_bytes())
    record["model"] = {**record["model"], "name": name}
    if card and "card" in record["model"]:
        record["model"]["card"] = {**record["model"]["card"], "name": name}
    if plan:
        record["plan"]["models"]["model"]["name"] = name
        (run / "plan.json").write_bytes(canonical_json(record["plan"]))
    if (run / "manifest.jsonl").exists():
        lines = [json.loads(line) for line in (run / "manifest.jsonl").read_text().splitlines()]
        text = "".join(json.dumps({**line, "model": name}, sort_keys=True) + "\n" for line in lines)
        (run / "manifest.jsonl").write_text(text)
    (run / "record.json").write_bytes(pretty_json(record))
    return resealed(run)


def of_level(verdict, level):
    return next(each for each in verdict.steps if each.level == level)


@pytest.mark.parametrize(
    ("run", "name", "said"),
    [
        ("scored", "gigatok-ss", "has weights; the plan names none"),
        ("generated", "llamagen-b", "its weights are those of world_ar.safetensors"),
        ("generated", "world-ar-draft", "its weights are those of world_ar.safetensors"),
    ],
)
def test_a_run_whose_model_is_renamed_everywhere_fails_level_3(run, name, said, runs):
    verdict = verify_run(renamed(runs / run, name))
    assert of_level(verdict, 1).status == "passed"
    assert of_level(verdict, 3).status == "failed"
    assert any(said in each.reason for each in verdict.failures)


@pytest.mark.parametrize("how", [{"plan": False}, {"card": False}])
def test_a_name_that_plan_or_card_contradict_is_found(how, runs):
    found = model_failures(read_run(renamed(runs / "scored", "webp-q75", **how)))
    assert any("its model is called webp-q75" in each.reason for each in found)


def test_weights_that_the_plan_contradicts_are_found(runs):
    record = json.loads((runs / "generated" / "record.json").read_bytes())
    record["model"]["weights_sha256"] = "0" * 64
    (runs / "generated" / "record.json").write_bytes(pretty_json(record))
    (found,) = model_failures(read_run(resealed(runs / "generated")))
    assert found.reason.startswith("its model has the weights 0000")


def test_honest_runs_have_no_such_failure(runs):
    for run in ("scored", "generated", "attacked"):
        assert model_failures(read_run(runs / run)) == []
