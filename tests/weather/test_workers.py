"""Workers in bad weather: what dies, hangs, talks rubbish or sends broken images costs itself; runs go on and end alike."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from evalkit.jobs.options import RunOptions
from evalkit.runs.store import read_run
from evalkit.tasks.generate import generate_images

WORKER = """
import base64, io, json, os, sys, time
from PIL import Image
state = sys.argv[1]
for line in sys.stdin:
    request = json.loads(line)
    what = request["prompt"].split()[0] if os.path.exists(os.path.join(state, "storm")) else "fine"
    if what == "die":
        print("out of memory", file=sys.stderr, flush=True)
        os._exit(3)
    if what == "hang":
        time.sleep(60)
    if what == "rubbish":
        print("{]", flush=True)
        print(json.dumps([request["id"]]), flush=True)
        print(json.dumps({"id": request["id"], "image_base64": "?"}), flush=True)
        continue
    if what == "broken":
        print(json.dumps({"id": request["id"], "image_base64": base64.b64encode(b"no image").decode()}), flush=True)
        continue
    time.sleep(float(sys.argv[2]))
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (request["seed"] % 256, 1, 2)).save(buffer, "PNG")
    print(json.dumps({"id": request["id"], "image_base64": base64.b64encode(buffer.getvalue()).decode()}), flush=True)
"""
CALL = "from evalkit.cli import main; main()"
PROMPTS = ["fine 1", "die", "fine 2", "hang", "rubbish", "fine 3", "broken", "fine 4"]


@pytest.fixture
def place(tmp_path):
    (tmp_path / "worker.py").write_text(WORKER)
    (tmp_path / "state").mkdir()
    (tmp_path / "p.txt").write_text("\n".join(PROMPTS))
    (tmp_path / "many.txt").write_text("\n".join(f"fine {i}" for i in range(40)))
    return tmp_path


def model(place: Path, pause: float = 0.0) -> str:
    return f"command:{sys.executable} {place}/worker.py {place}/state {pause}"


def files(run):
    kept = [run.path / "samples.parquet", run.path / "results.json", *sorted((run.path / "images").iterdir())]
    return [path.read_bytes() for path in kept]


def test_what_fails_is_listed_costs_itself_and_is_asked_again_on_demand(place):
    calm = generate_images(model(place), place / "p.txt", options=RunOptions(out=place / "calm"))
    (place / "state" / "storm").touch()
    options = RunOptions(out=place / "run")
    run = generate_images(model(place), place / "p.txt", timeout=1.0, options=options)
    errors = {row["prompt"]: row["error"] for row in run.samples.to_pylist()}
    assert [prompt for prompt, error in errors.items() if error] == ["die", "hang", "rubbish", "broken"]
    assert "ended with code 3; its last words: out of memory" in errors["die"]
    assert "no image within 1 s" in errors["hang"]
    assert "no base64" in errors["rubbish"]
    assert errors["broken"]
    assert "out of memory" in (run.path / "worker.log").read_text()
    assert {row["metric"]: row["value"] for row in run.results} == {"images_made": 4, "images_failed": 4}
    (place / "state" / "storm").unlink()
    options = replace(options, retry_failed=True)
    assert files(generate_images(model(place), place / "p.txt", timeout=1.0, options=options)) == files(calm)


def test_a_killed_run_goes_on_where_it_was_and_ends_with_the_same_bytes(place):
    calm = generate_images(model(place, 0.05), place / "many.txt", options=RunOptions(out=place / "calm"))
    command = [sys.executable, "-c", CALL, "generate", "-m", model(place, 0.05), "-p", str(place / "many.txt")]
    killed = subprocess.Popen([*command, "--out", str(place / "run")], stderr=subprocess.DEVNULL)
    shards = place / "run" / "shards"
    end = time.monotonic() + 60
    while not (shards.is_dir() and any(shards.iterdir())) and time.monotonic() < end:
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not (place / "run" / "record.json").exists()
    done = subprocess.run([*command, "--out", str(place / "run"), "--json"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["images"] == 40
    assert files(read_run(place / "run")) == files(calm)
