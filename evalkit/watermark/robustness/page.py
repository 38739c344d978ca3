"""report.html of a robustness run: curves, the comparison as a table, who was absent and why; one file, no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from evalkit.metrics.psnr import PSNR
from evalkit.pages.curves import CSS, STYLES, Dot, chart
from evalkit.pages.html import run_page
from evalkit.text import listed
from evalkit.watermark.robustness.rows import NOTHING
from evalkit.watermark.robustness.strengths import families, family
from evalkit.watermark.robustness.summary import levels_of

KEPT, LOST, FEW = 0.95, 0.05, 5  # shares of images; attacks that a sentence names


def page(said: Mapping[str, Any]) -> str:
    """The page over what robustness.json says; the same rows give the same text."""
    rows = said["rows"]
    names = list(dict.fromkeys(row["contender"] for row in rows))
    styles = {name: number for number, name in enumerate(names)}
    levels = levels_of(rows)
    content = {
        "names": [
            {"name": name, "style": number % STYLES, "null": said["nulls"][name]} for name, number in styles.items()
        ],
        "levels": levels,
        "answers": answers(rows, said["embedding"], levels),
        "figures": _figures(rows, styles, levels),
        "rows": rows,
        "embedding": said["embedding"],
        "absent": said["absent"],
        "failed": said["failed"],
        "lpips": said["lpips_unavailable"],
        "images": max((row["marked"] for row in rows), default=0),
    }
    return run_page("evalkit.watermark.robustness", content, style=CSS, filters={"number": _number})


def answers(
    rows: Sequence[Mapping[str, Any]], embedding: Sequence[Mapping[str, Any]], levels: Sequence[str]
) -> list[tuple[str, str]]:
    """(contender, what its mark survives, what it does not, and what marking cost), at the middle level."""
    if not levels:
        return []
    level = levels[len(levels) // 2]
    cost = {row["contender"]: row[PSNR.name] for row in embedding}
    found = []
    for name in dict.fromkeys(row["contender"] for row in rows):
        shares = {row["attack"]: row[f"tpr_{level}"] for row in rows if row["contender"] == name}
        tested = {attack: share for attack, share in shares.items() if share is not None}
        before = tested.pop(NOTHING, None)
        kept = [attack for attack, share in tested.items() if share >= KEPT]
        lost = [attack for attack, share in tested.items() if share <= LOST]
        parts = [
            f"at FPR {level} found in {KEPT * 100:g} % or more of its images after {len(kept)} of {len(tested)} attacks"
        ]
        parts += [f"in {100 * before:.3g} % before any attack"] if before is not None else []
        parts += [f"survives {listed(kept, FEW)}"] if kept else []
        parts += [f"found in {LOST * 100:g} % or fewer after {listed(lost, FEW)}"] if lost else []
        parts += [f"marking cost a PSNR of {cost[name]:.1f} dB"] if cost.get(name) is not None else []
        found.append((str(name), "; ".join(parts)))
    return found


def _figures(
    rows: Sequence[Mapping[str, Any]], styles: Mapping[str, int], levels: Sequence[str]
) -> list[dict[str, Any]]:
    """Shares found at the middle level over each kind's strength, and over PSNR at every level."""
    if not levels:
        return []
    middle = levels[len(levels) // 2]
    found = []
    for kind, attacks in families(rows).items():
        mine = [row for row in rows if row["attack"] in attacks]
        series = _series(mine, styles, middle, lambda row: (family(row["attack"]) or ("", 0.0))[1])
        found.append(
            {
                "title": kind,
                "about": f"found at FPR {middle}",
                "figure": Markup(chart(kind, "found", series, styles, line=True)),
            }
        )
    for level in levels:
        lossy = [row for row in rows if row[PSNR.name] is not None and row[PSNR.name] < 60]
        series = _series(lossy, styles, level, lambda row: float(row[PSNR.name]), named=True)
        figure = chart("PSNR after the attack, dB", "found", series, styles, line=False)
        if figure:
            found.append(
                {
                    "title": "quality lost",
                    "about": f"found at FPR {level}, all attacks that keep the size",
                    "figure": Markup(figure),
                }
            )
    return found


def _series(
    rows: Sequence[Mapping[str, Any]], styles: Mapping[str, int], level: str, x: Any, *, named: bool = False
) -> dict[str, list[Dot]]:
    series: dict[str, list[Dot]] = {name: [] for name in styles}
    for row in rows:
        share, low, high = (row[f"tpr_{level}{end}"] for end in ("", "_low", "_high"))
        if share is None:
            continue
        words = f"{row['contender']}, {row['attack']}: {share:.3f} ({low:.3f} to {high:.3f}) of {row['marked']}"
        series[row["contender"]].append(Dot(x(row), share, low, high, words, str(row["attack"]) if named else ""))
    return {name: dots for name, dots in series.items() if dots}


def _number(value: Any, digits: int = 2) -> str:
    return "—" if value is None else f"{value:.{digits}f}"
