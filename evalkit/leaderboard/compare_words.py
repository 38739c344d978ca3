"""A comparison in sentences, as Markdown for a pull request, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalkit.leaderboard.compare import Comparison, Outcome, Pair
from evalkit.leaderboard.document import number
from evalkit.leaderboard.gates import Judged
from evalkit.leaderboard.tables import md_text
from evalkit.leaderboard.words import rules
from evalkit.pages.labels import metric_label
from evalkit.text import interval_text, number_text, with_unit

MARKS: dict[Outcome, str] = {"better": "▲", "worse": "▼", "not separated": "·", "unknown": "?"}


def sentence(pair: Pair) -> str:
    """What one metric says of b against a."""
    gap, board = pair.gap, pair.board
    name = f"{metric_label(board.terms.metric)} on {board.terms.dataset}"
    size = with_unit(number_text(abs(gap.value)), board.unit)
    way = "equal to" if gap.value == 0 else f"{size} {'above' if gap.value > 0 else 'below'}"
    bounds = interval_text(gap.low, gap.high)
    told = f"95 % interval of the difference {bounds}" if bounds else gap.method
    known = pair.adjusted == pair.adjusted
    chance = f"; p {_equal(gap.p)}, and {p_text(pair.adjusted)} among all comparisons" if known else ""
    return f"{name}: {pair.b.name} is {way} {pair.a.name} ({told}{chance}): {pair.outcome}."


def p_text(p: float) -> str:
    """A p-value, never rounded to zero.

    >>> [p_text(p) for p in (0.0, 0.0004, 0.04, 1.0)]
    ['<0.0001', '0.0004', '0.0400', '1.000']
    """
    return "<0.0001" if p < 0.0001 else number_text(p)


def _equal(p: float) -> str:
    return p_text(p) if p < 0.0001 else f"= {p_text(p)}"


def summary(comparison: Comparison) -> str:
    """How many metrics say what, for each system against the first."""
    first, parts = comparison.entrants[0], []
    for each in comparison.entrants[1:]:
        mine = [pair.outcome for pair in comparison.pairs if pair.b.number == each.number]
        counts = [f"{mine.count(kind)} {kind}" for kind in MARKS if mine.count(kind)]
        parts.append(f"{each.name} against {first.name}: {', '.join(counts) or 'nothing could be compared'}")
    return "; ".join(parts)


def markdown(comparison: Comparison, judged: Sequence[Judged] = ()) -> str:
    """A table of all pairs, conditions and what could not be compared."""
    lines = [f"### {md_text(summary(comparison))}", ""]
    if judged:
        lines += [*(f"- {'❌' if each.failed else '✅'} {md_text(each.sentence)}" for each in judged), ""]
    lines += ["| | metric | system | value | against | difference | 95 % interval | p | p, adjusted |"]
    lines += ["|---|---|---|--:|--:|--:|---|--:|--:|"]
    for pair in comparison.pairs:
        board, gap = pair.board, pair.gap
        arrow = "↑" if board.better == "higher" else "↓"
        unit = f", {board.unit}" if board.unit else ""
        cells = (
            f"{MARKS[pair.outcome]} {pair.outcome}",
            f"{metric_label(board.terms.metric)}{unit} {arrow} on {board.terms.dataset} ({rules(board)})",
            pair.b.name,
            *(number_text(x) for x in (pair.two.value, pair.one.value, gap.value)),
            interval_text(gap.low, gap.high) or "none",
            *(p_text(p) if p == p else "—" for p in (gap.p, pair.adjusted)),
        )
        lines.append(f"| {' | '.join(map(md_text, cells))} |")
    lines += ["", "Differences are paired where samples are shared; p-values are Holm's over all rows.", ""]
    if comparison.left_out:
        lines += ["Not compared:", "", *(f"- {md_text(each)}" for each in comparison.left_out), ""]
    return "\n".join(lines)


def document(comparison: Comparison, judged: Sequence[Judged] = ()) -> dict[str, Any]:
    """The comparison as plain data."""
    return {
        "first": comparison.entrants[0].name,
        "runs": [
            {"system": each.name, "run": each.folder, "record": each.digests["record.json"]}
            for each in comparison.entrants
        ],
        "multiplicity": "Holm over all pairs",
        "pairs": [_pair(each) for each in comparison.pairs],
        "conditions": [
            {
                "metric": each.gate.metric,
                "margin": each.gate.margin,
                "system": each.pair.b.name,
                "dataset": each.pair.board.terms.dataset,
                "failed": each.failed,
                "sentence": each.sentence,
            }
            for each in judged
        ],
        "left_out": list(comparison.left_out),
    }


def _pair(pair: Pair) -> dict[str, Any]:
    terms, gap = pair.board.terms, pair.gap
    return {
        "metric": terms.metric,
        "dataset": terms.dataset,
        "protocol": terms.protocol,
        "n": terms.n,
        "common_of": list(pair.board.common),
        "unit": pair.board.unit,
        "better": pair.board.better,
        "system": pair.b.name,
        "against": pair.a.name,
        "value": number(pair.two.value),
        "value_against": number(pair.one.value),
        "difference": number(gap.value),
        "low": gap.low,
        "high": gap.high,
        "method": gap.method,
        "p": number(gap.p),
        "p_adjusted": number(pair.adjusted),
        "outcome": pair.outcome,
        "sentence": sentence(pair),
    }
