import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from evalkit.errors import EvalkitError
from evalkit.jobs.options import RunOptions
from evalkit.metrics.psnr import mse, psnr
from evalkit.tasks.tokenizer import evaluate_tokenizer
from evalkit.tasks.tokenizer.native import cut, policy_of, policy_text
from evalkit.tokenizers.base import Codes, Tokenizer
from evalkit.tokenizers.registry import TOKENIZERS, Entry


class Exact(Tokenizer):
    """Keeps every pixel in its latent; takes any multiple of 16, or squares of 32 only."""

    name, multiple, native_size = "exact", 16, 32

    def __init__(self, name="exact", config=False):
        self.fixed_size = bool(config)

    def encode(self, images):
        self.check_size(*images.shape[2:])
        return Codes(latent=images)

    def decode(self, codes, *, seed=0, noise=None):
        return codes.values

    def tokens_per_image(self, height, width):
        return None


class Darker(Exact):
    """Halves every value, so that a reconstruction is not its original."""

    name = "darker"

    def decode(self, codes, *, seed=0, noise=None):
        return codes.values / 2


def photo(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@given(st.integers(1, 90), st.integers(1, 90), st.booleans())
def test_cutting_and_joining_gives_the_image_back(height, width, fixed):
    model, image = Exact(config=fixed), photo(height, width)
    pieces = cut(image, model)
    for piece in pieces.pieces:
        model.check_size(*piece.shape[:2])
    joined = pieces.join([torch.from_numpy(piece).permute(2, 0, 1) for piece in pieces.pieces])
    assert np.array_equal(joined.permute(1, 2, 0).numpy(), image)


@pytest.mark.parametrize("fixed", [False, True])
def test_what_is_scored_and_kept_is_the_reconstruction_joined_from_its_pieces(tmp_path, monkeypatch, fixed):
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("EVALKIT_OFFLINE", "1")
    monkeypatch.setitem(TOKENIZERS._items, "darker", Entry("darker", Darker, fixed, None))
    even = photo(50, 90) // 2 * 2
    Image.fromarray(even).save(tmp_path / "data" / "a.png")
    options = RunOptions(out=tmp_path / "run", keep="all")
    (run,) = evaluate_tokenizer(
        "darker", tmp_path / "data", tasks=["reconstruction"], native_resolution=True, options=options
    )
    (row,) = run.samples.to_pylist()
    assert row["mse"] == pytest.approx(float(((even / 510) ** 2).mean()), rel=1e-5)
    (kept,) = run.images
    assert np.array_equal(np.asarray(Image.open(run.path / kept["reconstruction"])), even // 2)


def test_the_policy_follows_what_the_model_takes_and_is_said():
    assert policy_of(Exact()) == "pad"
    assert "multiples of 16 px" in policy_text(Exact())
    assert policy_of(Exact(config=True)) == "tiles"
    assert "tiles of 32 px" in policy_text(Exact(config=True))


@pytest.mark.parametrize("fixed", [False, True])
def test_images_of_several_sizes_are_scored_at_their_own(tmp_path, monkeypatch, fixed):
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("EVALKIT_OFFLINE", "1")
    monkeypatch.setitem(TOKENIZERS._items, "exact", Entry("exact", Exact, fixed, None))
    sizes = {"a": (50, 90), "b": (70, 40), "tiny": (20, 60), "c": (50, 90)}
    for number, (name, (height, width)) in enumerate(sizes.items()):
        Image.fromarray(photo(height, width, number)).save(tmp_path / "data" / f"{name}.png")
    options = RunOptions(out=tmp_path / "run", keep="all")
    (run,) = evaluate_tokenizer(
        "exact", tmp_path / "data", tasks=["reconstruction", "distribution"], native_resolution=True, options=options
    )
    rows = {row["id"]: row for row in run.samples.to_pylist()}
    assert "below 32 px" in rows["tiny.png"]["error"]
    assert all(rows[f"{name}.png"]["mse"] == 0 for name in "abc")
    assert run.record["protocols"][0]["side"] == policy_text(Exact(config=fixed))
    kept = {entry["id"]: Image.open(run.path / entry["reconstruction"]).size for entry in run.images}
    assert kept == {"a.png": (90, 50), "b.png": (40, 70), "c.png": (90, 50)}
    assert "own size" in (run.path / "report.html").read_text(encoding="utf-8")


def test_a_codec_keeps_the_quality_of_whole_images(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("EVALKIT_OFFLINE", "1")
    image = np.kron(photo(10, 14), np.ones((9, 9, 1), np.uint8))
    Image.fromarray(image).save(tmp_path / "data" / "a.png")
    options = RunOptions(out=tmp_path / "run", keep="none")
    (run,) = evaluate_tokenizer(
        "jpeg-q75", tmp_path / "data", tasks=["reconstruction"], native_resolution=True, options=options
    )
    Image.fromarray(image).save(tmp_path / "b.jpg", quality=75)
    direct = psnr(mse(image, np.asarray(Image.open(tmp_path / "b.jpg"))))
    assert run.samples["psnr"][0].as_py() == pytest.approx(direct, abs=0.5)
    assert run.samples["bpp"][0].as_py() == pytest.approx((tmp_path / "b.jpg").stat().st_size * 8 / 90 / 126, rel=0.2)


def test_a_fixed_scoring_size_and_a_fixed_input_size_are_refused(tmp_path):
    Image.fromarray(photo(50, 90)).save(tmp_path / "a.png")
    with pytest.raises(EvalkitError, match="vtbench-2025"):
        evaluate_tokenizer("jpeg-q75", tmp_path, protocols=["vtbench-2025"], native_resolution=True)
    with pytest.raises(EvalkitError, match="--size"):
        evaluate_tokenizer("jpeg-q75", tmp_path, size=64, native_resolution=True)
