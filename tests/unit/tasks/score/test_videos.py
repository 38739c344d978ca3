"""FVD through the verb: clips of frames, protocols, statistics as a reference."""

import numpy as np
import pytest
from PIL import Image

import evalkit
from evalkit.errors import EvalkitError, WeightsError
from evalkit.jobs.options import RunOptions
from evalkit.metrics.frechet import frechet_distance
from evalkit.metrics.fvd import FVD, I3D
from evalkit.metrics.moments import features_to_statistics
from evalkit.protocols.score import load_score_protocol
from evalkit.provenance.verify import verify_run
from evalkit.tasks.score import task as score_task

FRAMES = 16


def folder_of(path, n, seed):
    rng = np.random.default_rng(seed)
    for video in range(n):
        (path / f"{video:02d}").mkdir(parents=True)
        level = rng.uniform(60, 180)
        for i in range(FRAMES + video % 2):
            pixels = np.clip(rng.normal(level + 2 * i, 20, (8, 8, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(path / f"{video:02d}" / f"{i:04d}.png")
    return path


class Motion:
    """Stands for I3D: how bright a clip is, and how that changes."""

    def __init__(self, heads, protocol, *, device="auto", weights=None):
        assert tuple(heads) == (I3D,)

    def put_away(self):
        pass

    def __call__(self, clips):
        assert clips.shape[1:3] == (FRAMES, 3)
        x = clips.double().mean((2, 3, 4))
        return {I3D: np.stack([x.mean(1), x[:, -1] - x[:, 0], x.std(1)], 1).astype(np.float32)}


@pytest.fixture
def videos(tmp_path, monkeypatch):
    monkeypatch.setattr(score_task, "SetEncoder", Motion)
    weights = tmp_path / "weights" / "i3d_pretrained_400.pt"
    weights.parent.mkdir()
    weights.write_bytes(b"weights")
    return folder_of(tmp_path / "made", 7, 0), folder_of(tmp_path / "real", 6, 1), (f"{I3D}={weights}",)


def run_of(out, images, reference, weights=(), **given):
    options = RunOptions(out=out, device="cpu", weights=weights)
    return evalkit.score(images, reference, options=options, **{"protocol": "stylegan-v", "cache": False, **given})


def test_fvd_is_the_frechet_distance_of_clips(videos, tmp_path):
    made, real, weights = videos
    run = run_of(tmp_path / "run", made, real, weights)
    row = run.results[0]
    assert (row["metric"], row["n"], row["protocol"]) == (FVD.name, 7, "stylegan-v")
    sides = [np.load(run.path / "statistics" / f"{side}-{I3D}.npz")["features"] for side in ("images", "reference")]
    assert row["value"] == pytest.approx(frechet_distance(*map(features_to_statistics, sides)), rel=1e-9)
    assert row["low"] <= row["value"] <= row["high"]
    assert run.samples.num_rows == 13
    assert verify_run(run.path).failures == ()
    assert (run.path / "images" / "farthest-00.png").exists()


def test_statistics_of_videos_are_a_reference_under_their_own_protocol_only(videos, tmp_path):
    made, real, weights = videos
    direct = run_of(tmp_path / "a", made, real, weights).results[0]["value"]
    run_of(tmp_path / "c", real, None, weights, statistics=tmp_path / "real.npz")
    stored = run_of(tmp_path / "b", made, tmp_path / "real.npz", weights)
    assert stored.results[0]["value"] == pytest.approx(direct, rel=1e-9)
    with pytest.raises(EvalkitError, match="made with protocol stylegan-v"):
        run_of(tmp_path / "d", made, tmp_path / "real.npz", weights, protocol="videogpt")


def test_without_weights_fvd_says_which_file_is_missing(videos, tmp_path, monkeypatch):
    monkeypatch.setenv("EVALKIT_OFFLINE", "1")
    with pytest.raises(WeightsError, match=r"i3d_pretrained_400\.pt.*--weights i3d-kinetics400=PATH$"):
        run_of(tmp_path / "run", videos[0], videos[1])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"protocol": "evalkit-1", "metrics": ["fvd"]}, "stylegan-v or videogpt"),
        ({"metrics": ["fid"]}, "does not define fid"),
        ({"metrics": ["aesthetic_v2"]}, "looks at images, and stylegan-v at videos"),
    ],
)
def test_images_and_videos_have_protocols_of_their_own(videos, tmp_path, given, words):
    with pytest.raises(EvalkitError, match=words):
        run_of(tmp_path / "run", *videos, **given)


def test_protocols_of_images_keep_their_digests():
    assert load_score_protocol("adm").sha256 == "0c40f188f8aa04347c729f74b21006b14a58aa3098f64066ec529309d275cbd9"
    assert "clips" not in load_score_protocol("clean").as_dict()
    assert load_score_protocol("videogpt").as_dict()["clips"] == {"frames": 16, "eps": 1e-5}
