import csv
import io
import sys
import types

import pytest

from evalkit.errors import EvalkitError
from evalkit.leaderboard.track import track_runs, write_track
from evalkit.leaderboard.track.send import load_tracker, send_track


@pytest.fixture
def training(runs, noise):
    """Three checkpoints: the second is better than the first, the third level with it."""
    return [
        runs.run("model", noise(step) + gain, folder=f"step-{step}", row={"unit": "dB"})
        for step, gain in ((300, 1.0), (100, 0.0), (200, 1.0))
    ]


def test_checkpoints_stand_by_their_steps_with_paired_changes(training):
    (track,) = track_runs(training, metric="psnr")
    assert [point.step for point in track.points] == [100, 200, 300]
    first, second, third = track.points
    assert first.change is None
    assert second.change.low > 0.8
    assert third.change.low < 0 < third.change.high
    assert [point.maybe_best for point in track.points] == [False, True, True]
    assert "the steps 200 and 300 cannot be separated at 95 % confidence" in track.sentence


def test_steps_can_be_given_and_must_differ(training):
    (track,) = track_runs(training, metric="psnr", steps=[3, 1, 2])
    assert [point.entrant.folder for point in track.points] == ["step-100", "step-200", "step-300"]
    for steps in ([1, 2], [1, 1, 2]):
        with pytest.raises(EvalkitError, match="a different one for each"):
            track_runs(training, metric="psnr", steps=steps)


def test_folders_without_numbers_and_other_metrics_are_one_sentence(training, runs, noise):
    named = [runs.run(name, noise(1), folder=name) for name in ("first", "last")]
    with pytest.raises(EvalkitError, match="give --steps"):
        track_runs(named, metric="psnr")
    with pytest.raises(EvalkitError, match="no two of these runs can be compared in fid"):
        track_runs(training, metric="fid")
    with pytest.raises(EvalkitError, match="at least two checkpoints"):
        track_runs(training[:1], metric="psnr")


def test_the_page_and_the_csv_hold_every_checkpoint(training, tmp_path):
    page = write_track(track_runs(training, metric="psnr"), tmp_path / "out")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out" / "track.csv").read_text())))
    assert [row["step"] for row in rows] == ["100", "200", "300"]
    assert float(rows[1]["low"] or "nan") != 0
    text = page.read_text()
    assert text.count('<tr><th scope="row"') == 3
    assert "<polyline" in text
    assert "http" not in text.replace("http-equiv", "")
    write_track(track_runs(training, metric="psnr"), tmp_path / "out")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine").write_text("")
    with pytest.raises(EvalkitError, match="holds no earlier track"):
        write_track(track_runs(training, metric="psnr"), tmp_path / "other")


def fake(said):
    class Writer:
        def __init__(self, folder):
            said.append(("folder", folder))

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def add_scalar(self, name, value, step):
            said.append((name, value, step))

    run = types.SimpleNamespace(
        log=lambda values, step: said.extend((name, value, step) for name, value in values.items()),
        finish=lambda: said.append("finished"),
    )
    return types.SimpleNamespace(
        init=lambda **given: said.append(given) or run,
        set_experiment=lambda name: said.append(name),
        start_run=lambda: Writer("run"),
        log_metrics=lambda values, step: run.log(values, step),
        SummaryWriter=Writer,
    )


@pytest.mark.parametrize("tracker", ["wandb", "mlflow", "tensorboard"])
def test_every_tracker_gets_every_value_at_its_step(training, tmp_path, tracker):
    tracks, said = track_runs(training, metric="psnr"), []
    words = send_track(tracks, tracker, fake(said), project="p", folder=tmp_path / "events")
    values = [each for each in said if isinstance(each, tuple) and each[0] == "psnr/photos"]
    assert [step for _, _, step in values] == [100, 200, 300]
    assert values[0][1] == tracks[0].points[0].standing.figure.value
    assert tracker in words


def test_a_tracker_that_is_not_installed_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(EvalkitError, match="pip install wandb"):
        load_tracker("wandb")
