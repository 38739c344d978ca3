"""A suite's file may come from anywhere: each of its values is replaced by hostile ones; a run or one sentence follows."""

from __future__ import annotations

import copy
import json
import random
import sys
import tomllib
from pathlib import Path

import pytest
from helpers.judged import ScriptedJudge, small_data, small_images
from PIL import Image

from evalkit.errors import EvalkitError
from evalkit.jobs.options import RunOptions
from evalkit.protocols.judged import read as reading
from evalkit.tasks.probe import probe
from evalkit.tasks.probe.judged import items
from evalkit.tasks.probe.judged.formula import evaluate
from evalkit.tasks.probe.judged.options import JudgeOptions
from evalkit.tasks.probe.judged.templates import fill_in

GOOD = "Consistency: 2\nRealism: 1\nAesthetic Quality: 1"
SUITE = tomllib.loads((Path(__file__).parents[5] / "benchmarks" / "probe_examples" / "riddles.toml").read_text())
HOSTILE = [
    *(-1, 0, 10**30, float("nan"), 1e308, True, [], {}, ["a", 1], {"a": {"b": [1]}}),
    *(
        "",
        "x" * 300,
        "{",
        "{id.__class__}",
        "{0}",
        "{id:>999999999}",
        "../../../etc/passwd",
        "/etc/passwd",
        "os:system",
    ),
    *("9*9", "[consistency]*9", "'a'*9", "-" * 3000 + "1", "(" * 300, "consistency/0", "psnr(0)", "(a+)+$", "nan"),
    *("a\x1b[31m\u202eb", "none", "{prompt}{answer}"),
]
MORE = [  # keys that the file does not have
    *(("items", key) for key in ("loader", "group", "skip", "where", "count", "ranges", "range_of", "keep")),
    *(("images", key) for key in ("samples", "grid", "extensions", "sources", "names")),
    *(("calls", 0, key) for key in ("each", "when", "image", "like", "count", "optional", "braces", "one", "system")),
    *(("scores", 0, key) for key in ("weight", "policy", "over", "worst", "best")),
    *(("calls", 0, key) for key in ("after", "join", "count", "ends", "guess")),
    *(("aggregate", key) for key in ("digits", "groups", "each", "whole", "formula")),
    *(
        (key,)
        for key in (
            "let",
            "needs",
            "measures",
            "parts",
            "tries",
            "revision",
            "anchors",
            "quirks",
            "notes",
            "by_category",
        )
    ),
]


def places(value, way=()):
    if way:
        yield way
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from places(each, (*way, key))


EVERY = [(way, value) for way in [*places(SUITE), *MORE] for value in HOSTILE]


def replaced(data, way, value):
    made = copy.deepcopy(data)
    place = made
    for step in way[:-1]:
        place = place[step]
    place[way[-1]] = value
    return made


@pytest.fixture
def scored(tmp_path, monkeypatch):
    """Runs a suite that is given as plain data."""
    data, images = tmp_path / "data", tmp_path / "images"
    data.mkdir()
    images.mkdir()
    kinds = ("culture", "technology", "nature")
    rows = [{"id": f"r{i}", "prompt": "a lion", "answer": "x", "category": kind} for i, kind in enumerate(kinds)]
    (data / "riddles.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for i in range(3):
        Image.new("RGB", (32, 32), (9 * i, 0, 0)).save(images / f"r{i}.png")

    def run(suite, name):
        monkeypatch.setattr(reading, "read_toml", lambda path: suite)
        (tmp_path / "suite.toml").write_text(repr(suite)[:500])
        judge = JudgeOptions(judge=ScriptedJudge(GOOD), data=data, replies=tmp_path / f"{name}.jsonl")
        return probe(str(tmp_path / "suite.toml"), images, judge=judge, options=RunOptions(out=tmp_path / name))

    return run


@pytest.mark.parametrize("count", [60, pytest.param(len(EVERY), marks=pytest.mark.slow)])
def test_each_hostile_value_gives_a_run_or_one_sentence(scored, count):
    for number, (way, value) in enumerate(random.Random(count).sample(EVERY, count)):
        said = ""
        try:
            scored(replaced(SUITE, way, value), f"run{number}")
        except EvalkitError as error:
            said = str(error)
        except BaseException as error:
            pytest.fail(f"{way} = {value!r:.60}: {error!r}")
        assert "\n" not in said, (way, value)


@pytest.mark.parametrize(
    ("suite", "file", "way", "value"),
    [
        ("geneval-plus", "Geneval++.jsonl", (1, "include"), 0),
        ("genexam", "All_Subjects.jsonl", (0, "scoring_points", 1), None),
        ("genexam", "All_Subjects.jsonl", (0,), "x"),
        ("kris", "final_data.json", (0, "type"), "/etc/passwd"),
        ("oneig-alignment", "object.json", ("000", "question"), None),
        ("tiif-short", "shape+color_eval_prompts.jsonl", (0, "yn_question_list"), None),
        ("geneval2", "geneval2_data.jsonl", (1, "vqa_list", 0), -1),
        ("geneval2", "geneval2_data.jsonl", (1, "skills"), {}),
    ],
)
def test_data_of_another_form_are_one_sentence(tmp_path, monkeypatch, suite, file, way, value):
    monkeypatch.setattr(items, "_check_files", lambda said, folder: None)  # where no sha256 is declared
    small_images(suite, small_data(suite, tmp_path / "data"), tmp_path / "images")
    (path,) = (tmp_path / "data").rglob(file)
    text = path.read_text()
    rows = [json.loads(line) for line in text.splitlines()] if path.suffix == ".jsonl" else json.loads(text)
    changed = replaced(rows, way, value)
    lines = "".join(json.dumps(row) + "\n" for row in changed) if path.suffix == ".jsonl" else json.dumps(changed)
    path.write_text(lines)
    judge = JudgeOptions(judge=ScriptedJudge("Yes"), data=tmp_path / "data", replies=tmp_path / "r.jsonl")
    with pytest.raises(EvalkitError) as caught:
        probe(suite, tmp_path / "images", judge=judge, options=RunOptions(out=tmp_path / "run", device="cpu"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "loader", ["shutil:rmtree", "evalkit.tasks.probe.judged.loaders.dpg:json", "os.path:join", "x"]
)
def test_a_file_names_no_code(scored, loader):
    with pytest.raises(EvalkitError, match="which evalkit does not have"):
        scored(replaced(SUITE, ("items", "loader"), loader), "run")


def test_a_file_imports_no_module(scored, tmp_path, monkeypatch):
    (tmp_path / "evil_module.py").write_text("def items(folder):\n    return []\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(EvalkitError, match="which evalkit does not have"):
        scored(replaced(SUITE, ("items", "loader"), "evil_module:items"), "run")
    assert "evil_module" not in sys.modules


@pytest.mark.parametrize("bomb", ["'a' * 1000000000", "[1] * 1000000000", "+".join(["1"] * 5000), "a.b", "f'{a}'"])
def test_formulas_fill_no_memory(bomb):
    with pytest.raises(EvalkitError, match="Mend the suite's file"):
        evaluate(bomb, {"a": 1})


@pytest.mark.parametrize("template", ["{a.b}", "{0}", "{}", "{a!r}", "{a:>99999}", "{a", "{a[b.c]}", "{a:{a}}"])
def test_templates_reach_fields_alone(template):
    with pytest.raises(EvalkitError, match="is no template"):
        fill_in(template, {"a": "b"})
