"""Measured numbers beside published ones, with whether the protocols allow the comparison."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.table import Table

from evalkit.runs.store import Run
from evalkit.tokenizers.cards import Published, tokenizer_cards


@dataclass(frozen=True)
class Comparison:
    """One published number of a run's model, what was measured of the same metric, and what a reader may conclude."""

    model: str
    published: Published
    measured: float | str | None
    verdict: str


def compare_published(runs: Sequence[Run]) -> Iterator[Comparison]:
    """Every published number of the runs' models, comparable or not."""
    for run in runs:
        name = run.record["model"]["name"]
        card = tokenizer_cards().get(name)
        for number in card.published if card else ():
            found = [r for r in run.results if r["metric"] == number.metric and r["value"] is not None]
            same = [r for r in found if r["protocol"] == number.protocol]
            value = next((row["value"] for row in same or found), None)
            yield Comparison(name, number, value, _verdict(number, run, bool(found), bool(same)))


def published_table(runs: Sequence[Run]) -> Table | None:
    """The comparisons as a table; None where nothing is published."""
    rows = list(compare_published(runs))
    if not rows:
        return None
    table = Table(title="published beside measured", title_justify="left", header_style="bold")
    for heading in ("model", "metric", "published", "measured", "setting and source", "comparable?"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        measured = f"{row.measured:.4g}" if isinstance(row.measured, float) else str(row.measured or "—")
        source = f"{row.published.setting} ({row.published.source}, {row.published.certainty})"
        table.add_row(row.model, row.published.metric, f"{row.published.value:g}", measured, source, row.verdict)
    return table


def _verdict(number: Published, run: Run, found: bool, same: bool) -> str:
    if not found:
        return "no: this run did not measure it"
    data = f"this run saw {run.record['data']['n']} images of {run.record['data']['name']}"
    if number.protocol is None:
        return f"no: the published protocol is not one that evalkit reproduces; {data}"
    if not same:
        return f"no: measured under another protocol; give --protocol {number.protocol}; {data}"
    return f"same protocol; only on the same data: {data}"
