"""report.html of the decoder probe: the answer, predictions, and the fingerprints of both kinds and of the folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from evalkit.encoders.spectrum import RINGS
from evalkit.metrics.decoder import ACCURACY, OUTSIDE
from evalkit.metrics.npz import arrays_of
from evalkit.pages.curves import Dot, chart
from evalkit.pages.figures import ridges
from evalkit.runs.store import Run
from evalkit.tasks.probe.decoder.features import PERIODS, Floats
from evalkit.tasks.probe.decoder.looking import KEPT, SPECTRA, TRACES
from evalkit.tasks.probe.decoder.probe import DecoderProbe, read_probe
from evalkit.tasks.probe.sheet import Figure, Sheet, Table, sheet_page

LIMITS = (
    "The probe knows the two kinds of images that it was trained on and nothing else. What tells them apart may be the "
    "models' training data, scaling or sharpening rather than their decoder, so hold out generators and give both kinds "
    "the same prompts, sizes and codec. Learned up-sampling leaves traces in either kind. An answer is no proof of how a "
    "closed model works."
)


def page(run: Run) -> str:
    """The page of a sealed run, of training or of asking."""
    told, probe = run.record["decoder"], read_probe(run.path)
    prints = dict(zip(probe.names, zip(probe.spectra, probe.traces, strict=True), strict=True))
    asked = run.record["task"] != ACCURACY.task
    if asked:
        held = arrays_of(run.path / KEPT)
        prints[f"asked about: {run.record['data']['name']}"] = (held[SPECTRA].mean(0), held[TRACES].mean(0))
    table = Table("By generator", ("generator", "images", _head(asked, probe), "outside"), _by_generator(run, asked))
    return sheet_page(
        run,
        Sheet(
            "which kind of decoder made it?" if asked else "which kind of decoder? A probe is trained",
            told["said"],
            LIMITS,
            told["cautions"],
            [*_fingerprints(prints), _spread(run, probe)],
            list(prints),
            [table],
        ),
    )


def _head(asked: bool, probe: DecoderProbe) -> str:
    return f"probability of {probe.names[1]}" if asked else "named right"


def _by_generator(run: Run, asked: bool) -> list[tuple[str, ...]]:
    """Images, shares named right (or mean probability) and outside, of each generator."""
    groups: dict[str, list[dict[str, float]]] = {}
    for row in run.samples.to_pylist():
        if row["error"] is None:
            groups.setdefault(row["generator"] or "the folder", []).append(row)
    name = "probability" if asked else ACCURACY.name

    def mean(rows: Sequence[Mapping[str, float]], column: str) -> str:
        return f"{np.mean([row[column] for row in rows]):.2f}"

    return [
        (generator, f"{len(rows):,}", mean(rows, name), mean(rows, OUTSIDE.name))
        for generator, rows in sorted(groups.items())
    ]


def _fingerprints(prints: Mapping[str, tuple[Floats, Floats]]) -> list[Figure]:
    frequencies = (np.arange(RINGS) + 0.5) / (2 * RINGS)
    return [
        Figure(
            "Spectrum",
            "log10 of the power, by cycles per pixel",
            _curves("cycles per pixel", frequencies, {name: each[0] for name, each in prints.items()}),
        ),
        Figure(
            "Traces of up-sampling",
            "how far residuals hang on the place in a grid, by its period",
            _curves("period, px", np.asarray(PERIODS, float), {name: each[1] for name, each in prints.items()}),
        ),
    ]


def _curves(title: str, x: Floats, lines: Mapping[str, Floats]) -> str:
    series = {
        name: [Dot(float(a), float(b), None, None, f"{name}: {b:.3g} at {a:.3g}") for a, b in zip(x, y, strict=True)]
        for name, y in lines.items()
    }
    styles = {name: number for number, name in enumerate(lines)}
    return chart(title, ", ".join(lines), series, styles, line=True, reach=None, dots=False)


def _spread(run: Run, probe: DecoderProbe) -> Figure:
    """How probabilities spread over images, by class where they are known."""
    rows = [row for row in run.samples.select(["task", "probability"]).to_pylist() if row["probability"] is not None]
    names = list(dict.fromkeys(row["task"] or "" for row in rows))
    values = [(name, np.array([r["probability"] for r in rows if (r["task"] or "") == name])) for name in names]
    title = f"Probability of {probe.names[1]}"
    return Figure(title, "share of images at each value", ridges(title, values, 0.0, 1.0))
