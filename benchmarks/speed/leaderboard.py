"""How long does a leaderboard over many large runs take, and how much memory?

python benchmarks/speed/leaderboard.py [RUNS] [SAMPLES]

The runs are made up but whole: the table of a tokenizer evaluation with eight scores per image, a distance with its
interval, and a dozen kept images. The board is made in a process of its own, so that its peak of memory is its own.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from common import peak_mb, write
from PIL import Image

from evalkit.jsonio import pretty_json
from evalkit.metrics.registry import METRICS

SCORES = {  # metric: typical value and its spread between images
    "psnr": (26.0, 4.0),
    "ssim": (0.8, 0.08),
    "ms_ssim": (0.93, 0.03),
    "lpips_alex": (0.2, 0.06),
    "lpips_vgg": (0.3, 0.06),
    "bpp": (0.5, 0.1),
    "hf_energy": (0.7, 0.1),
    "hf_correlation": (0.6, 0.1),
}
KEPT = 12


def make_run(folder: Path, number: int, samples: int) -> None:
    """One sealed run; the images are as hard for every run, so that pairing has something to gain."""
    from evalkit.tasks.tokenizer.rows import schema, table  # brings torch along, which the board does not need

    hard = np.random.default_rng(0).normal(size=samples)
    rng = np.random.default_rng(number + 1)
    folder.mkdir(parents=True)
    columns = {
        metric: mean + spread * (hard + 0.3 * rng.normal(size=samples) + 0.01 * number)
        for metric, (mean, spread) in SCORES.items()
    }
    ids = [f"val/{i:08d}.JPEG" for i in range(samples)]
    rows = table({"id": name, "protocol": "evalkit-1", "height": 256, "width": 256} for name in ids)
    arrays = {name: rows[name] for name in schema().names} | columns
    pq.write_table(rows.from_pydict(arrays, schema=schema()), folder / "samples.parquet")
    results = [_result(metric, float(columns[metric].mean()), samples) for metric in SCORES]
    results.append(_result("fid", 2.0 + 0.01 * number, samples))
    (folder / "results.json").write_bytes(pretty_json(results))
    (folder / "images").mkdir()
    index = []
    for rank, place in enumerate(np.argsort(columns["psnr"])[:KEPT]):
        entry = {"id": ids[place], "protocol": "evalkit-1", "kind": "worst", "rank": rank, "scores": {}}
        for kind in ("original", "reconstruction"):
            entry[kind] = f"images/worst-{rank:02d}-{kind}.png"
            Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(folder / entry[kind])
        index.append(entry)
    (folder / "images" / "index.json").write_bytes(pretty_json(index))
    names = ("samples.parquet", "results.json")
    record = {
        "evalkit": "benchmark",
        "task": "tokenizer",
        "created": "2026-11-26T00:00:00Z",
        "model": {"name": f"model-{number:03d}"},
        "data": {"name": "val", "n": samples, "digest": "d" * 64},
        "protocols": [{"id": "evalkit-1", "sha256": "e" * 64}],
        "files": {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names},
    }
    (folder / "record.json").write_bytes(pretty_json(record))


def _result(metric: str, value: float, n: int) -> dict[str, object]:
    info = METRICS.get(metric)
    half = 0.01 * abs(value)
    shared = {
        "task": "distribution" if metric == "fid" else "reconstruction",
        "dataset": "val",
        "protocol": "evalkit-1",
    }
    bounds = {"value": value, "low": value - half, "high": value + half, "ci_method": "made up", "n": n}
    return (
        shared | bounds | {"metric": metric, "unit": info.unit, "better": info.better, "status": "ok", "reason": None}
    )


def make_board(runs: Path, out: Path) -> None:
    """What the timed process does; it prints its seconds, its memory in MB and the bytes of its page as JSON."""
    from evalkit.leaderboard import make_leaderboard

    started, busy = time.perf_counter(), time.process_time()
    made = make_leaderboard(sorted(runs.iterdir()), out)
    seconds = time.perf_counter() - started
    memory = peak_mb()
    told = {
        "seconds": seconds,
        "cpu_seconds": time.process_time() - busy,
        "memory_mb": memory,
        "page_mb": made.path.stat().st_size / 1e6,
        "boards": len(made.boards),
    }
    print(json.dumps(told))


def main(runs: int, samples: int, repeats: int = 3) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "runs"
        for number in range(runs):
            make_run(folder / f"run-{number:03d}", number, samples)
        rows = []
        for repeat in range(repeats):
            command = [sys.executable, __file__, "--board", str(folder), str(Path(place) / f"board-{repeat}")]
            told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            rows.append({"runs": runs, "samples": samples, **{name: round(value, 2) for name, value in told.items()}})
        write("leaderboard", rows)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--board"]:
        make_board(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        main(*(int(each) for each in (sys.argv[1:] or ["200", "10000"])))
