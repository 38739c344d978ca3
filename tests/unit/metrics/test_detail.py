"""Detail scores: what blur, noise and shifted texture do to them, their bounds, and which crops are taken."""

import time

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import EvalkitError
from evalkit.images import open_images
from evalkit.images.geometry import fit_square
from evalkit.metrics.detail import (
    CUTOFF,
    DetailScores,
    busiest_crops,
    correlation,
    detail_scores,
    energy_shares,
    luma,
    residual,
)
from evalkit.metrics.psnr import mse, psnr

NOTHING = DetailScores(None, None, None, None, None)


@pytest.fixture(scope="module")
def cat():
    sample = next(s for s in open_images("sample/photos").read(0, 9) if "cat" in s.id)
    return fit_square(sample.image, 256, "short-bicubic")


def texture(seed=0, side=96, width=96):
    return np.random.default_rng(seed).integers(60, 190, (side, width, 3)).astype(np.uint8)


def test_equal_images_keep_all_detail(cat):
    scores = detail_scores(cat, cat)
    assert (scores.hf_energy, scores.hf_added) == (1, 0)
    assert scores.hf_correlation == pytest.approx(1, abs=1e-12)
    assert scores.hf_correlation_detail == pytest.approx(1, abs=1e-12)
    assert scores.psnr_detail == np.inf


def test_more_blur_keeps_less(cat):
    found = [detail_scores(cat, cv2.GaussianBlur(cat, (0, 0), sigma)) for sigma in (0.4, 0.7, 1.2)]
    for name in ("hf_energy", "hf_correlation", "psnr_detail", "hf_correlation_detail"):
        values = [getattr(each, name) for each in found]
        assert values == sorted(values, reverse=True)
        assert values[0] > values[-1]
    assert found[-1].hf_energy < 0.05
    assert found[-1].hf_added == pytest.approx(0, abs=0.02)


def test_noise_is_added_energy_and_agrees_less(cat):
    noise = np.random.default_rng(0).normal(0, 12, cat.shape)
    scores = detail_scores(cat, np.clip(cat + noise, 0, 255).astype(np.uint8))
    assert scores.hf_energy > 0.99
    assert scores.hf_added > 0.3
    assert scores.hf_correlation < 0.9


def test_texture_of_the_right_amount_in_the_wrong_place_does_not_agree():
    scores = detail_scores(texture(0), texture(1))
    assert scores.hf_energy > 0.8
    assert abs(scores.hf_correlation) < 0.05


def test_the_plain_ratio_of_energies_follows_from_both_shares():
    x, y = luma(texture(0)), luma(texture(1)) * 0.7
    kept, added = energy_shares(x, y)
    window = np.outer(*[np.sin(np.pi * (np.arange(96) + 0.5) / 96) ** 2] * 2)
    above = np.hypot(np.fft.fftfreq(96)[:, None], np.fft.fftfreq(96)[None]) >= CUTOFF
    energies = [np.square(np.abs(np.fft.fft2((each - each.mean()) * window)))[above].sum() for each in (x, y)]
    assert kept / (1 - added) == pytest.approx(energies[1] / energies[0], rel=1e-4)
    assert kept == pytest.approx(0.49, abs=0.05)


def test_only_frequencies_above_half_of_nyquist_count():
    rows, columns = np.mgrid[:128, :128]
    for cycles, counted in ((20, False), (44, True)):
        wave = (128 + 60 * np.sin(2 * np.pi * cycles * columns / 128))[..., None].repeat(3, 2)
        kept, _ = energy_shares(luma(np.rint(wave).astype(np.uint8)), luma(np.full((128, 128, 3), 128, np.uint8)))
        assert (kept == 0) is counted
        assert (kept is None) is not counted
    assert rows.shape == (128, 128)


@pytest.mark.parametrize("shape", [(95, 64), (64, 95), (33, 40), (256, 256)])
def test_any_shape_from_32_pixels_is_scored(shape):
    scores = detail_scores(texture(0, *shape), texture(0, *shape) // 2)
    assert 0.1 < scores.hf_energy < 0.4
    assert scores.hf_correlation > 0.99


def test_flat_and_tiny_images_have_no_detail_to_lose():
    flat = np.full((64, 64, 3), 90, np.uint8)
    slopes = [np.linspace(0, top, 64).astype(np.uint8)[:, None, None].repeat(64, 1).repeat(3, 2) for top in (9, 20, 40)]
    for original in (flat, *slopes):
        assert detail_scores(original, texture(0, 64, 64)) == NOTHING
    assert detail_scores(texture(0, 31, 64), texture(0, 31, 64)) == NOTHING
    lost = detail_scores(texture(0), np.full((96, 96, 3), 90, np.uint8))
    assert (lost.hf_energy, lost.hf_added, lost.hf_correlation, lost.hf_correlation_detail) == (0, 0, 0, 0)


def test_wrong_images_are_refused(cat):
    with pytest.raises(EvalkitError, match="differ in shape"):
        detail_scores(cat, cat[:100])
    with pytest.raises(EvalkitError, match="uint8"):
        detail_scores(cat / 255, cat / 255)


def test_the_busiest_crops_are_where_the_texture_is_and_do_not_overlap():
    image = np.full((128, 128, 3), 128, np.uint8)
    image[64:96, 96:128] = texture(0, 32, 32)
    image[0:32, 0:32] = 128 + (texture(1, 32, 32).astype(int) - 125) // 4
    crops = busiest_crops(residual(luma(image)), 32)
    assert crops[0] == (64, 96)
    assert (0, 0) in crops
    assert len(crops) <= 4
    spoiled = image.copy()
    spoiled[64:96, 96:128] = 128
    everywhere, detail = psnr(mse(image, spoiled)), detail_scores(image, spoiled).psnr_detail
    assert detail < everywhere - 3


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(32, 80), st.integers(32, 80), st.sampled_from([0.0, 0.3, 1.0]))
def test_scores_stay_in_their_ranges(seed, height, width, share):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
    y = (share * x + (1 - share) * rng.integers(0, 256, x.shape)).astype(np.uint8)
    scores = detail_scores(x, y)
    assert 0 <= scores.hf_energy <= 1
    assert 0 <= scores.hf_added <= 1
    assert -1 <= scores.hf_correlation <= 1
    assert -1 <= scores.hf_correlation_detail <= 1
    side = min(height, width) // 4
    crops = busiest_crops(residual(luma(x)), side)
    assert len(crops) == 4
    for i, (top, left) in enumerate(crops):
        assert 0 <= top <= height - side
        assert 0 <= left <= width - side
        assert all(max(abs(top - t), abs(left - e)) >= side for t, e in crops[:i])


def test_correlation_is_pearsons():
    x, y = residual(luma(texture(0))), residual(luma(texture(0) // 3 + texture(5) // 3))
    assert correlation(x, y) == pytest.approx(np.corrcoef(x.ravel(), y.ravel())[0, 1], rel=1e-5)
    assert correlation(x, -x) == pytest.approx(-1)


def test_a_image_takes_a_few_milliseconds(cat):
    detail_scores(cat, cat)
    times = []
    for _ in range(20):
        started = time.process_time()
        detail_scores(cat, cat)
        times.append(time.process_time() - started)
    assert min(times) < 0.02
