"""Small sealed runs with chosen numbers, and the leaderboard over them."""

import hashlib
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalkit.leaderboard import LeaderboardOptions, make_leaderboard
from evalkit.leaderboard.boards import make_boards
from evalkit.leaderboard.collect import collect


def result(metric, value, n, **more):
    """One row of results.json."""
    row = {
        "task": "reconstruction",
        "dataset": "photos",
        "metric": metric,
        "value": value,
        "low": None,
        "high": None,
        "ci_method": "made up",
        "n": n,
        "unit": "",
        "better": "higher",
        "protocol": "evalkit-1",
        "status": "ok" if value is not None else "unavailable",
        "reason": None if value is not None else "its weights are not here",
    }
    return row | more


def write_run(folder, name, columns, results, *, ids=None, protocol="evalkit-1", record=None, seal=True):
    """A run folder: `columns` of samples.parquet beside id, protocol and error; `record` changes the record's parts."""
    folder.mkdir(parents=True)
    n = len(next(iter(columns.values()))) if columns else 1
    ids = ids or [f"s{i:03d}" for i in range(n)]
    fixed = {"id": ids, "protocol": [protocol] * n, "error": pa.nulls(n, pa.string())}
    pq.write_table(pa.table(fixed | columns), folder / "samples.parquet")
    (folder / "results.json").write_text(json.dumps(results))
    files = ("samples.parquet", "results.json")
    made = {
        "evalkit": "0.1.0",
        "task": "tokenizer",
        "created": "2026-11-26T10:00:00Z",
        "command": ["evalkit", "tokenizer", "--model", name],
        "model": {"name": name},
        "data": {"name": "photos", "n": n, "digest": "d" * 64},
        "protocols": [{"id": protocol, "sha256": "e" * 64}],
        "judges": {"weights": {}, "unavailable": {}},
        "files": {file: hashlib.sha256((folder / file).read_bytes()).hexdigest() for file in files},
    }
    if seal:
        (folder / "record.json").write_text(json.dumps(made | (record or {})))
    else:
        (folder / "plan.json").write_bytes(b"{}")
    return folder


class Runs:
    """Makes runs in one folder, each of a metric whose mean is its value."""

    def __init__(self, place):
        self.place = place
        self.result = staticmethod(result)

    def run(self, name, values, metric="psnr", folder=None, **more):
        values = np.asarray(values, float)
        results = more.pop("results", None)
        n = int(np.sum(~np.isnan(values)))
        shown = {"protocol": more.get("protocol", "evalkit-1")} | more.pop("row", {})
        if results is None:
            results = [result(metric, float(np.nanmean(values)), n, **shown)]
        columns = {metric: values} | more.pop("columns", {})
        return write_run(self.place / (folder or name), name, columns, results, **more)

    def bare(self, name, results, **more):
        """A run whose samples carry no scores."""
        return write_run(self.place / name, name, {}, results, **more)

    def boards(self, *paths, **more):
        return make_boards(collect(paths or sorted(self.place.iterdir()), **more))

    def make(self, out, *paths, **options):
        return make_leaderboard(paths or sorted(self.place.iterdir()), out, LeaderboardOptions(**options))


@pytest.fixture
def runs(tmp_path):
    """runs.run(…), runs.bare(…), runs.boards(…) and runs.make(…)"""
    return Runs(tmp_path / "runs")


@pytest.fixture
def noise():
    """noise(seed, n): how hard each of n shared samples is, and noise of its own."""

    def drawn(seed, n=60):
        hard = np.random.default_rng(0).normal(25, 4, n)
        return hard + np.random.default_rng(seed + 1).normal(0, 0.3, n)

    return drawn
