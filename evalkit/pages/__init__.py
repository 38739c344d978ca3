"""report.html: one page over one or more sealed runs; one file, no network, readable without scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

from markupsafe import Markup

from evalkit.errors import EvalkitError
from evalkit.pages.charts import distribution_charts, interval_charts, plane_charts, stage_chart, survival_charts
from evalkit.pages.columns import failed
from evalkit.pages.html import csp_hash, environment, house_script, house_style
from evalkit.pages.images import AMPLIFY
from evalkit.pages.labels import metric_label, ordered_scores
from evalkit.pages.provenance import facts, protocol_differences, protocols, speed
from evalkit.pages.samples import text_samples, worst_samples
from evalkit.pages.summary import (
    TASKS,
    First,
    Key,
    headlines,
    missing,
    parts,
    run_names,
    same_images,
    summary,
    verdict,
)
from evalkit.runs.store import Run, write_bytes
from evalkit.text import as_float, interval_text, number_text, with_unit

REASON = 400  # characters of a failure's reason, of which there may be many


def write_report(runs: Sequence[Run], path: Path, firsts: Mapping[Key, First] | None = None) -> Path:
    """Write `report_page` to `path` and give the path back."""
    write_bytes(path, report_page(runs, firsts).encode())
    return path


def report_page(runs: Sequence[Run], firsts: Mapping[Key, First] | None = None) -> str:
    """The page over `runs`; the same runs give the same text, below 6 MB. `firsts`: who is first in which row.

    Raises `EvalkitError` where there is no run, or one that evaluated no tokenizer.
    """
    if not runs:
        raise EvalkitError("a report needs at least one finished run; give a folder that `evalkit tokenizer` left")
    for run in runs:
        task = run.record.get("task", "tokenizer")
        if task != "tokenizer":
            raise EvalkitError(
                f"{run.path} is a run of `evalkit {task}`, and this page compares tokenizers; open the run's own "
                f"report.html, or look at its samples: evalkit view {run.path}"
            )
    folder = package_files("evalkit.pages")
    style, script = house_style(), house_script()
    templates = environment(
        {
            "number": number_text, "unit": with_unit, "metric": metric_label, "plain": as_float,
            "arrow": _arrow, "groupby_part": parts, "scores": ordered_scores,
        }
    )  # fmt: skip
    templates.globals.update(interval=interval_text)
    template = templates.from_string((folder / "template.html.jinja").read_text(encoding="utf-8"))
    return template.render(
        style=Markup(style),
        script=Markup(script),
        style_hash=csp_hash(style),
        script_hash=csp_hash(script),
        **_content(runs, firsts),
    )


def _content(runs: Sequence[Run], firsts: Mapping[Key, First] | None) -> dict[str, Any]:
    names, rows, found = run_names(runs), summary(runs, firsts), protocols(runs)
    notes = missing(runs)
    return {
        "title": ", ".join(names) if len(names) <= 3 else f"{len(names)} tokenizers compared",
        "verdict": verdict(runs, rows),
        "names": names,
        "records": [run.record for run in runs],
        "comparable": same_images(runs),
        "rows": rows,
        "tasks": TASKS,
        "headlines": headlines(rows),
        "notes": notes,
        "note_of": {note.reason: note.number for note in notes},
        "planes": plane_charts(runs, rows),
        "intervals": interval_charts(runs, rows),
        "distributions": distribution_charts(runs),
        "survivals": survival_charts(runs),
        "worst": worst_samples(runs),
        "texts": text_samples(runs),
        "failed": [failed(run) for run in runs],
        "reason_length": REASON,
        "amplify": AMPLIFY,
        "protocols": found,
        "differences": protocol_differences(found),
        "facts": [facts(run) for run in runs],
        "speeds": [speed(run) for run in runs],
        "stages": [stage_chart(run) for run in runs],
    }


def _arrow(better: str) -> Markup:
    """The direction of a metric, for eyes and for screen readers."""
    sign, words = ("↑", "higher is better") if better == "higher" else ("↓", "lower is better")
    return Markup('<abbr class="arrow" title="{words}" aria-label="{words}">{sign}</abbr>').format(
        words=words, sign=sign
    )
