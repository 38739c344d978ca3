"""The data range of SSIM that vtbench-2025 takes from a batch."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torchmetrics.image import StructuralSimilarityIndexMeasure

from evalkit.jobs.timers import Timers
from evalkit.protocols import load_protocol
from evalkit.tasks.tokenizer.evaluators import Evaluators

LEVELS = ((10, 90), (120, 200), (60, 75), (0, 30))  # no image is as wide as its batch


def pairs():
    """Four images of narrow ranges that lie apart, and what noise makes of them."""
    chance = np.random.default_rng(0)
    for low, high in LEVELS:
        original = chance.integers(low, high, (24, 32, 3), dtype=np.uint8)
        noise = chance.integers(-9, 10, original.shape)
        yield SimpleNamespace(
            original=original, reconstruction=(original + noise).clip(0, 255).astype(np.uint8), row={}
        )


@pytest.mark.parametrize("count", [1, 2, 4])
def test_it_is_that_of_all_images_of_the_batch_together_as_torchmetrics_takes_it(count):
    protocol, given = load_protocol("vtbench-2025"), list(pairs())
    batches = [given[i : i + count] for i in range(0, 4, count)]
    for batch in batches:
        Evaluators.score_groups(SimpleNamespace(), protocol, batch, Timers())
        peer = StructuralSimilarityIndexMeasure()
        x, y = (
            torch.from_numpy(np.stack([getattr(p, which) for p in batch])).permute(0, 3, 1, 2).double() / 255
            for which in ("original", "reconstruction")
        )
        peer.update(y, x)
        assert np.mean([pair.row["ssim"] for pair in batch]) == pytest.approx(float(peer.compute()), rel=1e-5)
