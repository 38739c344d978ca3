"""How long does `evalkit query` take over 200 runs of 10,000 samples, and how much memory? Each question in a fresh process.

python benchmarks/speed/query.py [RUNS ...]

Time and memory are those of the whole command: starting Python, checking every run, the answer, writing it as CSV.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from common import COMMAND, write

ROOT = Path(__file__).resolve().parents[2]
SAMPLES, SCORES = 10_000, 30
QUESTIONS = {
    "which tables there are": None,
    "means of two scores by model": "select model, avg(score_0), avg(score_1) from samples group by model",
    "the ten worst samples": "select run, id, score_0 from samples order by score_0 limit 10",
    "two runs at equal ids": "select avg(a.score_0 - b.score_0) from samples a join samples b using (id) "
    "where a.model = 'model-000' and b.model = 'model-001'",
    "intervals of all results": "select model, metric, value, low, high from results order by value",
    "a score of every sample": "select run, id, score_0 from samples",
}


def make_runs(folder: Path, runs: int) -> None:
    """Runs with ids, a prompt and scores, their records and 100 results each."""
    rng = np.random.default_rng(0)
    ids = [f"{i:06d}" for i in range(SAMPLES)]
    prompts = [f"a photo of scene {i * 7919 % SAMPLES}, drawn in style {i % 40}" for i in range(SAMPLES)]
    for k in range(runs):
        run = folder / f"run-{k:03d}"
        run.mkdir()
        scores = {f"score_{n}": rng.normal(size=SAMPLES) for n in range(SCORES)}
        pq.write_table(pa.table({"id": ids, "prompt": prompts, **scores}), run / "samples.parquet")
        rows = [{"metric": f"metric_{n}", "value": 1.0, "low": 0.5, "high": 1.5, "n": SAMPLES} for n in range(100)]
        (run / "results.json").write_text(json.dumps(rows))
        record = {"model": {"name": f"model-{k:03d}"}, "data": {"name": "scenes", "n": SAMPLES}}
        (run / "record.json").write_text(json.dumps(record))


def ask(folder: Path, sql: str | None) -> tuple[float, float, float, int]:
    """Wall seconds, CPU seconds, peak megabytes, and lines of the answer."""
    words = [sys.executable, "-c", COMMAND, "query", "--runs", str(folder), *([sql, "--csv"] if sql else [])]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as said:
        started = time.perf_counter()
        child = subprocess.Popen(words, stdout=out, stderr=said, env={**os.environ, "PYTHONPATH": str(ROOT)})
        _, status, used = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - started
        if status:
            raise SystemExit(f"{sql} ended with {status}")
        out.seek(0)
        said.seek(0)
        peak = int(said.read().split()[-1]) / 2**20
        return seconds, used.ru_utime + used.ru_stime, peak, sum(1 for _ in out)


if __name__ == "__main__":
    rows = []
    for runs in [int(each) for each in sys.argv[1:]] or [20, 200]:
        with tempfile.TemporaryDirectory() as folder:
            make_runs(Path(folder), runs)
            for title, sql in QUESTIONS.items():
                seconds, cpu, megabytes, lines = min(ask(Path(folder), sql) for _ in range(3))
                rows.append(
                    {
                        "runs": runs,
                        "samples": runs * SAMPLES,
                        "question": title,
                        "seconds": round(seconds, 2),
                        "cpu_seconds": round(cpu, 2),
                        "peak_mb": round(megabytes),
                        "lines": lines,
                    }
                )
    write("query", rows)
