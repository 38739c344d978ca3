"""A change in an image's own pixels."""

import numpy as np
import torch

from evalkit.watermark.embed.full_size import Frame


def test_a_change_in_strips_is_the_whole_change(monkeypatch):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (150, 97, 3), dtype=np.uint8)
    change = torch.from_numpy(rng.normal(0, 0.02, (3, 32, 32)).astype(np.float32))
    frame = Frame.of(image, 32)
    whole = frame.added(image, change, 4)
    assert (whole != image).mean() > 0.3
    monkeypatch.setattr("evalkit.watermark.embed.full_size.STRIP", 700)
    assert len(list(frame.enlarged(change))) > 10
    moved = np.abs(frame.added(image, change, 4).astype(int) - whole)
    assert moved.max() <= 1  # at ties of rounding only
    assert (moved > 0).mean() < 1e-3
