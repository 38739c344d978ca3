"""`report`, `view`, `leaderboard` and `query` take the same runs: a run, a folder of runs, a pattern, several of them."""

import json
import shutil

import pytest
from click.testing import CliRunner
from helpers.verbs import photos

import evalkit
from evalkit.cli import group
from evalkit.jobs.options import RunOptions


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    place = tmp_path_factory.mktemp("made")
    for quality in (50, 75):
        options = RunOptions(out=place / f"runs/q{quality}", keep="none", device="cpu", limit=2)
        evalkit.evaluate_tokenizer(
            f"jpeg-q{quality}", photos(place / "photos"), tasks=["reconstruction"], options=options
        )
    shutil.copytree(place / "runs" / "q50", place / "other" / "deep" / "again")
    (place / "runs" / "begun").mkdir()
    (place / "runs" / "begun" / "plan.json").write_text("{}")
    return place


FORMS = {
    "a run": (["runs/q50"], {"q50"}),
    "a folder": (["runs"], {"q50", "q75"}),
    "a pattern": (["runs/q*"], {"q50", "q75"}),
    "several": (["runs/q75", "other"], {"q75", "again"}),
    "one run twice": (["runs/q50", "runs"], {"q50", "q75"}),
}


def names(verb, given, tmp_path):
    """Which runs a verb read."""
    out = tmp_path / "out"
    words = {
        "query": ["query", "select distinct run from runs", *given, "--json"],
        "view": ["view", *given, "--out", str(out), "--no-open", "--json"],
        "leaderboard": ["leaderboard", *given, "--out", str(out), "--json"],
    }[verb]
    done = CliRunner().invoke(group, words)
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    if verb == "query":
        return {row["run"] for row in said}
    runs = said["runs"] if verb == "view" else [each["path"] for each in said["parents"]]
    return {path.rstrip("/").rpartition("/")[2] for path in runs}


@pytest.mark.parametrize("verb", ["query", "view", "leaderboard"])
@pytest.mark.parametrize("form", list(FORMS))
def test_the_same_words_mean_the_same_runs(verb, form, made, tmp_path, monkeypatch):
    monkeypatch.chdir(made)
    given, expected = FORMS[form]
    assert names(verb, given, tmp_path) == expected


@pytest.mark.parametrize("form", list(FORMS))
def test_a_report_takes_them_too(form, made, tmp_path, monkeypatch):
    monkeypatch.chdir(made)
    out = tmp_path / "page.html"
    done = CliRunner().invoke(group, ["report", *FORMS[form][0], "--out", str(out)])
    assert done.exit_code == 0, done.output
    page = out.read_text(encoding="utf-8")
    for quality, name in ((50, {"q50", "again"}), (75, {"q75"})):
        assert (f"jpeg-q{quality}" in page) is bool(name & FORMS[form][1])


@pytest.mark.parametrize("verb", ["query", "view", "leaderboard", "report"])
@pytest.mark.parametrize(
    ("given", "reason"), [("nowhere", "is not there"), ("photos", "no finished run"), ("z*", "matches")]
)
def test_what_is_no_run_is_said_alike(verb, given, reason, made, tmp_path, monkeypatch):
    monkeypatch.chdir(made)
    words = [verb, "select 1", given] if verb == "query" else [verb, given, "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(group, words)
    assert done.exit_code != 0
    assert reason in str(done.exception)


def test_query_of_runs_alone_shows_what_can_be_asked(made, monkeypatch):
    monkeypatch.chdir(made)
    for words in (["query", "runs/q50"], ["query"], ["query", "--runs", "runs"]):
        done = CliRunner().invoke(group, [*words, "--json"])
        assert done.exit_code == 0, done.output
        assert {"runs", "samples", "results"} <= set(json.loads(done.stdout))
