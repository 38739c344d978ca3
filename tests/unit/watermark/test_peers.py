"""Peers under the same rows: exact p of a random payload, what is missing, and the packages themselves where installed."""

import importlib.util
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

import evalkit.watermark.robustness.peers as peers
from evalkit.errors import EvalkitError
from evalkit.images import open_images
from evalkit.images.geometry import fit_square
from evalkit.images.sample import Sample
from evalkit.jobs.spec import Spec, spec_of
from evalkit.watermark.robustness import PEERS, load_peer
from evalkit.watermark.robustness.contenders import bits_log_p
from evalkit.watermark.robustness.opening import contender_said, opened_contenders
from evalkit.watermark.robustness.peers import BITS, Blind, Invisible


def test_p_is_the_binomial_tail_of_agreeing_bits() -> None:
    for agreeing in range(33):
        assert np.exp(bits_log_p(agreeing, 32)) == pytest.approx(binom.sf(agreeing - 1, 32, 0.5))
    with pytest.raises(EvalkitError, match="33 given"):
        bits_log_p(33, 32)


class FakeEncoder:
    """Writes bit k into the lowest bit of pixel (0, k)."""

    def set_watermark(self, kind: str, bits: list[int]) -> None:
        assert kind == "bits"
        self.bits = np.array(bits)

    def encode(self, bgr: Any, method: str) -> Any:
        if bgr.shape[0] < 64:
            raise RuntimeError("image too small")
        done = bgr.copy()
        done[0, :BITS, 0] = (done[0, :BITS, 0] & 0xFE) | self.bits
        return done


class FakeDecoder:
    def __init__(self, kind: str, length: int) -> None:
        self.length = length

    def decode(self, bgr: Any, method: str) -> Any:
        if not bgr.any():
            raise RuntimeError("nothing there")
        return bgr[0, : self.length, 0] & 1


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("imwatermark")
    module.WatermarkEncoder, module.WatermarkDecoder = FakeEncoder, FakeDecoder  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "imwatermark", module)
    monkeypatch.setattr(peers.importlib.metadata, "version", lambda name: "0")


@pytest.mark.usefixtures("package")
def test_a_payload_is_found_and_nothing_else_is() -> None:
    peer = load_peer("dwtDct", 64, seed=3)
    assert isinstance(peer, Invisible)
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    (marked,) = peer.mark([image], ["a"])
    assert np.abs(marked.astype(int) - image).max() <= 1
    found = peer.log_p([marked, image, np.zeros((64, 64, 3), np.uint8), marked[:30]])
    assert found[0] == pytest.approx(32 * np.log(0.5))
    assert found[1] > -10
    assert found[2] == 0  # what cannot be read is no evidence
    assert found[3] > -10
    assert peer.record()["payload_seed"] == 3
    with pytest.raises(EvalkitError, match="dwtDct cannot mark 32x32: image too small"):
        peer.mark([image[:32, :32]], ["a"])


@pytest.mark.usefixtures("package")
def test_another_process_makes_the_same_peer_from_a_spec_or_says_that_its_package_is_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    peer = load_peer("dwtDct", 64, seed=3)
    spec = Spec("watermark-robustness", 1, parameters={"contenders": [contender_said(peer, given=False)]})
    made = opened_contenders(spec_of(spec.plan()), "cpu")["dwtDct"]
    assert isinstance(made, Invisible)
    assert (made.payload == peer.payload).all()
    assert made.record() == peer.record()
    monkeypatch.setattr(peers.importlib.metadata, "version", lambda name: "1")
    with pytest.raises(EvalkitError, match="dwtDct is not the one of the run"):
        opened_contenders(spec, "cpu")


@pytest.mark.usefixtures("package")
def test_unmarked_images_are_called_no_more_often_than_the_level_says() -> None:
    peer = load_peer("dwtDct", 64)
    rng = np.random.default_rng(0)
    log_p = peer.log_p([rng.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(2000)])
    for level in (0.05, 0.01):
        assert (log_p <= np.log(level)).sum() <= binom.isf(1e-6, 2000, level)


def test_what_is_missing_is_said_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EvalkitError, match="there is no peer 'stegastamp'; give one of dwtDct"):
        load_peer("stegastamp", 256)
    for module in ("imwatermark", "blind_watermark"):
        monkeypatch.setitem(sys.modules, module, None)
    for name, package in PEERS.items():
        with pytest.raises(EvalkitError, match=f"pip install {package}"):
            load_peer(name, 256)


@pytest.mark.parametrize("name", list(PEERS))
def test_the_real_package_finds_its_own_payload(name: str) -> None:
    needed = "blind_watermark" if name == "blind-watermark" else "imwatermark"
    if importlib.util.find_spec(needed) is None or importlib.util.find_spec("pywt") is None:
        pytest.skip(f"{PEERS[name]} is not installed")
    peer = load_peer(name, 256)
    assert isinstance(peer, Blind | Invisible)
    sample = next(each for each in open_images("sample/photos").read(0, 1, threads=1) if isinstance(each, Sample))
    image = fit_square(sample.image, 256, "short-bicubic")
    (marked,) = peer.mark([image], ["a"])
    assert peer.log_p([marked])[0] < np.log(1e-3 if name == "dwtDct" else 1e-6)
    assert peer.log_p([image])[0] > np.log(1e-4)
