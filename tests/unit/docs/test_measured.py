"""Figures of the pages about speed are those of the CSV files."""

import importlib
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("page", ["speed.md", "cluster.md"])
def test_tables_of_measurements_say_what_the_csv_files_say(page, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    run = importlib.import_module("run")
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert all(f"<!-- end of {name} -->" in text for name in run.TABLES[page])
    assert run.published(page, text) == text, "type: python benchmarks/run.py --table"
    for name in ("run", "goals"):
        del sys.modules[name]
