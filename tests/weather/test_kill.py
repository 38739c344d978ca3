"""kill -9 at any moment, then the same command: the sealed files are those of an undisturbed run."""

import random
import subprocess
import sys
import time

import numpy as np
import pytest

COMMAND = [sys.executable, "-c", "from evalkit.cli import main; main()", "tokenizer", "-m", "jpeg-lm", "--json"]


def command(data, out):
    return [*COMMAND, "--tasks", "reconstruction,codes", "--data", str(data), "--out", str(out)]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    pixels = np.random.default_rng(0).integers(0, 256, (192, 8, 8, 3), dtype=np.uint8).repeat(16, 1).repeat(16, 2)
    path = tmp_path_factory.mktemp("data") / "set.npz"
    np.savez(path, pixels)
    return path


def test_results_after_several_kills_are_byte_identical_to_an_undisturbed_run(data, tmp_path):
    calm, stormy = tmp_path / "calm", tmp_path / "stormy"
    started = time.monotonic()
    subprocess.run(command(data, calm), check=True, capture_output=True)
    whole = time.monotonic() - started
    moments = random.Random(7)
    for _ in range(2):
        running = subprocess.Popen(command(data, stormy), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(whole * moments.uniform(0.5, 0.95))
        running.kill()
        running.wait()
    subprocess.run(command(data, stormy), check=True, capture_output=True)
    for name in ("results.json", "samples.parquet"):
        assert (stormy / name).read_bytes() == (calm / name).read_bytes()
    assert not (stormy / "shards").exists()
    assert (stormy / "report.html").exists()


def test_a_kill_between_shards_keeps_the_finished_ones(data, tmp_path):
    out = tmp_path / "run"
    running = subprocess.Popen(command(data, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    shards = out / "shards"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (shards / "000001").exists() and running.poll() is None:
        time.sleep(0.01)
    running.kill()
    running.wait()
    if not shards.exists():
        pytest.skip("this machine finished the run before it could be killed")
    kept = {path.name: path.stat().st_mtime_ns for path in shards.glob("0*")}
    assert "000000" in kept
    again = subprocess.run(command(data, out), check=True, capture_output=True, text=True)
    assert '"n": 192' in again.stdout
