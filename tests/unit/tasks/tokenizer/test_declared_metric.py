"""A new metric of pairs is one declaration: samples, results, page, leaderboard and verification read it, and nothing else."""

import hashlib
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalkit.jobs.checks import How
from evalkit.jobs.options import RunOptions
from evalkit.jsonio import pretty_json
from evalkit.leaderboard import LeaderboardOptions, make_leaderboard
from evalkit.metrics.aggregate import MeanOf
from evalkit.metrics.metric import Metric, floats
from evalkit.metrics.registry import METRICS, foreign_metrics
from evalkit.pages import write_report
from evalkit.provenance.verify import Depth, verify_run
from evalkit.runs.record import with_digest
from evalkit.tasks.tokenizer import evaluate_tokenizer

PROTOCOLS = ("evalkit-1", "vtbench-2025")
MODELS = ("jpeg-q50", "world-vq")


def grain(pair):
    """Spread of the reconstruction over spread of the original."""
    return {"grain": float(pair.reconstruction.std() / pair.original.std())}


def likeness(pair):
    """Cosine of the two feature vectors of a network."""
    x, y = pair.evidence["efflite0"]
    return {"likeness": float(x @ y / np.linalg.norm(x) / np.linalg.norm(y))}


def declared(name, compute, **more):
    told = {"title": f"the {name} of a pair", "unit": "", "better": "higher", "low": 0.0, "high": None}
    label, columns = f"{name} (made up)", floats(name)
    return Metric(
        name=name, label=label, source="test", level="pair", task="reconstruction",
        columns=columns, compute=compute, aggregate=MeanOf(name), **(told | more),
    )  # fmt: skip


@pytest.fixture
def made_up(monkeypatch):
    """Two metrics that no file of evalkit knows: one of pixels, one that asks a network."""
    list(METRICS)
    monkeypatch.setattr(METRICS, "_items", dict(METRICS._items))
    METRICS.register(declared("grain", grain, shown=frozenset({"headline", "spread", "kept"})))
    METRICS.register(declared("likeness", likeness, needs=("efflite0",)))


def with_another_value(folder, column, value):
    """Change the first cell of a column and make the record say so, as a liar would who knows how records work."""
    path = folder / "samples.parquet"
    table = pq.read_table(path)
    values = [value, *table[column].to_pylist()[1:]]
    pq.write_table(table.set_column(table.column_names.index(column), column, pa.array(values, pa.float64())), path)
    record = json.loads((folder / "record.json").read_bytes())
    record["files"]["samples.parquet"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "record.json").write_bytes(pretty_json(with_digest(record)))


@pytest.fixture
def runs(made_up, monkeypatch, tmp_path):
    monkeypatch.setenv("EVALKIT_OFFLINE", "1")
    options = RunOptions(out=tmp_path / "runs", limit=2, keep="all", device="cpu")
    return evaluate_tokenizer(MODELS, "sample/photos", protocols=PROTOCOLS, tasks=["reconstruction"], options=options)


def test_one_declaration_reaches_samples_results_page_board_and_verification(runs, tmp_path):
    for run in runs:
        rows = run.samples.to_pylist()
        mine = [row for row in rows if row["protocol"] == "evalkit-1"]
        others = [row for row in rows if row["protocol"] != "evalkit-1"]  # which re-make papers
        for name in ("grain", "likeness"):
            assert all(row[name] > 0 for row in mine)
            assert all(row[name] is None for row in others)
            (result,) = [row for row in run.results if row["metric"] == name]
            assert result["value"] == pytest.approx(np.mean([row[name] for row in mine]))
            assert (result["protocol"], result["task"], result["better"]) == ("evalkit-1", "reconstruction", "higher")
        assert set(run.record["judges"]["weights"]) == {"efflite0"}
        assert "grain" in run.images[0]["scores"]
        verdict = verify_run(run.path, Depth(rescore=2, regenerate=1, how=How(device="cpu")))
        assert not verdict.failures
    page = tmp_path / "report.html"
    write_report(runs, page)
    assert "grain (made up)" in page.read_text(encoding="utf-8")
    made = make_leaderboard([run.path for run in runs], tmp_path / "board", LeaderboardOptions())
    boards = {board.terms.metric: board for board in made.boards if len(board.entrants) == 2}
    assert {"grain", "likeness", "psnr"} <= set(boards)
    assert boards["likeness"].terms.judges.startswith("efflite0 ")
    assert boards["grain"].terms.judges == ""
    assert all(standing.figure.scores is not None for standing in boards["grain"].order.standings)
    assert "grain (made up)" in made.path.read_text(encoding="utf-8")


def test_a_changed_value_of_it_is_found(runs):
    with_another_value(runs[0].path, "grain", 0.123)
    reasons = [failure.reason for step in verify_run(runs[0].path).steps for failure in step.failures]
    assert any("grain of sample/photos" in reason for reason in reasons)


def test_without_its_package_a_run_opens_and_its_number_is_left_open(runs, monkeypatch):
    monkeypatch.setattr(METRICS, "_items", {k: v for k, v in METRICS._items.items() if k not in ("grain", "likeness")})
    verdict = verify_run(runs[0].path, Depth(rescore=2, regenerate=1, how=How(device="cpu")))
    assert not verdict.failures
    assert any("no package here declares grain, likeness" in f"{step.detail} {step.hint}" for step in verdict.steps)


def test_reasons_in_the_words_of_older_runs_follow_from_the_rows_too(tmp_path, monkeypatch):
    monkeypatch.setenv("EVALKIT_OFFLINE", "1")
    np.savez(tmp_path / "small.npz", arr_0=np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3)).astype(np.uint8))
    options = RunOptions(out=tmp_path / "run", keep="none", device="cpu")
    (run,) = evaluate_tokenizer("jpeg-q50", tmp_path / "small.npz", size=64, tasks=["reconstruction"], options=options)
    results = run.path / "results.json"
    assert b"the scored images are smaller" in results.read_bytes()
    results.write_bytes(results.read_bytes().replace(b"scored images are", b"scored pictures are"))
    record = json.loads((run.path / "record.json").read_bytes())
    record["files"]["results.json"] = hashlib.sha256(results.read_bytes()).hexdigest()
    (run.path / "record.json").write_bytes(pretty_json(with_digest(record)))
    assert not verify_run(run.path).failures


def test_metrics_of_others_are_part_of_a_plan_and_evalkits_own_are_not(made_up):
    assert set(foreign_metrics(["reconstruction"])) == {"grain", "likeness"}
    assert all(foreign_metrics(["reconstruction"]).values())
    assert foreign_metrics(["distribution"]) == {}
