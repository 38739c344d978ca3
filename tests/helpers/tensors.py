"""Batches of random images for networks that only need some."""

import torch


def random_images(n=3, height=16, width=None, seed=1):
    """Images [n, 3, height, width or height] in [0, 1], the same for the same arguments."""
    shape = (n, 3, height, height if width is None else width)
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))
