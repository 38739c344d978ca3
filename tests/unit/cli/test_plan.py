import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from evalkit.cli import plan as module
from evalkit.cli.plan import plan
from evalkit.errors import EvalkitError
from evalkit.jobs.forecast import Pilot


@pytest.fixture
def pilots(monkeypatch):
    """Runs that cost nothing, of data with 100 images."""
    asked = []

    def made(command, limit, out):
        n = min(limit, 100)
        asked.append(limit)
        return Pilot(n, 1.0 + n, {"read": 0.5 * n, "model": 0.5 * n}, 10**8, 100 * n)

    monkeypatch.setattr(module, "measured", made)
    return asked


def run(*words):
    return CliRunner().invoke(plan, words, catch_exceptions=False)


def test_a_command_is_measured_on_few_images_and_forecast_at_many(pilots):
    said = json.loads(run("--json", "--seconds", "40", "tokenizer", "--model", "jpeg-q75").output)
    assert pilots == [1, 16, 48]
    assert [each["n"] for each in said["forecast"]] == [10**4, 10**6, 10**8]
    assert said["forecast"][0]["seconds"] == pytest.approx(1 + 10**4)
    shown = run("--size", "50000", "tokenizer", "--model", "jpeg-q75").output
    assert "50,000" in shown
    assert "13.9 h" in shown


def test_what_is_uncertain_is_said(pilots, monkeypatch):
    words = ("--seconds", "3600", "tokenizer", "--model", "jpeg-q75")
    monkeypatch.setattr(module, "_load", lambda: 99.0)
    said = json.loads(run("--json", *words).output)["uncertain"]
    assert (said["share_of_time"], said["load"]) == (0.0, 99.0)
    shown = run(*words).output
    assert "uncertain: the time, by about 1%" in shown
    assert "100,000,000 images are 1,000,000 times the largest pilot" in shown
    assert "others used this machine (load 99" in shown
    monkeypatch.setattr(module, "_load", lambda: None)
    assert "for want of a third pilot" in run("--seconds", "10", "tokenizer", "--model", "jpeg-q75").output


def test_pilots_stop_where_the_data_ends(pilots):
    said = json.loads(run("--json", "--seconds", "3600", "score", "--images", "A").output)
    assert [each["n"] for each in said["pilots"]] == [16, 48, 100]


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (("tokenizer", "--limit", "3"), "Leave them out"),
        (("tokenizer", "--out=x"), "Leave them out"),
        (("verify", "RUN"), "no cost of 'verify'"),
        (("--rate", "features", "score"), "STAGE=IMAGES_PER_SECOND"),
    ],
)
def test_what_cannot_be_planned_is_a_sentence(pilots, words, match):
    with pytest.raises(EvalkitError, match=match):
        run(*words)


def test_memory_of_a_pilot_is_its_own(tmp_path):
    script = """
import sys
from pathlib import Path
from evalkit.cli.plan import measured
held = b"x" * (700 * 2**20)
words = ["tokenizer", "-m", "jpeg-q75", "--data", "sample/photos", "--keep", "none", "--device", "cpu"]
print(measured([*words, "--tasks", "reconstruction"], 1, Path(sys.argv[1]) / "1").memory)
"""
    words = [sys.executable, "-c", script, str(tmp_path)]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert 50 < int(said) / 2**20 < 600


def test_images_are_counted_by_what_was_made_where_prompts_are_few():
    record = {"plan": {"inputs": {"prompts": {"n": 3}}, "parameters": {"n": 12}}}
    assert module._images(record, 48) == 12
    assert module._images({"plan": {"inputs": {"data": {"n": 30}}, "parameters": {}}}, 48) == 30


def test_no_pilot_knows_what_another_one_or_the_user_saw(tmp_path, monkeypatch):
    given = []

    def begun(words, **more):
        given.append(more["env"])
        raise KeyboardInterrupt

    monkeypatch.setattr(module.subprocess, "Popen", begun)
    for n in (16, 48):
        with pytest.raises(KeyboardInterrupt):
            module.measured(("score",), n, tmp_path / str(n))
    assert len({each["EVALKIT_KEPT"] for each in given}) == 2
    assert not any(each["EVALKIT_EVIDENCE"] for each in given)


@pytest.mark.slow
def test_forecasts_of_three_sizes_agree_with_real_runs(tmp_path, monkeypatch):
    from PIL import Image

    from evalkit.images import open_images

    data = tmp_path / "data"
    data.mkdir()
    photos = [each.image for each in open_images("sample/photos").read(0, 6)]
    for number in range(240):
        Image.fromarray(photos[number % 6][number % 7 : 200, : 200 + number % 5]).save(data / f"{number:04d}.jpg")
    command = ("tokenizer", "--model", "jpeg-q75", "--data", str(data), "--tasks", "reconstruction,distribution")
    sizes = ("--size", "80", "--size", "160", "--size", "240")
    said = json.loads(run("--json", "--seconds", "5", *sizes, *command).output)
    for each in said["forecast"]:
        real = module.measured(command, each["n"], tmp_path / f"real-{each['n']}")
        assert each["cpu_hours"] * 3600 == pytest.approx(real.cpu, rel=0.25)
        assert each["memory"] == pytest.approx(real.memory, rel=0.25)
        assert each["disk"] == pytest.approx(real.disk, rel=0.25)
        if os.getloadavg()[0] < 1.5 * (os.cpu_count() or 1):  # others would lengthen one and not the other
            assert each["seconds"] == pytest.approx(real.wall, rel=0.25)
        print(each["n"], "wall", each["seconds"], real.wall, "cpu", each["cpu_hours"] * 3600, real.cpu)
