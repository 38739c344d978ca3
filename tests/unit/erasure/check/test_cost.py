"""What an erasure cost: probe scores, text scores and the other domain, with intervals, from images and from runs."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from helpers.erased import images, written

from evalkit.encoders.classifiers.base import Classifier, Labelled
from evalkit.erasure.check import Look, check_folders, opening, plan, probed
from evalkit.erasure.check.gates import Gates
from evalkit.erasure.check.items import items_of
from evalkit.erasure.pairs.pair import read_pairs
from evalkit.errors import EvalkitError
from evalkit.jobs.options import RunOptions
from evalkit.jobs.spec import ModelRef

WORLD = Look("world", distances=False)


class Bright:
    """A score of images alone: twice the share of white in them."""

    name = "clipscore"

    def score(self, images, prompts):
        return 2 * images.double().mean((1, 2, 3)).numpy() / 255


def probe_run(scores, digest="d", task="probe"):
    rows = [{"prompt_id": p, "sample": s, "task": "colors", "score": x} for (p, s), x in scores.items()]
    return SimpleNamespace(record={"task": task, "prompts": {"digest": digest}}, samples=pa.Table.from_pylist(rows))


@pytest.fixture
def runs(monkeypatch):
    held = {
        "before": probe_run({("a", 0): 1.0, ("a", 1): 1.0, ("b", 0): 1.0, ("c", 0): 1.0}),
        "after": probe_run({("a", 0): 0.0, ("a", 1): 1.0, ("b", 0): 1.0}),
        "other": probe_run({("a", 0): 1.0}, digest="e"),
        "generate": probe_run({("a", 0): 1.0}, task="generate"),
        "apart": probe_run({("z", 0): 1.0}),
    }
    monkeypatch.setattr(probed, "read_run", held.__getitem__)
    return held


def test_two_runs_of_a_probe_are_compared_image_by_image_on_what_both_have(runs):
    found = probed.of_arrays(probed.read_probes("before", "after"), Gates())
    assert [(each.task, each.n) for each in found] == [("all tasks", 3), ("colors", 3)]
    assert (found[0].base.value, found[0].erased.value) == pytest.approx((1.0, 2 / 3))
    assert found[0].change.change.value == pytest.approx(-1 / 3)
    assert found[0].erased.low < 2 / 3 < found[0].erased.high


@pytest.mark.parametrize(
    ("after", "said"),
    [("other", "no runs of one probe"), ("generate", "no runs of one probe"), ("apart", "no image has")],
)
def test_runs_that_do_not_belong_together_are_refused(runs, after, said):
    with pytest.raises(EvalkitError, match=said):
        probed.read_probes("before", after)


@pytest.fixture
def folders(tmp_path):
    path = written(tmp_path, 6)
    items = items_of(read_pairs(path), "dog", None)
    images(tmp_path / "before", items)
    images(tmp_path / "after", items, lambda name, caption: "cat" if name == "dog" else name)
    return tmp_path


def checked(folders, after="after", **named):
    options = RunOptions(out=folders / f"run-{after}", device="cpu")
    return check_folders(folders / "before", folders / after, folders / "dog.jsonl", "dog", options=options, **named)


def of(run, metric):
    return {row["dataset"]: row for row in run.results if row["metric"] == metric}


def test_the_world_s_probe_tells_what_other_prompts_lost(folders):
    items = items_of(read_pairs(folders / "dog.jsonl"), "dog", None)
    images(folders / "fewer", items, lambda name, caption: None if name in ("cup", "clock") else name)
    run = checked(folders, "fewer", look=WORLD)
    scores = of(run, "probe_kept")
    assert scores["dog"]["value"] < 1
    assert scores["dog"]["low"] <= scores["dog"]["value"] <= scores["dog"]["high"]
    assert of(run, "probe_change")["dog/color_attr"]["value"] < 0
    assert of(run, "unlearncanvas_cra")["dog"]["value"] <= 1


def test_a_model_that_keeps_all_else_keeps_its_probe_score_and_its_colours(folders):
    run = checked(folders, look=WORLD)
    assert of(run, "probe_kept")["dog"]["value"] == 1
    assert of(run, "unlearncanvas_cra")["dog"]["value"] == 1
    assert of(run, "concept_rate_unasked")["dog"]["value"] == 0


def test_text_scores_of_both_models_and_their_change_are_reported_where_weights_are_here(folders, monkeypatch):
    monkeypatch.setattr(plan, "text_scorer_ref", lambda files: ModelRef("clipscore", "0" * 64))
    monkeypatch.setattr(opening, "load_prompt_scorer", lambda name, weights, device: Bright())
    run = checked(folders, look=WORLD)
    scores = of(run, "clipscore")
    assert scores["dog/retained"]["value"] == pytest.approx(scores["dog/retained, base"]["value"])
    assert of(run, "clipscore_change")["dog/retained"]["value"] == 0
    rows = run.samples.to_pylist()
    assert {row["subset"] for row in rows if row["clip_base"] is not None} == {"far"}


def test_prompts_that_show_the_concept_anyway_do_not_count_for_the_eraser():
    from evalkit.erasure.check.vector import vector_of

    sums = np.zeros(20)
    sums[[0, 1, 16]] = 100, 20, 100  # direct hits of both models
    sums[[18, 19]] = 10, 100  # a tenth of other images show it too
    assert vector_of(sums)[0] == pytest.approx(1 - 10 / 90)
    assert vector_of(sums, 0.0)[0] == pytest.approx(0.8)


class Objects(Classifier):
    """A classifier of the other domain: grounds, by the colour of a corner."""

    id, weights_sha256 = "grounds", "0" * 64
    labels = ("white", "grey", "beige", "mint")

    def __call__(self, images):
        return [(Labelled("white" if image[0, 0].min() > 250 else "grey", 1.0),) for image in images]


def test_a_detector_of_the_other_domain_gives_cra_of_prompts_that_ask_for_something_in_it(folders):
    run = checked(folders, look=replace(WORLD, domain=Objects()))
    rows = [row for row in run.samples.to_pylist() if row["domain_erased"] is not None]
    assert rows
    assert all(any(f" {label} " in row["prompt"] for label in Objects.labels) for row in rows)
    right = [row["domain_erased"] for row in rows]
    found = of(run, "unlearncanvas_cra")["dog"]
    assert found["value"] == pytest.approx(sum(right) / len(right))
    assert "its own detector" in found["ci_method"]


def test_a_network_without_labels_sees_no_other_domain(folders):
    with pytest.raises(EvalkitError, match="names nothing in an image"):
        checked(folders, look=replace(WORLD, domain="efflite0"))
