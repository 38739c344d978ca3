"""Detail scores in an evaluation: which images and protocols they are made for, and their rows."""

import numpy as np
import pytest

from evalkit.images import open_images
from evalkit.jobs.options import RunOptions
from evalkit.metrics.detail import DECLARED, detail_columns, detail_scores
from evalkit.metrics.metric import Pair
from evalkit.protocols import load_protocol
from evalkit.tasks.tokenizer import evaluate_tokenizer
from evalkit.tasks.tokenizer.rows import schema

COLUMNS = tuple(metric.name for metric in DECLARED)


@pytest.fixture(autouse=True)
def _offline(monkeypatch):
    monkeypatch.setenv("EVALKIT_OFFLINE", "1")


def evaluate(data, out, *tasks, protocols=("evalkit-1",), model="jpeg-q50"):
    options = RunOptions(out=out, limit=3, keep="none")
    (run,) = evaluate_tokenizer(model, data, tasks=tasks, protocols=protocols, options=options)
    return run


def test_data_without_tasks_gives_the_rows_of_the_task_detail(tmp_path):
    coarse = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3)).astype(np.uint8)
    np.savez(tmp_path / "set.npz", arr_0=coarse.repeat(4, 1).repeat(4, 2))
    run = evaluate(tmp_path / "set.npz", tmp_path / "r", "reconstruction", "detail")
    assert [row["metric"] for row in run.results if row["task"] == "detail"] == list(COLUMNS)
    assert {row["dataset"] for row in run.results} == {"set"}
    for row in run.results:
        if row["task"] == "detail":
            assert row["value"] == pytest.approx(np.mean(run.samples[row["metric"]].to_pylist()))
            assert row["low"] < row["value"] < row["high"]
    alone = evaluate(tmp_path / "set.npz", tmp_path / "a", "detail")
    assert alone.results == [row for row in run.results if row["task"] == "detail"]


def test_without_the_task_nothing_is_scored(tmp_path):
    run = evaluate("sample/photos", tmp_path / "r", "reconstruction")
    assert not {row["metric"] for row in run.results} & set(COLUMNS)
    assert all(run.samples[name].null_count == 3 for name in COLUMNS)


def test_images_of_the_task_detail_are_scored_and_others_are_not(tmp_path):
    detail = evaluate("sample/textures", tmp_path / "d", "reconstruction", "detail", "text")
    found = {row["metric"]: row["value"] for row in detail.results}
    assert set(COLUMNS) < set(found)
    assert "psnr" in found
    text = evaluate("sample/text-easy", tmp_path / "t", "detail", "text")
    assert not {row["metric"] for row in text.results} & set(COLUMNS)


def test_protocols_that_remake_papers_have_no_detail_scores(tmp_path):
    run = evaluate("sample/textures", tmp_path / "r", "detail", protocols=("evalkit-1", "vtbench-2025"))
    mine = {row["protocol"] for row in run.results if row["metric"] in COLUMNS}
    assert mine == {"evalkit-1"}
    assert not any(metric.under(load_protocol("llamagen-2024")) for metric in DECLARED)


def test_columns_are_the_scores_of_the_pair_and_are_in_the_schema():
    x, y = (sample.image[:128, :128] for sample in open_images("sample/photos").read(0, 2))
    found = detail_columns(Pair(x, y, load_protocol("evalkit-1")))
    assert tuple(found) == COLUMNS
    assert found["hf_energy"] == detail_scores(x, y).hf_energy
    assert set(COLUMNS) <= set(schema().names)


def test_flat_images_say_that_there_is_nothing_to_measure(tmp_path):
    np.savez(tmp_path / "flat.npz", arr_0=np.full((2, 64, 64, 3), 80, np.uint8))
    run = evaluate(tmp_path / "flat.npz", tmp_path / "r", "detail")
    assert {(row["status"], row["value"]) for row in run.results} == {("unavailable", None)}
    assert "nothing to measure" in run.results[0]["reason"]
