import numpy as np
import pytest
import torch

from evalkit.encoders.spectrum import RINGS, radial_spectrum

RNG = np.random.default_rng(0)


def grey(values):
    return torch.from_numpy(np.clip(values, 0, 255).astype(np.uint8))[None, None].expand(1, 3, -1, -1)


def test_noise_is_flat_at_its_variance_times_the_window():
    found = radial_spectrum(grey(RNG.normal(128, 10, (128, 96))))[0].numpy()
    one, two = np.hanning(128), np.hanning(96)
    level = np.log10(100 * (np.outer(one, two) ** 2).sum() / np.outer(one, two).sum() ** 2)
    assert found[4:] == pytest.approx(np.full(RINGS - 4, level), abs=0.35)
    assert found[4:].mean() == pytest.approx(level, abs=0.05)


def test_a_wave_stands_at_its_frequency():
    wave = 128 + 60 * np.sin(2 * np.pi * 0.25 * np.arange(64))
    found = radial_spectrum(grey(np.tile(wave, (64, 1))))[0]
    assert int(found.argmax()) in (23, 24)


def test_an_image_is_seen_alike_alone_and_among_others():
    images = torch.from_numpy(RNG.integers(0, 256, (5, 3, 31, 40), dtype=np.uint8))
    alone = torch.cat([radial_spectrum(each[None]) for each in images])
    assert torch.allclose(alone, radial_spectrum(images), rtol=1e-12, atol=0)
