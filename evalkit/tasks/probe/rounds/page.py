"""report.html of a run of rounds: curves over rounds, slopes, and the chains that drift most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.metrics.drift import MEASURES, round_of
from evalkit.metrics.psnr import PSNR
from evalkit.metrics.ssim import SSIM
from evalkit.pages.curves import Dot, chart
from evalkit.runs.store import Run
from evalkit.tasks.probe.sheet import Figure, Sheet, Strip, sheet_page
from evalkit.tasks.probe.sheet.page import embedded
from evalkit.text import as_float, counted, interval_text, number_text, with_unit

LIMITS = (
    "Drift is measured in pixels, outside of the masks. It does not say whether an edit did what was asked, nor whether a "
    "change is seen by people: a shift by one pixel costs much PSNR. Equal images count as 100 dB. Without masks, every "
    "change that an edit asked for counts as drift. Intervals are over chains; one chain has none."
)


def page(run: Run) -> str:
    """The page of a sealed run."""
    rounds = int(run.record["plan"]["parameters"]["rounds"])
    by_name = {row["metric"]: row for row in run.results}
    return sheet_page(
        run,
        Sheet(
            "drift over rounds of editing",
            [sentence(run)],
            LIMITS,
            figures=[_figure(measure, by_name, rounds) for measure in MEASURES],
            strips=_strips(run),
            shown=[name for name in by_name if "/" not in name or name.endswith(f"/{rounds}")],
            strips_about="The chains whose last round is farthest from the first image, farthest first.",
        ),
    )


def sentence(run: Run) -> str:
    """What happens from round to round."""
    by_name = {row["metric"]: row for row in run.results}
    chains, rounds = run.record["data"]["n"], run.record["plan"]["parameters"]["rounds"]
    said = []
    for name in ("drift_psnr", "drift_warmth"):
        row = by_name[name]
        ends = interval_text(row["low"], row["high"])
        if row["status"] == "ok":
            text = with_unit(number_text(row["value"]), row["unit"].replace("a round", "").strip())
            label = round_of(f"{name}/1", name.removeprefix("drift_"), "1").label.partition(",")[0]
            said.append(f"{label} {text}" + (f" (95 % interval {ends})" if ends else ""))
    return (
        f"{counted(chains, 'chain')} of {counted(rounds, 'round')}; change per round: {', '.join(said) or 'unknown'}."
    )


def strip_file(place: int, number: int) -> str:
    """Where the small copy of an image of a chain lies in the run."""
    return f"gallery/{place:02d}-{number:02d}.webp"


def _figure(measure: str, results: Mapping[str, Mapping[str, Any]], rounds: int) -> Figure:
    dots = []
    for k in range(1, rounds + 1):
        row = results[f"drift_{measure}/{k}"]
        value, low, high = (as_float(row[name]) for name in ("value", "low", "high"))
        if value is not None:
            said = f"round {k}: {number_text(value)} {interval_text(low, high)}"
            dots.append(Dot(k, value, low, high, said))
    metric = round_of(f"drift_{measure}/1", measure, "1")
    title = f"{metric.label.partition(',')[0]}{', ' + metric.unit if metric.unit else ''}"
    drawn = chart("round", title, {measure: dots}, {measure: 0}, line=True, reach=None)
    return Figure(title, "mean over chains, 95 % interval", drawn)


def _strips(run: Run) -> list[Strip]:
    rounds = int(run.record["plan"]["parameters"]["rounds"])
    rows = [row for row in run.samples.to_pylist() if row["error"] is None]
    last = sorted((row for row in rows if row["round"] == rounds), key=lambda row: (row[PSNR.name], row["chain"]))
    at = {(row["chain"], row["round"]): row for row in rows}
    found = []
    for place, row in enumerate(last):
        if not (run.path / strip_file(place, 0)).is_file():
            break
        images = [(embedded(run.path / strip_file(place, 0)), "the first image")]
        for k in range(1, rounds + 1):
            measured = at[row["chain"], k]
            said = f"round {k}: {measured[PSNR.name]:.1f} dB, SSIM {measured[SSIM.name]:.3f}"
            images.append((embedded(run.path / strip_file(place, k)), said))
        found.append(Strip(row["chain"], images))
    return found
