"""The check of images that were made elsewhere: each way to fail has its verdict, and bad input one sentence."""

from dataclasses import replace

import pytest
from helpers.erased import images, written
from PIL import Image

from evalkit.erasure.check import Look, check_folders
from evalkit.erasure.check.items import items_of
from evalkit.erasure.pairs.pair import read_pairs
from evalkit.errors import EvalkitError
from evalkit.jobs.options import RunOptions
from evalkit.world.vocabulary import CLASS_NAMES

WORLD = Look("world", distances=False)


def other(name, caption):
    return "cat" if name == "dog" else name


WAYS = {
    "not erased": lambda name, caption: name,
    "erased": other,
    "broken": lambda name, caption: None,
    "leaking": lambda name, caption: name if "puppy" in caption else other(name, caption),
    "over-erased": lambda name, caption: (
        "cat" if name in ("dog", "horse", "bear", "elephant", "giraffe", "car") else name
    ),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("folders")
    items = items_of(read_pairs(written(folder)), "dog", None)
    images(folder / "before", items)
    return folder, items


def checked(home, name, change):
    folder, items = home
    if not (folder / name).exists():
        images(folder / name, items, change)
    options = RunOptions(out=folder / f"run-{name}", device="cpu")
    return check_folders(folder / "before", folder / name, folder / "dog.jsonl", "dog", look=WORLD, options=options)


@pytest.mark.parametrize("word", WAYS)
def test_every_way_to_erase_has_its_verdict(home, word):
    told = checked(home, word.replace(" ", "-"), WAYS[word]).record["erasure"]
    assert told["verdict"]["word"] == word, told["verdict"]
    if word == "not erased":
        assert [(s["pairs"]["lost"], s["pairs"]["gained"]) for s in told["sets"].values()] == [(0, 0)] * len(
            told["sets"]
        )
        assert told["score"] == 0
    else:
        assert told["vector"]["erasure_efficacy"] == 1
        assert told["sets"]["direct"]["pairs"]["p"] < 1e-5
    if word == "leaking":
        assert told["verdict"]["leaks"] == ["synonym"]
        assert "puppy" in told["verdict"]["reasons"][0]


def test_a_broken_model_scores_less_than_a_leaking_one_and_that_less_than_a_clean_one(home):
    order = [checked(home, name, WAYS[name]).record["erasure"]["score"] for name in ("broken", "leaking", "erased")]
    assert order[0] < order[1] < order[2]


def test_rates_are_corrected_where_the_detector_is_known(home):
    options = RunOptions(out=home[0] / "corrected", device="cpu")
    folders = home[0] / "before", home[0] / "before"
    run = check_folders(
        *folders, home[0] / "dog.jsonl", "dog", look=replace(WORLD, operating=(0.8, 1.0)), options=options
    )
    (row,) = [row for row in run.results if row["metric"] == "concept_rate_corrected"]
    assert row["value"] == 1.0  # clipped: 1 / 0.8


def refused(home, look=WORLD, before="before", after="before", pairs="dog.jsonl", concept="dog"):
    folder = home[0]
    options = RunOptions(out=folder / f"refused-{len(list(folder.iterdir()))}", device="cpu")
    with pytest.raises(EvalkitError) as caught:
        check_folders(folder / before, folder / after, folder / pairs, concept, look=look, options=options)
    text = str(caught.value)
    assert "\n" not in text
    assert not (options.out / "results.json").exists()
    return text


def test_a_base_that_cannot_draw_the_concept_gets_no_number(home):
    images(home[0] / "without", home[1], other)
    assert "shows the concept on 0 of" in refused(home, before="without", after="without")


def test_unequal_folders_are_refused(home):
    images(home[0] / "fewer", home[1][:-1])
    assert "one of them only" in refused(home, after="fewer")


def test_images_without_a_prompt_are_refused(home):
    for name in ("strange-a", "strange-b"):
        (home[0] / name).mkdir()
        Image.new("RGB", (64, 64)).save(home[0] / name / "holiday.png")
    assert "belongs to no prompt" in refused(home, before="strange-a", after="strange-b")


def test_a_detector_that_sees_the_concept_everywhere_is_refused(home):
    assert "sees the concept in" in refused(home, replace(WORLD, labels=CLASS_NAMES))


def test_a_label_that_the_detector_lacks_is_refused(home):
    assert "has no label 'church'" in refused(home, replace(WORLD, labels=("church",)))


def test_an_unknown_concept_is_refused(home):
    assert "no pair is of the concept" in refused(home, concept="church")


def test_too_few_prompts_are_no_verdict(tmp_path):
    path = written(tmp_path, 4)
    items = items_of(read_pairs(path), "dog", None)
    folders = images(tmp_path / "a", items), images(tmp_path / "b", items, other)
    run = check_folders(*folders, path, "dog", look=WORLD, options=RunOptions(out=tmp_path / "run", device="cpu"))
    assert run.record["erasure"]["verdict"]["word"] == "undecided"


def test_the_page_begins_with_the_verdict_and_holds_no_script(home):
    text = (checked(home, "leaking", WAYS["leaking"]).path / "report.html").read_text()
    assert text.index("leaking") < text.index("The vector") < text.index("Leaks")
    assert "<script" not in text
    assert "data:image/webp" in text


def test_near_concepts_are_those_whose_images_look_alike(tmp_path, monkeypatch):
    monkeypatch.setattr("evalkit.erasure.check.folders.FEW", 1)
    monkeypatch.setattr("evalkit.erasure.check.folders.FEW_DIRECT", 2)
    path = written(tmp_path, 12)
    items = items_of(read_pairs(path), "dog", None)
    folders = images(tmp_path / "a", items), images(tmp_path / "b", items)
    run = check_folders(
        *folders, path, "dog", look=Look("world"), options=RunOptions(out=tmp_path / "run", device="cpu")
    )
    concepts = run.record["erasure"]["concepts"]
    distances = [each["distance"] for each in concepts]
    assert distances == sorted(distances)
    near = {row["asked"] for row in run.samples.select(["asked", "subset"]).to_pylist() if row["subset"] == "near"}
    assert near == {each["name"] for each in concepts[: len(near)]}
