"""A thousand files of every awkward kind, and kill -9 at any moment: one row each, right verdicts, the same bytes."""

import importlib.util
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

HELPERS = Path(__file__).parents[1] / "unit" / "watermark" / "detection" / "conftest.py"
SCRIPT = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location("toys", {str(HELPERS)!r})
toys = importlib.util.module_from_spec(spec)
spec.loader.exec_module(toys)
from pathlib import Path
from evalkit.jobs.options import RunOptions
from evalkit.watermark.detection import Rule, detect_mark
data, out, cache = map(Path, sys.argv[1:])
run = detect_mark(data, toys.a_mark(), toys.Blocks(), rule=Rule(1e-6), search="flip", cache=cache, options=RunOptions(out=out))
sys.exit(1 if run.record["detection"]["counts"]["error"] else 0)
"""


def helpers():
    spec = importlib.util.spec_from_file_location("detection_toys", HELPERS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def command(data, out, cache):
    return [sys.executable, "-c", SCRIPT, str(data), str(out), str(cache)]


@pytest.mark.slow
def test_a_thousand_files_after_kills_are_byte_identical_to_an_undisturbed_scan(tmp_path):
    toys = helpers()
    right = toys.awkward_folder(tmp_path / "data", toys.a_mark(), 1000)
    calm, stormy = tmp_path / "calm", tmp_path / "stormy"
    started = time.monotonic()
    done = subprocess.run(command(tmp_path / "data", calm, tmp_path / "calm.sqlite"), capture_output=True, check=False)
    whole = time.monotonic() - started
    assert done.returncode == 1, done.stderr.decode()  # some of the files are no images
    moments = random.Random(3)
    for _ in range(4):
        running = subprocess.Popen(command(tmp_path / "data", stormy, tmp_path / "stormy.sqlite"))
        time.sleep(whole * moments.uniform(0.4, 0.95))
        running.kill()
        running.wait()
    again = subprocess.run(
        command(tmp_path / "data", stormy, tmp_path / "stormy.sqlite"), capture_output=True, check=False
    )
    assert again.returncode == 1, again.stderr.decode()
    for name in ("results.json", "samples.parquet", "samples.csv", "heat/index.json"):
        assert (stormy / name).read_bytes() == (calm / name).read_bytes()
    kept = [sorted(file.name for file in (run / "shards").iterdir()) for run in (calm, stormy)]
    assert kept[0] == kept[1] != []  # some samples failed, so shards stay for --retry-failed
    rows = toys_rows(stormy)
    assert len(rows) == len(right)
    assert {row["id"]: row["verdict"] for row in rows} == right


def toys_rows(run):
    import pyarrow.parquet as pq

    return pq.read_table(run / "samples.parquet", columns=["id", "verdict"]).to_pylist()
