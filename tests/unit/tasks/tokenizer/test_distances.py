"""Further feature extractors and FID∞ in an evaluation: named in the plan, measured beside the protocol's, never replaced."""

from functools import partial

import numpy as np
import pytest
import torch
from helpers.near import same

from evalkit.encoders.features.dinov2 import DinoFeatures
from evalkit.encoders.features.style import CSD, ONEIG
from evalkit.encoders.features.vit_dinov2 import DinoSize, DinoV2
from evalkit.encoders.registry import ENCODERS, Entry, encoder_names, load_extractor
from evalkit.errors import EvalkitError
from evalkit.images import open_images
from evalkit.jobs.options import RunOptions
from evalkit.metrics.fid_infinity import fid_infinity
from evalkit.metrics.frechet import frechet_distance
from evalkit.metrics.moments import load_moments
from evalkit.protocols import load_protocol, protocol_ids
from evalkit.tasks.tokenizer import evaluate_tokenizer
from evalkit.tasks.tokenizer.distances import INFINITE, distances
from evalkit.tasks.tokenizer.evaluators import Evaluators

TINY = DinoSize(width=8, layers=1, heads=2, patch=14, positions=2, registers=0, size=28, antialias=False, offset=0.1)


@pytest.fixture(autouse=True)
def _tiny(monkeypatch, tmp_path):
    """A small DINOv2 stands in for two extractors, under files of their official names."""
    monkeypatch.setenv("EVALKIT_OFFLINE", "1")
    monkeypatch.setenv("EVALKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("EVALKIT_WEIGHTS", str(tmp_path / "weights"))
    generator = torch.Generator().manual_seed(0)
    state = {k: 0.5 * torch.randn(v.shape, generator=generator) for k, v in DinoV2(TINY).state_dict().items()}
    (tmp_path / "weights").mkdir()
    torch.save(state, tmp_path / "weights" / "dinov2_vits14_pretrain.pth")
    make = partial(DinoFeatures, name="dinov2-vits14", size=TINY)
    for name in ("efflite0", "dinov2-vits14"):
        ENCODERS.get(name)  # imports the module that would register it
        monkeypatch.setitem(ENCODERS._items, name, Entry(name, "features", make))


@pytest.fixture
def photos(tmp_path):
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (160, 8, 8, 3)).astype(np.uint8)
    np.savez(tmp_path / "set.npz", arr_0=coarse.repeat(4, 1).repeat(4, 2))
    return tmp_path / "set.npz"


def evaluate(photos, out, **given):
    (run,) = evaluate_tokenizer("jpeg-q10", photos, size=32, options=RunOptions(out=out, keep="none"), **given)
    return run, {row["metric"]: row for row in run.results}


def test_further_features_are_measured_named_and_kept(photos, tmp_path):
    run, found = evaluate(
        photos, tmp_path / "r", tasks=["distribution"], features=["dinov2-vits14", "clip-vitl14", "efflite0"]
    )
    assert list(found) == ["fid", "fd_efflite0", "fd_dinov2_vits14", "fd_clip"]
    assert found["fd_clip"]["status"] == "unavailable"
    assert "vit_large_patch14_clip_336.openai" in found["fd_clip"]["reason"]
    row = found["fd_dinov2_vits14"]
    assert row["low"] < row["value"] < row["high"]
    assert row["n"] == 160
    kept = load_moments(run.path / "statistics" / "evalkit-1-fd_dinov2_vits14.npz")
    assert frechet_distance(kept["original"], kept["reconstruction"]) == pytest.approx(row["value"], rel=1e-6)
    plan = run.record["plan"]["parameters"]["evaluators"]
    assert plan["dinov2-vits14"] == load_extractor("dinov2-vits14", device="cpu").weights_sha256
    assert plan["clip-vitl14"] == "unavailable"


def test_without_features_nothing_but_the_protocols_own_is_loaded(photos, tmp_path):
    run, found = evaluate(photos, tmp_path / "r", tasks=["distribution"])
    assert list(found) == ["fid", "fd_efflite0"]
    assert set(run.record["plan"]["parameters"]["evaluators"]) == {"inception-v3-fid", "efflite0"}


def test_further_features_take_their_own_way_to_their_size_under_every_protocol(photos):
    protocol = load_protocol("vtbench-2025")
    assert protocol.distribution.resize == "bilinear-antialias"
    judges = Evaluators([protocol], frozenset({"distribution"}), "cpu", ("dinov2-vits14",))
    assert judges.extractors_of(protocol)[-1] == "dinov2-vits14"

    class Pair:
        def __init__(self, image):
            self.original = self.reconstruction = image

    class Timers:
        def __call__(self, stage):
            return torch.no_grad()

    images = [sample.image for sample in open_images(photos).read(0, 3)]
    got = {name: x for name, x, _ in judges.features(protocol, [Pair(i) for i in images], Timers())}
    stacked = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
    wanted = load_extractor("dinov2-vits14", device="cpu").features(stacked)
    same(torch.from_numpy(got["dinov2-vits14"]), wanted)


def test_fid_infinity_is_a_task_of_its_own(photos, tmp_path):
    run, found = evaluate(photos, tmp_path / "r", tasks=["fid-infinity"])
    assert list(found) == ["fid_infinity", "fd_efflite0_infinity"]
    assert {row["task"] for row in run.results} == {"fid-infinity"}
    assert found["fid_infinity"]["status"] == "unavailable"
    row = found["fd_efflite0_infinity"]
    assert row["low"] < row["value"] < row["high"]
    assert "15 sub-samples of 20 to 160 pairs" in row["ci_method"]
    assert not (run.path / "statistics").exists()
    plain = evaluate(photos, tmp_path / "p", tasks=["distribution"])[1]["fd_efflite0"]
    assert row["value"] < plain["value"]


def test_fid_infinity_says_when_there_are_too_few_images(photos, tmp_path):
    options = RunOptions(out=tmp_path / "r", keep="none", limit=40)
    (run,) = evaluate_tokenizer("jpeg-q10", photos, size=32, tasks=["fid-infinity"], options=options)
    row = run.results[1]
    assert (row["status"], row["value"]) == ("unavailable", None)
    assert "40 could be scored" in row["reason"]


def test_no_readable_image_gives_reasons_for_every_distance(tmp_path):
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"\x89PNG")
    run, found = evaluate(folder, tmp_path / "r", tasks=["distribution", "fid-infinity"], features=["dinov2-vits14"])
    assert {row["status"] for row in run.results} == {"unavailable"}
    assert found["fd_efflite0_infinity"]["reason"] == "no image could be scored"
    assert "at least 2 images" in found["fd_dinov2_vits14"]["reason"]


def test_wrong_features_are_refused_before_any_work(photos, tmp_path):
    with pytest.raises(EvalkitError, match="did you mean dinov2"):
        evaluate(photos, tmp_path / "r", features=["dinov2"])
    with pytest.raises(EvalkitError, match="add distribution to the tasks"):
        evaluate(photos, tmp_path / "r", tasks=["codes"], features=["clip-vitb32"])
    assert not (tmp_path / "r").exists()


def test_every_extractor_has_a_distance_and_every_protocols_an_extrapolation():
    assert set(encoder_names("features")) - {CSD, ONEIG} == set(distances())
    for id in protocol_ids():
        assert set(load_protocol(id).distribution.extractors) <= set(distances(INFINITE))


def test_the_extrapolation_of_a_run_is_that_of_its_features(photos, tmp_path):
    _, found = evaluate(photos, tmp_path / "r", tasks=["fid-infinity"])
    extractor = load_extractor("efflite0", device="cpu")
    kept = []
    from evalkit.tasks.tokenizer.pixels import feed_of, scored_reconstructions
    from evalkit.tasks.tokenizer.upload import to_batch
    from evalkit.tokenizers.registry import load_tokenizer

    model = load_tokenizer("jpeg-q10", None, "cpu", "float32")
    feed = feed_of(load_protocol("evalkit-1"), model, 32)
    for sample in open_images(photos).read(0, 160):
        (again,) = scored_reconstructions(model.decode(model.encode(to_batch([sample.image], feed))), feed)
        pair = torch.from_numpy(np.stack([sample.image, again])).permute(0, 3, 1, 2)
        kept.append(extractor.features(pair).numpy())
    x, y = (np.stack([each[i] for each in kept]) for i in (0, 1))
    assert fid_infinity(lambda: [(x, y)]).value == pytest.approx(found["fd_efflite0_infinity"]["value"], rel=1e-3)
