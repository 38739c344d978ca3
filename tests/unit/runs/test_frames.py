"""A run in a notebook: frames with numbers as numbers, and a table in which nothing of the run acts."""

import math
from pathlib import Path

import pyarrow as pa
import pytest

from evalkit.errors import EvalkitError
from evalkit.runs.frames import Results
from evalkit.runs.store import Run

ROW = {
    "task": "reconstruction",
    "dataset": "sample/photos",
    "metric": "psnr",
    "value": "inf",
    "low": 30.0,
    "high": None,
    "n": 3,
    "protocol": "evalkit-1",
    "status": "ok",
}
LOST = {**ROW, "metric": "rfid", "value": None, "low": None, "status": "unavailable", "reason": "<b>no weights</b>"}


@pytest.fixture
def run():
    samples = pa.table({"id": ["a", "b"], "psnr": [30.0, None]})
    return Run(Path("runs/<script>x"), {"task": "tokenizer"}, [ROW, LOST], samples, [])


def test_results_are_a_frame_whose_numbers_are_numbers(run):
    pytest.importorskip("pandas")
    frame = run.to_pandas()
    assert frame["value"][0] == math.inf
    assert math.isnan(frame["value"][1])
    assert list(frame["metric"]) == ["psnr", "rfid"]
    assert list(run.to_pandas("samples")["id"]) == ["a", "b"]


def test_a_table_in_a_notebook_escapes_what_the_run_holds_and_says_what_is_missing(run):
    html = run._repr_html_()
    assert "<script>" not in html
    assert "<b>" not in html
    assert "unavailable: &lt;b&gt;no weights" in html
    assert "\u221e" in html


def test_what_is_not_there_is_one_sentence(run, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "polars", None)
    with pytest.raises(EvalkitError, match="pip install polars"):
        run.to_polars()
    with pytest.raises(EvalkitError, match="Give results or samples"):
        run.to_pandas("pictures")


def test_results_show_as_a_table_by_themselves(run):
    assert Results(run.results)._repr_html_().count("<tr>") == 1 + len(run.results)
