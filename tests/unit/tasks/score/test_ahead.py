"""Generated images that are looked at while they are in memory: a scoring reads no file, and finds the same."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import evalkit
from evalkit.cli import group
from evalkit.errors import EvalkitError, WeightsError
from evalkit.jobs.options import RunOptions
from evalkit.tasks.generate import generate_images
from evalkit.tasks.score import ahead, task, worker

METRICS = ["fid", "is"]
PROMPTS = "text:a photo of a red apple"


@pytest.fixture(autouse=True)
def network(colours, monkeypatch):
    """The FID network is one that costs nothing; its weights are found."""
    monkeypatch.setattr(ahead, "SetEncoder", task.SetEncoder)
    monkeypatch.setattr("evalkit.tasks.score.spec.find_weights", lambda name, given: Path(colours[0].partition("=")[2]))


@pytest.fixture
def read(monkeypatch):
    """The sides of images that a scoring reads, one entry a batch."""
    sides, plain = [], worker.ScoreWorker._batches

    def heard(self, side, start, stop):
        sides.append(side)
        yield from plain(self, side, start, stop)

    monkeypatch.setattr(worker.ScoreWorker, "_batches", heard)
    return sides


def made(out, **given):
    return generate_images("world-ar", PROMPTS, samples=3, options=RunOptions(out=out, device="cpu"), **given)


def scored(images, real, out, **given):
    return evalkit.score(images, real, metrics=METRICS, options=RunOptions(out=out, device="cpu"), **given)


def test_images_that_were_looked_at_when_they_were_made_are_not_read_and_score_the_same(sets, tmp_path, read):
    run = made(tmp_path / "drawn", score_ahead=METRICS)
    found = scored(run.path, sets[1], tmp_path / "found")
    assert read == ["reference"]
    assert found.record["recalled"] == {"images": 3}
    plain = scored(run.path, sets[1], tmp_path / "plain", cache=False)
    assert read == ["reference", "images", "reference"]
    for file in ("results.json", "samples.parquet", "statistics/images-2048.npz"):
        assert (found.path / file).read_bytes() == (plain.path / file).read_bytes()


def test_looking_ahead_changes_nothing_of_the_images_run_but_its_timers(tmp_path):
    run, plain = made(tmp_path / "a", score_ahead=METRICS), made(tmp_path / "b")
    assert run.samples.equals(plain.samples)
    assert run.record["plan"] == plain.record["plan"]
    assert "features" in run.record["timings"]["seconds"]
    assert "features" not in plain.record["timings"]["seconds"]


def test_another_protocol_finds_nothing_and_reads(sets, tmp_path, read):
    run = made(tmp_path / "drawn", score_ahead=["fid"], score_protocol="torch-fidelity")
    assert scored(run.path, sets[1], tmp_path / "found").record["recalled"] == {}
    assert read == ["images", "reference"]


def test_metrics_of_more_than_images_and_networks_without_weights_are_refused_before_any_image(tmp_path, monkeypatch):
    with pytest.raises(EvalkitError, match="clipscore looks at more than single images"):
        made(tmp_path / "a", score_ahead=["clipscore"])
    with pytest.raises(EvalkitError, match="fvd"):
        made(tmp_path / "a", score_ahead=["fvd"])

    def lost(name, given):
        raise WeightsError("no weights here")

    monkeypatch.setattr("evalkit.tasks.score.spec.find_weights", lost)
    with pytest.raises(EvalkitError, match="no weights here"):
        made(tmp_path / "a", score_ahead=["fid"])
    assert not (tmp_path / "a").exists()


def test_an_image_without_memory_is_left_to_the_scoring(tmp_path, monkeypatch):
    def full(self, images):
        if len(images) > 1 or images.shape[-1] > 24:
            raise MemoryError
        return plain(self, images)

    plain = task.SetEncoder.__call__
    monkeypatch.setattr(task.SetEncoder, "__call__", full)
    look = ahead.LookAhead(ahead.looking(METRICS, "evalkit-1"), "cpu")
    small, large = np.zeros((24, 24, 3), np.uint8), np.zeros((24, 48, 3), np.uint8)
    look([("1" * 64, small), ("2" * 64, large), ("3" * 64, small)])
    assert set(look._kept.get(["1" * 64, "2" * 64, "3" * 64])) == {"1" * 64, "3" * 64}


def test_the_command_takes_the_metrics(tmp_path):
    words = ["generate", "-m", "world-ar", "-p", PROMPTS, "--device", "cpu", "--out", str(tmp_path / "run")]
    done = CliRunner().invoke(group, [*words, "--score-ahead", "fid,is"])
    assert done.exit_code == 0, done.output
    assert "features" in evalkit.read_run(tmp_path / "run").record["timings"]["seconds"]
