"""report.html of a check: verdict first, the vector with intervals, before and after, leaks, retention by distance."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files as package_files
from typing import Any

from markupsafe import Markup

from evalkit.erasure.check.items import DIRECT
from evalkit.erasure.check.judge import FAR, KEPT, NEAR
from evalkit.erasure.check.page_curves import curves, relearnt
from evalkit.erasure.check.page_images import galleries
from evalkit.erasure.check.rows import BASE, ERASED, WORDS
from evalkit.erasure.check.sets import SETS
from evalkit.erasure.check.words import headline, percent
from evalkit.metrics import erasure as declared
from evalkit.pages.figures import Interval, intervals
from evalkit.pages.html import run_page
from evalkit.pages.labels import metric_label
from evalkit.runs.store import Run
from evalkit.text import interval_text, number_text


def page(run: Run) -> str:
    """The page of a sealed check; the same run gives the same text."""
    told = run.record["erasure"]
    style = (package_files("evalkit.erasure.check") / "page.css").read_text(encoding="utf-8")
    rows = run.samples.to_pylist()
    return run_page(
        "evalkit.erasure.check",
        {
            "record": run.record,
            "told": told,
            "headline": headline(run.record),
            "vector": Markup(_vector(told)),
            "gates": _gates(told),
            "sets": _sets(told),
            "prefixes": _prefixes(told),
            "concepts": told["concepts"],
            "concept_figure": Markup(_concepts(told)),
            "controls": _controls(told),
            "went": [(name, percent(share)) for name, share in told["went"].items()],
            "relearning": Markup(_relearning(told)),
            "relearnt": relearnt(told["relearning"], _half(told), told["savings"]),
            "probe": _probe(told),
            "galleries": galleries(run, rows),
            "costs": _costs(run),
            "missing": [(metric_label(r["metric"]), r["reason"]) for r in run.results if r["status"] != "ok"],
            "failed": [(row["id"], row["error"]) for row in rows if row["error"] is not None][:50],
            "facts": _facts(run),
        },
        style=style,
        filters={"percent": percent},
    )


def _vector(told: Mapping[str, Any]) -> str:
    rows = []
    for metric in declared.VECTOR:
        value = told["vector"][metric.name]
        if value is not None:
            rows.append(Interval(metric.label, value, *told["bounds"][metric.name]))
    return intervals("Vector of the check, each part relative to the base", rows, 0.0, 1.0)


def _gates(told: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    held = told["verdict"]["gates"]
    words = {True: "passed", False: "not passed", None: "not measured"}
    return [(metric.label, metric.title, words[held[metric.name]]) for metric in declared.VECTOR if metric.name in held]


def _sets(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = []
    for name, each in ((name, told["sets"][name]) for name in SETS if name in told["sets"]):
        rates = each["rates"]
        found.append(
            {
                "name": name,
                "prompts": each["prompts"],
                "dropped": each["dropped"],
                "rates": [(words, _rate(rates.get(arm))) for arm, words in WORDS.items()],
                "lost": each["pairs"]["lost"],
                "gained": each["pairs"]["gained"],
                "p": number_text(each["pairs"]["p"]),
                "kept": "" if name not in (NEAR, FAR, KEPT) else _kept(each["change"]),
            }
        )
    return found


def _kept(change: Mapping[str, Any]) -> str:
    bounds = change["change"]
    interval = interval_text(bounds["low"], bounds["high"]) if bounds["low"] is not None else "no interval"
    said = "within" if change["holds"] else "not shown to be within"
    return f"{said} {100 * change['margin']:.0f} points (change {number_text(bounds['value'])}, {interval})"


def _rate(estimate: Mapping[str, Any] | None) -> str:
    if estimate is None:
        return "—"
    low, high = estimate["low"], estimate["high"]
    return percent(estimate["value"]) + (f" ({100 * low:.0f} to {100 * high:.0f})" if low is not None else "")


def _prefixes(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "share": each["share"],
            "rates": [(who, _rate(each["rates"][who])) for who in (BASE, ERASED, "control")],
            "excess": number_text(each["excess"]["change"]["value"]),
        }
        for each in told["prefixes"]
    ]


def _half(told: Mapping[str, Any]) -> float:
    return float(told["sets"][DIRECT]["rates"][BASE]["value"]) / 2


def _relearning(told: Mapping[str, Any]) -> str:
    return curves(told["relearning"], _half(told)) if told["relearning"] else ""


def _probe(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "task": each["task"].replace("_", " "),
            "n": each["n"],
            "base": _rate(each["base"]),
            "erased": _rate(each["erased"]),
            "change": _kept(each["change"]),
        }
        for each in told["probe"]
    ]


def _concepts(told: Mapping[str, Any]) -> str:
    rows = [Interval(each["name"], each["erased"] / each["base"]) for each in told["concepts"] if each["base"]]
    return intervals("Share of the base's hits that stay, the nearest concepts first", rows, 0.0, None)


def _controls(told: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    parts = (declared.ERASED, declared.NEAR, declared.FAR)
    return [
        (WORDS[arm], ["—" if (v := each[metric.name]) is None else percent(v) for metric in parts])
        for arm, each in told["controls"].items()
    ]


def _costs(run: Run) -> list[dict[str, Any]]:
    own = {m.name for m in declared.VECTOR} | {m.name for m in (declared.RATE, declared.BASE_RATE, declared.FLOOR_RATE)}
    own |= {declared.KEPT.name, declared.CHANGE.name}
    return [
        {
            "label": metric_label(row["metric"]),
            "of": row["dataset"],
            "value": number_text(row["value"]),
            "interval": interval_text(row["low"], row["high"]) if row["low"] is not None else "",
            "how": row["ci_method"],
        }
        for row in run.results
        if row["status"] == "ok" and row["metric"] not in own
    ]


def _facts(run: Run) -> list[tuple[str, str]]:
    record, rule = run.record, run.record["plan"]["protocols"][0]["settings"]["rule"]
    plan = record["plan"]
    models = [
        f"{role.replace('_', ' ')} {m['name']}" + (f", sha256 {m['sha256'][:16]}" if m["sha256"] else "")
        for role, m in plan["models"].items()
    ]
    top = f"among the first {rule['top']}" if rule["top"] else "anywhere"
    return [
        ("command", " ".join(record["command"])),
        ("counts as the concept", f"{', '.join(rule['labels'])} {top}, from a score of {rule['threshold']:g}"),
        ("models", "; ".join(models)),
        ("images", f"{record['data']['n']:,} pairs of {record['prompts']['n']:,} prompts"),
        ("rules", f"{record['protocols'][0]['id']}, sha256 {record['protocols'][0]['sha256'][:16]}"),
        ("made", f"{record['created']} by evalkit {record['evalkit']}"),
    ]
