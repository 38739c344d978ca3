"""Bits that a representation spends per pixel of the input."""

from __future__ import annotations

from evalkit.metrics.aggregate import MeanOf
from evalkit.metrics.metric import Metric, everywhere, floats


def bits_per_pixel(bits: float, height: int, width: int) -> float:
    """Bits over pixels of an image that the model was fed.

    >>> bits_per_pixel(16384, 256, 256)
    0.25
    """
    return bits / (height * width)


BPP = Metric(
    name="bpp",
    label="Rate",
    title="bits spent on a pixel of the input",
    unit="bit/px",
    better="lower",
    low=0.0,
    level="sample",
    task="reconstruction",
    columns=floats("bpp"),
    aggregate=MeanOf("bpp", silent=True),
    under=everywhere,
    family="bpp",
    shown=frozenset({"headline", "spread"}),
)
DECLARED = (BPP,)
