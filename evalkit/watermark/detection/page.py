"""report.html of a detection: summary, QQ plot, the most significant images with heat maps, errors; one file, no network."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup

from evalkit.jsonio import parse_json
from evalkit.metrics.watermark import DETECTED_SHARE, EXPECTED_FALSE, P_EXCESS, P_EXCESS_P
from evalkit.pages.html import run_page
from evalkit.runs.store import Run
from evalkit.text import counted, number_text
from evalkit.watermark.detection.messages import message_text
from evalkit.watermark.detection.qq import qq_plot
from evalkit.watermark.detection.results import whose
from evalkit.watermark.detection.verdict import DETECTED, INCONCLUSIVE, Rule
from evalkit.watermark.methods.plain import members

ROWS, FAILED, BYTES = 50, 50, 6_000_000  # table rows, errors listed, and embedded bytes at most
STYLES = {DETECTED: "yes", INCONCLUSIVE: "open"}


def page(run: Run) -> str:
    """report.html of a sealed detection; the same run gives the same text."""
    style = (package_files("evalkit.watermark.detection") / "page.css").read_text(encoding="utf-8")
    content = {"record": run.record, "facts": _facts(run), **_content(run)}
    return run_page("evalkit.watermark.detection", content, style=style)


def p_text(log10_p: float | None) -> str:
    """A p-value from its logarithm, true however small it is.

    >>> p_text(-400.3), p_text(-1.30103), p_text(0.0)
    ('5.0e-401', '0.050', '1.000')
    """
    if log10_p is None or log10_p != log10_p:
        return "—"
    if log10_p > -3:
        return f"{10**log10_p:.3f}"
    power = int(np.floor(log10_p))
    digits = 10 ** (log10_p - power)
    return f"{digits:.1f}e{power}" if digits < 9.95 else f"1.0e{power + 1}"


def verdict_line(run: Run) -> str:
    """The finding in one or two sentences, for page and terminal."""
    told, counts = run.record["detection"], run.record["detection"]["counts"]
    rule, n = told["rule"], run.record["data"]["n"] - counts["error"]
    value = {row["metric"]: row for row in run.results}
    share = value[DETECTED_SHARE.name]
    if not n:
        return f"None of {counted(run.record['data']['n'], 'image')} could be read."
    line = f"The mark of key {_keys(run)} was detected in {counts['detected']:,} of {counted(n, 'image')}"
    line += f" ({100 * share['value']:.1f} %, 95 % interval {100 * share['low']:.1f} to {100 * share['high']:.1f})"
    expected = number_text(value[EXPECTED_FALSE.name]["value"])
    over = whose(Rule(**rule))
    if rule["fdr"] is None:
        return f"{line}, at p up to {rule['alpha']:g}; without any marked image at most {expected} would be, {over}."
    line += f", at a false discovery rate of {rule['fdr']:g}: at most {expected} false groups are expected among them"
    return f"{line}, {over}."


def region_line(run: Run) -> str:
    """How many images carry the mark in a part, for page and terminal; "" where nobody asked."""
    told = run.record["detection"].get("regions")
    if told is None:
        return ""
    n = run.record["data"]["n"] - run.record["detection"]["counts"]["error"]
    return (
        f"Regions that carry the mark: in {told['images']:,} of {counted(n, 'image')}. An image without the mark gets one with "
        f"a chance of at most {told['level']:g}, all windows together. Boxes are in the column regions."
        + (
            f" In {told['gaps']:,} of these a part lacks the mark (column gaps): exchanged, or hardly marked to begin with."
            if told.get("gaps")
            else ""
        )
    )


def _content(run: Run) -> dict[str, Any]:
    told, samples = run.record["detection"], run.samples
    rule, counts = told["rule"], told["counts"]
    good = samples.filter(pc.is_null(samples["error"]))
    bad = samples.filter(pc.is_valid(samples["error"]))
    rows = [shown_row(row) for row in most_significant(run, ROWS)]
    calibrated = told["calibration"] is not None
    decides = np.array(good[deciding(run)].to_numpy())
    limit = rule["alpha"] if rule["fdr"] is None else 10 ** counts["log10_cut"]
    value = {row["metric"]: row for row in run.results}
    return {
        "summary": verdict_line(run),
        "tiles": _tiles(run),
        "threshold": f"{limit:.2g}",
        "warnings": told.get("warnings", []),
        "qq": Markup(qq_plot(decides, rule["alpha"])),
        "tests": _tests(told),
        "calibrated": calibrated,
        "decoyed": told["rule"]["decide"] == "decoys",
        "decoys": decoy_line(run),
        "located": region_line(run),
        "decided_by": decided_by(run),
        "uniformity": _uniformity(value),
        "heat": _heat(run, good),
        "rows": rows,
        "more": f"the first {ROWS} of {good.num_rows:,}; all are in samples.csv" if good.num_rows > ROWS else "",
        "searched": bool(told["search"]),
        "c2pa": told["c2pa"] is not None,
        "failed": bad.num_rows,
        "errors": bad[:FAILED].select(["id", "error"]).to_pylist(),
    }


def _tiles(run: Run) -> list[dict[str, str]]:
    counts, n = run.record["detection"]["counts"], run.record["data"]["n"]
    value = {row["metric"]: row for row in run.results}
    tiles = [
        {"name": "Detected", "value": f"{counts['detected']:,}", "about": f"of {n:,} files"},
        {"name": "Not detected", "value": f"{counts['not detected']:,}", "about": "which is not “not generated”"},
        {"name": "Inconclusive", "value": f"{counts['inconclusive']:,}", "about": open_because(counts)},
        {"name": "Errors", "value": f"{counts['error']:,}", "about": "could not be read"},
    ]
    if EXPECTED_FALSE.name in value:
        expected = value[EXPECTED_FALSE.name]
        found = next(row for row in run.results if row["metric"].startswith("discoveries"))
        tiles.append({"name": "Expected by chance", "value": number_text(expected["value"]), "about": expected["unit"]})
        about = f"of {counts['hypotheses']:,}, FDR {found['metric'].rpartition('_')[2]}"
        tiles.append({"name": "Distinct images called", "value": f"{found['value']:,}", "about": about})
    return tiles


def most_significant(run: Run, most: int) -> list[dict[str, Any]]:
    """Rows of the images with the smallest p that decides, then exact p."""
    good = run.samples.filter(pc.is_null(run.samples["error"]))
    keys = dict.fromkeys((deciding(run), "log10_p", "id"), "ascending")
    rows: list[dict[str, Any]] = good.take(pc.sort_indices(good, sort_keys=list(keys.items()))[:most]).to_pylist()
    return rows


def deciding(run: Run) -> str:
    """The column with the p that decides; runs before format 3 of plans hold the exact one alone."""
    return "log10_p_decides" if "log10_p_decides" in run.samples.column_names else "log10_p"


def decided_by(run: Run) -> str:
    """What the p in tables is called: `p` where there is one, else whose it is."""
    told = run.record["detection"]
    if told["rule"]["decide"] == "decoys":
        return "p by decoys"
    return "p" if told["calibration"] is None else f"{told['rule']['decide']} p"


def decoy_line(run: Run) -> str:
    """What decoy keys say of the key's false calls and of the folder, for page and terminal; "" without them."""
    told = run.record["detection"].get("decoys")
    if told is None:
        return ""
    rate, keys, folder_p = told["false_calls"], told["keys"], told["folder_p"]
    least = ", the smallest that so many keys can tell" if folder_p <= 1 / (keys + 1) + 1e-12 else ""
    return (
        f"{keys} decoy keys, which nobody marked with: at p {told['level']:.2g} they call {100 * rate['mean']:.2g} % of these "
        f"very images, 95 in 100 of them {100 * rate['low']:.2g} to {100 * rate['high']:.2g} %. p of the folder as a whole: "
        f"{folder_p:.2g}{least}."
    )


def open_because(counts: dict[str, Any]) -> str:
    """Why images are inconclusive, by their number."""
    nulls, few = counts.get("inconclusive_nulls", 0), "too few different codes"
    if not nulls:
        return few
    codes = counts["inconclusive"] - nulls
    return f"{codes:,} {few}, {nulls:,} too few null images" if codes else "too few null images in the calibration"


def shown_row(row: dict[str, Any]) -> dict[str, Any]:
    """A row of samples.parquet with its numbers as texts, for page and terminal."""
    calibrated = row["p_calibrated"]
    return {
        **row,
        "told": message_text(row),
        "style": STYLES.get(row["verdict"], "no"),
        "p": p_text(row["log10_p"]),
        "p_decides": p_text(row.get("log10_p_decides", row["log10_p"])),
        "p_calibrated": "—" if calibrated is None else f"{calibrated:.2g}",
        "q": "—" if row["q"] is None else f"{row['q']:.2g}",
        "z": f"{row['z_uncalibrated']:.1f}",
        "part": _part(row),
        "transform": row["transform"] if row["verdict"] == DETECTED else "",  # of others the best view is chance
    }


def _part(row: Mapping[str, Any]) -> str:
    """How much of the area carries the mark, and lacks it; "" where nobody asked, or none does."""
    if not row.get("region_share"):
        return ""
    lacking = f", lacking in {100 * row['gap_share']:.0f} %" if row.get("gap_share") else ""
    return f"{100 * row['region_share']:.0f} % of the area{lacking}"


def _heat(run: Run, good: pa.Table) -> list[dict[str, Any]]:
    index = run.path / "heat" / "index.json"
    entries = parse_json(index.read_bytes(), str(index)) if index.exists() else []
    found, left = [], BYTES
    for entry in entries:
        rows = good.filter(pc.equal(good["id"], entry["id"])).to_pylist()
        files = [entry.get("image") or entry["picture"], *entry["panels"]]  # evalkit 0.1 said picture
        data = [_data(run.path / name) for name in files]
        left -= sum(len(each) for each in data)
        if not rows or left < 0:
            continue
        found.append({**shown_row(rows[0]), "image": data[0], "panels": [each for each in data[1:] if each]})
    return found


def _tests(told: dict[str, Any]) -> str:
    lists, views = sum(int(each.get("lists") or 1) for each in members(told["mark"])), len(told["views"])
    if lists * views == 1:
        return "one list and no search"
    return f"{lists * views:,} tests ({counted(lists, 'list')}, {counted(views, 'view')} of the image)"


def _uniformity(value: dict[str, Any]) -> str:
    if P_EXCESS.name not in value:
        return ""
    excess, p = value[P_EXCESS.name]["value"], value[P_EXCESS_P.name]["value"]
    return (
        f"Uniformity: p-values lie below their expectation by at most {number_text(excess)} (one-sided "
        f"Kolmogorov-Smirnov, p {number_text(p)}). In a folder without marked images an excess is a warning about this "
        "key; in a folder with marked ones it is what they leave."
    )


def _keys(run: Run) -> str:
    mark = run.record["detection"]["mark"]
    ids = [each["key_id"] for each in mark.get("marks", [mark])]
    return ", ".join(dict.fromkeys(ids))


def _facts(run: Run) -> list[tuple[str, str]]:
    record, told = run.record, run.record["detection"]
    model, timings = record["model"], record["timings"]
    rate = timings["images_per_second"]
    found = [
        ("command", " ".join(record["command"])),
        ("mark", json.dumps(told["mark"], ensure_ascii=False)),
        ("tokenizer", f"{model['identity']} on {model['device']}"),
        ("preparation", str(model["preparation"])),
        ("rule", json.dumps(told["rule"], ensure_ascii=False)),
        ("search", ", ".join(told["search"]) or "none: each image itself"),
        ("calibration", f"sha256 {told['calibration']}" if told["calibration"] else "none"),
        ("decoys", json.dumps(told["decoys"]) if told.get("decoys") else "none"),
        ("duplicates", f"{record['data']['duplicates']:,} images have the bytes of another one"),
        ("data", f"{record['data']['name']}, {record['data']['n']:,} files, listing sha256 {record['data']['digest']}"),
        ("time", f"{rate:g} images a second; bound by {timings['bound_by']}" if rate else ""),
        ("made", f"{record['created']} by evalkit {record['evalkit']}"),
    ]
    return [(name, text) for name, text in found if text]


def _data(path: Path) -> str:
    try:
        return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
    except OSError:  # gone since
        return ""
