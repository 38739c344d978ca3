"""One page of the decoder probe: the answer, and the fingerprints of both classes and of the folder as plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from evalkit.pages.figures import svg, tick_text, ticks, written
from evalkit.pages.html import csp_hash, house_style
from evalkit.tasks.probe.decoder.features import PERIODS, RINGS, Floats
from evalkit.tasks.probe.decoder.probe import Answer, DecoderProbe
from evalkit.text import visible

WIDTH, HEIGHT, LEFT, FOOT = 520.0, 240.0, 46.0, 30.0
COLOURS = ("#1565c0", "#c2185b", "#2e7d32")


def decoder_page(probe: DecoderProbe, answer: Answer | None = None, folder: str = "") -> str:
    """The page as HTML, without a script."""
    rows = {probe.names[0]: (probe.spectra[0], probe.traces[0]), probe.names[1]: (probe.spectra[1], probe.traces[1])}
    if answer is not None:
        rows[f"asked about: {folder or 'a folder'}"] = (answer.spectrum, answer.traces)
    frequencies = (np.arange(RINGS) + 0.5) / (2 * RINGS)
    plots = [
        (
            "Spectrum: log10 power by cycles a pixel",
            curves(frequencies, {name: each[0] for name, each in rows.items()}),
        ),
        (
            "Traces of up-sampling by period in px",
            curves(np.asarray(PERIODS, float), {n: each[1] for n, each in rows.items()}),
        ),
    ]
    style = house_style()
    said = [sentence(probe), *([answer_sentence(probe, answer, folder)] if answer else []), *probe.cautions]
    body = "".join(f"<p>{escape(visible(each))}</p>" for each in said)
    body += "".join(f"<h2>{escape(title)}</h2>{plot}" for title, plot in plots)
    policy = f"default-src 'none'; style-src '{csp_hash(style)}'; base-uri 'none'; form-action 'none'"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>decoder probe · evalkit</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}"><style>{style}</style></head>'
        f"<body><main><h1>Which kind of decoder?</h1>{body}</main></body></html>\n"
    )


def sentence(probe: DecoderProbe) -> str:
    """How good the probe is."""
    a, how = probe.accuracy, "on generators that it was not trained on" if probe.apart else "on held-out images"
    ends = "" if a.low is None else f" (95 % interval {a.low:.3f} to {a.high:.3f})"
    return (
        f"{probe.names[0]} ({probe.images[0]:,} images) and {probe.names[1]} ({probe.images[1]:,}) are told apart with an "
        f"accuracy of {a.value:.3f}{ends} {how}, by {probe.features} features at {probe.equaliser.side} px."
    )


def answer_sentence(probe: DecoderProbe, answer: Answer, folder: str) -> str:
    """What the probe says of a folder, or that it cannot say anything."""
    beyond, share, n = answer.outside.value, answer.share, len(answer.rows)
    if beyond > 0.5:
        return f"{folder}: {100 * beyond:.0f} % of {n:,} images are outside of what it was trained on, so it gives no answer."
    ends = "" if share.low is None else f" (95 % interval {share.low:.2f} to {share.high:.2f})"
    return (
        f"{folder}: mean probability of {probe.names[1]} {share.value:.2f}{ends}; "
        f"{100 * beyond:.0f} % of {n:,} images are outside of what it was trained on."
    )


def curves(x: Floats, lines: Mapping[str, Floats]) -> str:
    """Lines over one axis, as SVG with a legend."""
    low, high = min(float(y.min()) for y in lines.values()), max(float(y.max()) for y in lines.values())
    room = (high - low) * 0.05 or 1.0
    low, high = low - room, high + room
    parts = []
    for place, (name, y) in enumerate(lines.items()):
        points = " ".join(f"{_x(a, x):.1f},{_y(b, low, high):.1f}" for a, b in zip(x, y, strict=True))
        colour = COLOURS[place % len(COLOURS)]
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{LEFT + 8}" y="{16 + 15 * place}" fill="{colour}">{written(name)}</text>')
    parts += [f'<text x="2" y="{_y(t, low, high):.1f}">{tick_text(t)}</text>' for t in ticks(low, high)]
    parts += [
        f'<text x="{_x(t, x):.1f}" y="{HEIGHT - 8}">{tick_text(t)}</text>' for t in ticks(float(x[0]), float(x[-1]))
    ]
    return svg(", ".join(lines), parts, WIDTH, HEIGHT)


def _x(value: float, x: Sequence[float] | Floats) -> float:
    return LEFT + (WIDTH - LEFT - 12) * (value - float(x[0])) / (float(x[-1]) - float(x[0]))


def _y(value: float, low: float, high: float) -> float:
    return 8 + (HEIGHT - FOOT - 8) * (high - value) / (high - low)
