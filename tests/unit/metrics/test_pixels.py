import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import structural_similarity
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure as tm_ms_ssim
from torchmetrics.functional.image import structural_similarity_index_measure as tm_ssim

from evalkit.errors import EvalkitError
from evalkit.metrics.psnr import mse, pooled_psnr, psnr, target_range
from evalkit.metrics.ssim import ms_ssim, reconstruction_scores, ssim


def smooth(height=176, width=192, seed=0):
    rng = np.random.default_rng(seed)
    yy, xx = np.mgrid[0:height, 0:width] / height
    waves = [0.5 + 0.4 * np.sin(rng.uniform(3, 14) * xx + rng.uniform(3, 14) * yy + c) for c in range(3)]
    return (np.clip(np.stack(waves, -1) + rng.normal(0, 0.02, (height, width, 3)), 0, 1) * 255).astype(np.uint8)


def noisy(image, sigma, seed=1):
    rng = np.random.default_rng(seed)
    return np.clip(image + rng.normal(0, sigma, image.shape), 0, 255).astype(np.uint8)


PAIRS = [(smooth(), noisy(smooth(), s)) for s in (2, 15, 60)] + [(smooth(seed=3), smooth(seed=4))]


@pytest.mark.parametrize(("x", "y"), PAIRS)
def test_ssim_is_scikit_images_gaussian_form(x, y):
    peer = structural_similarity(
        x, y, channel_axis=-1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
    )
    assert abs(ssim(x, y) - peer) < 2e-6
    assert abs(ssim(x / 255, y / 255) - peer) < 1e-10


@pytest.mark.parametrize(("x", "y"), PAIRS)
@pytest.mark.parametrize("data_range", [1.0, 2.0])
def test_uniform_ssim_is_scikit_images_default(x, y, data_range):
    peer = structural_similarity(x / 255, y / 255, channel_axis=-1, data_range=data_range)
    assert abs(ssim(x, y, window="uniform7", data_range=data_range) - peer) < 1e-9


@pytest.mark.parametrize(("x", "y"), PAIRS)
def test_reflected_ssim_and_ms_ssim_are_torchmetrics(x, y):
    a, b = (torch.from_numpy(v).permute(2, 0, 1)[None].double() / 255 for v in (x, y))
    assert abs(ssim(x, y, border="reflect") - float(tm_ssim(b, a, data_range=1.0))) < 2e-6
    assert abs(ms_ssim(x, y) - float(tm_ms_ssim(b, a, data_range=1.0))) < 2e-6


@pytest.mark.parametrize(("x", "y"), PAIRS)
def test_one_pass_gives_the_same_as_each_alone(x, y):
    scores = reconstruction_scores(x, y)
    assert scores.mse == mse(x, y)
    assert scores.psnr == psnr(mse(x, y))
    assert scores.ssim == ssim(x, y)
    assert scores.ms_ssim == ms_ssim(x, y)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_equal_images_are_perfect_and_order_does_not_matter(seed):
    x, y = smooth(40, 44, seed), smooth(40, 44, seed + 1)
    assert ssim(x, x) == 1.0
    assert ssim(x, y) == pytest.approx(ssim(y, x), abs=1e-9)
    assert -1 <= ssim(x, y) <= 1
    assert mse(x, y) == mse(y, x)


def test_psnr_falls_as_noise_grows():
    x = smooth()
    values = [reconstruction_scores(x, noisy(x, s)) for s in (1, 4, 16, 64)]
    assert sorted((v.psnr for v in values), reverse=True) == [v.psnr for v in values]
    assert sorted((v.ssim for v in values), reverse=True) == [v.ssim for v in values]


def test_mse_in_bytes_and_in_floats_agree():
    x, y = PAIRS[1]
    assert mse(x, y) == pytest.approx(mse(x / 255, y / 255), rel=1e-12)


def test_identical_images_have_infinite_psnr():
    x = smooth()
    assert reconstruction_scores(x, x).psnr == math.inf


def test_pooled_psnr_never_exceeds_the_mean_of_psnrs():
    errors = np.array([0.01, 0.001, 0.1])
    assert pooled_psnr(errors) <= np.mean([psnr(e) for e in errors])


def test_target_range_starts_at_zero_as_torchmetrics_does():
    assert target_range(np.array([0.2, 0.3]), np.array([0.6, 0.7])) == pytest.approx(0.7)
    assert target_range(np.array([-0.5]), np.array([0.6])) == pytest.approx(1.1)


def test_images_below_five_scales_have_no_ms_ssim():
    x = smooth(160, 200)
    assert math.isnan(ms_ssim(x, x))
    assert math.isnan(reconstruction_scores(x, x).ms_ssim)


def test_wrong_input_says_what_is_wrong():
    x = smooth(32, 32)
    with pytest.raises(EvalkitError, match="differ in shape"):
        ssim(x, x[:20])
    with pytest.raises(EvalkitError, match="sides from 11"):
        ssim(x[:8, :8], x[:8, :8])
    with pytest.raises(EvalkitError, match="uint8, or floats"):
        mse(x.astype(np.int32), x.astype(np.int32))
    with pytest.raises(EvalkitError, match="peak above 0"):
        psnr(0.1, peak=0)
