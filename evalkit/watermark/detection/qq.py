"""Quantiles of p-values against uniform ones, in -log10, as inline SVG: the null lies on the diagonal, marks leave it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import beta

from evalkit.pages.figures import svg, tick_text, ticks

Floats = npt.NDArray[np.float64]
WIDTH, HEIGHT, LEFT, BOTTOM, PAD = 420, 340, 46, 40, 12  # user units
POINTS = 240


def thinned(n: int, most: int = POINTS) -> npt.NDArray[np.int64]:
    """Ranks 1 to n, all of the small ones and ever fewer of the large: what a logarithmic axis can show.

    >>> thinned(5).tolist()
    [1, 2, 3, 4, 5]
    """
    return np.unique(np.rint(np.geomspace(1, n, min(n, most))).astype(np.int64)) if n > most else np.arange(1, n + 1)


def qq_plot(log10_p: Floats, alpha: float) -> str:
    """SVG of -log10 p [n], sorted, over what uniform p-values give, with their pointwise 95 % band and the line of alpha."""
    n = len(log10_p)
    if not n:
        return ""
    observed = np.sort(-np.minimum(log10_p, 0.0))[::-1]
    ranks = thinned(n)
    expected, seen = -np.log10(ranks / (n + 1)), observed[ranks - 1]
    low, high = (-np.log10(beta.ppf(q, ranks, n + 1 - ranks)) for q in (0.975, 0.025))
    x1 = float(expected.max()) * 1.06 + 0.05
    y1 = max(float(seen.max()), float(high.max()), -np.log10(alpha)) * 1.06
    xs = LEFT + expected / x1 * (WIDTH - LEFT - PAD)

    def at(y: Floats | float) -> Floats:
        return np.asarray(HEIGHT - BOTTOM - np.minimum(y, y1) / y1 * (HEIGHT - BOTTOM - PAD))

    band = [*zip(xs, at(high), strict=True), *zip(xs[::-1], at(low)[::-1], strict=True)]
    cut = float(at(-np.log10(alpha)))
    end = float(at(min(x1, y1)))
    right = LEFT + min(x1, y1) / x1 * (WIDTH - LEFT - PAD)
    parts = [
        f'<polygon class="band" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in band)}"/>',
        f'<line class="diagonal" x1="{LEFT}" x2="{right:.1f}" y1="{HEIGHT - BOTTOM}" y2="{end:.1f}"/>',
        f'<line class="cut" x1="{LEFT}" x2="{WIDTH - PAD}" y1="{cut:.1f}" y2="{cut:.1f}"/>',
        f'<text x="{WIDTH - PAD}" y="{cut - 4:.1f}" text-anchor="end">α {alpha:g}</text>',
        *(f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>' for x, y in zip(xs, at(seen), strict=True)),
        f'<line class="axis" x1="{LEFT}" x2="{LEFT}" y1="{PAD}" y2="{HEIGHT - BOTTOM}"/>',
        f'<line class="axis" x1="{LEFT}" x2="{WIDTH - PAD}" y1="{HEIGHT - BOTTOM}" y2="{HEIGHT - BOTTOM}"/>',
    ]
    for tick in ticks(0, x1, 5):
        x = LEFT + tick / x1 * (WIDTH - LEFT - PAD)
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 15}" text-anchor="middle">{tick_text(tick)}</text>')
    for tick in ticks(0, y1, 6):
        parts.append(f'<text x="{LEFT - 7}" y="{float(at(tick)) + 4:.1f}" text-anchor="end">{tick_text(tick)}</text>')
    middle = HEIGHT - BOTTOM - (HEIGHT - BOTTOM - PAD) / 2
    parts.append(f'<text class="name" x="{(WIDTH + LEFT) / 2:.0f}" y="{HEIGHT - 6}" text-anchor="middle">')
    parts.append("expected −log₁₀ p where nothing is marked</text>")
    parts.append(f'<text class="name" transform="translate(13 {middle:.0f}) rotate(-90)" text-anchor="middle">')
    parts.append("observed −log₁₀ p</text>")
    above = int((log10_p <= np.log10(alpha)).sum())
    said = f"Quantiles of {n} p-values against uniform ones; {above} lie at or below alpha {alpha:g}"
    return svg(said, parts, WIDTH, HEIGHT)
