"""Views along a path: consistent where they move as their cameras do, and not where they do otherwise."""

import json

import numpy as np
import pytest
from helpers.resealed import resealed
from PIL import Image
from scipy.ndimage import gaussian_filter

import evalkit
from evalkit.errors import EvalkitError
from evalkit.jobs.options import RunOptions
from evalkit.metrics.tsed import TSED
from evalkit.provenance.verify import verify_run
from evalkit.tasks.views import run as views_run
from evalkit.tasks.views.cameras import read_cameras

INTRINSICS = [[100, 0, 48], [0, 100, 48], [0, 0, 1]]


def lines(path, rows):
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def aside(id, step):
    return {"id": id, "intrinsics": INTRINSICS, "pose": [[1, 0, 0, step], [0, 1, 0, 0], [0, 0, 1, 0]]}


@pytest.fixture
def views(tmp_path):
    """Two sequences of three views of a wall; the second one's last view slips down where its camera goes aside."""
    noise = gaussian_filter(np.random.default_rng(0).normal(size=(150, 150)), 1.5)
    wall = np.repeat(np.clip(128 + 300 * noise, 0, 255).astype(np.uint8)[:, :, None], 3, 2)
    for name, corners in {"a": [(0, 0), (0, 8), (0, 16)], "b": [(4, 0), (4, 8), (14, 16)]}.items():
        (tmp_path / "views" / name).mkdir(parents=True)
        for i, (top, left) in enumerate(corners):
            Image.fromarray(wall[top : top + 96, left : left + 96]).save(tmp_path / "views" / name / f"{i}.png")
    return tmp_path / "views"


@pytest.fixture
def cameras(tmp_path):
    return lines(tmp_path / "path.jsonl", [aside(f"{name}/{i}", -i / 5) for name in "ab" for i in range(3)])


def scored(views, cameras, out):
    return evalkit.score(views, cameras=cameras, options=RunOptions(out=out, device="cpu"))


def test_pairs_that_move_as_their_cameras_are_consistent(views, cameras, tmp_path, monkeypatch):
    monkeypatch.setattr(views_run, "SHARD", 2)  # a pair reaches over the end of a shard
    run = scored(views, cameras, tmp_path / "run")
    assert run.samples["next"].to_pylist() == ["a/1.png", "a/2.png", None, "b/1.png", "b/2.png", None]
    assert run.samples[TSED.name].to_pylist() == [1, 1, None, 1, 0, None]
    assert run.samples["median_distance"][4].as_py() == pytest.approx(10, abs=0.5)
    row = run.results[0]
    assert (row["metric"], row["value"], row["n"]) == (TSED.name, 0.75, 4)
    assert run.record["reference"]["n"] == 6
    assert verify_run(run.path).failures == ()
    record = json.loads((run.path / "results.json").read_text())
    monkeypatch.undo()
    whole = scored(views, cameras, tmp_path / "again")
    assert json.loads((whole.path / "results.json").read_text()) == record


def test_a_changed_value_is_found(views, cameras, tmp_path):
    run = scored(views, cameras, tmp_path / "run")
    path = run.path / "results.json"
    path.write_text(path.read_text().replace("0.75", "0.95"))
    assert any(TSED.name in str(each) for each in verify_run(resealed(run.path)).failures)


def test_what_has_no_camera_or_does_not_move_is_counted(views, tmp_path):
    cameras = lines(tmp_path / "c.jsonl", [aside("a/0", 0), aside("a/1", 0), aside("b/1", 0), aside("b/2.png", -1)])
    run = scored(views, cameras, tmp_path / "run")
    errors = run.samples["error"].to_pylist()
    assert errors[:2] == ["its camera is where the next one is", "it or the next view has no camera"]
    assert (run.results[0]["n"], run.results[1]["value"]) == (1, 3)


@pytest.mark.parametrize(
    "change", [{"id": 3}, {"pose": [[1]]}, {"intrinsics": "x"}, {"pose": [[2, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]}]
)
def test_a_wrong_line_is_named(tmp_path, change):
    with pytest.raises(EvalkitError, match=r"line 1 of .* is no camera"):
        read_cameras(lines(tmp_path / "x.jsonl", [{**aside("a", 0), **change}]))


def test_files_and_options_that_do_not_fit_are_refused(views, cameras, tmp_path):
    with pytest.raises(EvalkitError, match="is not there"):
        read_cameras(tmp_path / "nowhere.jsonl")
    with pytest.raises(EvalkitError, match="twice"):
        read_cameras(lines(tmp_path / "x.jsonl", [aside("a", 0)] * 2))
    with pytest.raises(EvalkitError, match="no view of views has a camera"):
        scored(views, lines(tmp_path / "y.jsonl", [aside("z", 0)]), tmp_path / "run")
    with pytest.raises(EvalkitError, match="tsed alone"):
        evalkit.score(views, cameras=cameras, metrics=["fid"])
