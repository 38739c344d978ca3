"""Verification of a detection without its key."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.resealed import resealed

from evalkit.jobs.checks import How
from evalkit.jobs.options import RunOptions
from evalkit.jobs.task import TASKS
from evalkit.runs.store import read_run
from evalkit.watermark.detection import Rule, detect_mark


@pytest.fixture(params=[Rule(1e-3), Rule(fdr=0.01)], ids=["alpha", "fdr"])
def run(request, toy, tmp_path):
    mark = toy.mark()
    toy.awkward_folder(tmp_path / "data", mark, 45)
    return detect_mark(
        tmp_path / "data",
        mark,
        toy.Blocks(),
        rule=request.param,
        search="flip",
        cache=False,
        options=RunOptions(out=tmp_path / "run"),
    )


def checked(run):
    return TASKS.get("watermark-detect").checks().recompute(read_run(resealed(run.path)), How())


def test_an_honest_run_passes(run):
    outcome = checked(run)
    assert outcome.failures == ()
    assert outcome.checked == len(run.results)


def changed(run, column, values):
    table = run.samples
    at = table.column_names.index(column)
    pq.write_table(
        table.set_column(at, column, pa.array(values, table.schema.field(column).type)), run.path / "samples.parquet"
    )


@pytest.mark.parametrize("column", ["log10_p", "green", "q", "verdict"])
def test_a_changed_cell_is_named(run, column):
    values = run.samples[column].to_pylist()
    at = next(i for i, value in enumerate(run.samples["verdict"].to_pylist()) if value == "not detected")
    values[at] = {"log10_p": -30.0, "green": 64, "q": 1e-9, "verdict": "detected"}[column]
    changed(run, column, values)
    assert any(run.samples["id"][at].as_py() in failure.reason for failure in checked(run).failures)


def test_a_changed_result_is_named(run):
    results = run.results
    results[0]["value"] += 1
    (run.path / "results.json").write_text(json.dumps(results))
    assert any(failure.reason.startswith(results[0]["metric"]) for failure in checked(run).failures)


def test_nobody_without_the_key_scores_images_again(run):
    outcome = TASKS.get("watermark-detect").checks().regenerate(run, 3, How())
    assert "key" in outcome.open
    assert np.isfinite(outcome.checked)
