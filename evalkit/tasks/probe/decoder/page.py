"""One page of the decoder probe: the answer, and the fingerprints of both classes and of the folder as plots."""

from __future__ import annotations

from html import escape

import numpy as np

from evalkit.encoders.spectrum import RINGS
from evalkit.pages.curves import curves
from evalkit.pages.html import csp_hash, house_style
from evalkit.tasks.probe.decoder.features import PERIODS
from evalkit.tasks.probe.decoder.probe import Answer, DecoderProbe
from evalkit.text import visible


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
