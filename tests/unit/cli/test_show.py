"""What `--json` prints: the keys that docs/files.md names are there, and nothing but one JSON value is on stdout."""

import json
import re
from pathlib import Path

import pytest

import evalkit

PAGE = Path(evalkit.__file__).parents[1] / "docs" / "files.md"


def promised(verb):
    """The names in code in the row of a verb."""
    text = PAGE.read_text(encoding="utf-8").split("## What --json prints")[1].split("\n## ")[0]
    rows = [line.split("|")[1:3] for line in text.splitlines() if line.startswith("| `")]
    (said,) = [said for verbs, said in rows if f"`{verb}`" in verbs]
    return set(re.findall(r"`([a-z_]+)`", said))


@pytest.fixture
def short(run, tmp_path):
    options = ("--data", "sample/photos", "--limit", "2", "--tasks", "reconstruction", "--out", tmp_path / "short")
    return run("tokenizer", "-m", "jpeg-q50", *options, "--json")


def test_a_tokenizers_json_holds_runs_with_the_rows_of_their_results(short, tmp_path):
    code, out, _ = short
    assert code == 0
    (told,) = json.loads(out)["runs"]
    assert told["results"] == json.loads((tmp_path / "short" / "results.json").read_bytes())
    assert {"run", "runs", "results"} <= promised("tokenizer")


def test_compare_query_and_verify_print_what_the_page_promises(run, two):
    code, out, _ = run("compare", two / "a", two / "b", "--json")
    assert code == 0
    assert promised("compare") <= set(json.loads(out))
    code, out, _ = run("query", "select model, value from results", two, "--json")
    assert [set(row) for row in json.loads(out)] == [{"model", "value"}] * 2
    code, out, _ = run("verify", two / "a", "--json")
    assert promised("verify") <= set(json.loads(out))
