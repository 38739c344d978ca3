"""`evalkit watermark power`: whether a mark can be found in an image of so many codes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from evalkit.cli.numbers import FINITE, NUMBER

if TYPE_CHECKING:
    from evalkit.watermark.payload.capacity import MessageRow
    from evalkit.watermark.power import PowerRow


@click.command()
@click.option("--tokens", type=click.IntRange(min=1), required=True, help="Distinct codes of an image.")
@click.option("--delta", type=NUMBER, help="What green logits are raised by; inf for the hard variant.")
@click.option(
    "--green",
    type=FINITE,
    help="In place of --delta: share of green codes read back, as `embed` tells of marked images.",
)
@click.option("--gamma", type=FINITE, default=0.5, show_default=True, help="Share of green codes.")
@click.option(
    "--match",
    "matches",
    type=FINITE,
    multiple=True,
    help="Share of codes read back as they were [default: 1 0.7 0.5 0.3].",
)
@click.option("--lists", type=click.IntRange(min=1), default=1, show_default=True, help="Lists in the pool.")
@click.option("--fpr", "levels", type=FINITE, multiple=True, help="False-positive rate [default: 1e-2 1e-3 1e-6].")
@click.option("--power", "wanted", type=FINITE, default=0.9, show_default=True, help="Power to plan for.")
@click.option(
    "--bits", type=click.IntRange(min=1), help="Also: the chance to read a message of so many bits (method payload)."
)
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON, and nothing else, on stdout.")
def power(
    tokens: int,
    delta: float | None,
    green: float | None,
    gamma: float,
    matches: tuple[float, ...],
    lists: int,
    levels: tuple[float, ...],
    wanted: float,
    bits: int | None,
    as_json: bool,
) -> None:
    """Say how likely a mark is found, and how many distinct codes it needs.

    \b
    evalkit watermark power --tokens 256 --delta 2
    evalkit watermark power --tokens 180 --delta 2 --match 0.66 --lists 64 --fpr 1e-6
    evalkit watermark power --tokens 256 --delta 2 --bits 32
    evalkit watermark power --tokens 256 --green 0.7              images marked by pixels; match: of an edit

    TOKENS are distinct codes: a code that an image repeats is one coin. Powers are exact (binomial) and suppose flat
    logits, so they are upper bounds: where a model is sure of its next code, no bias moves it.
    """
    from evalkit.watermark.payload.capacity import message_table
    from evalkit.watermark.power import MarkPlan, delta_of, power_table

    if (delta is None) == (green is None):
        raise click.UsageError("give --delta, for images that are marked while they are made, or --green SHARE")
    bias = delta if delta is not None else delta_of(green or 0.0, gamma)
    plans = [
        MarkPlan(bias, gamma, match, lists, alpha)
        for alpha in levels or (1e-2, 1e-3, 1e-6)
        for match in matches or (1.0, 0.7, 0.5, 0.3)
    ]
    rows = power_table(plans, tokens, wanted)
    told = [] if bits is None else message_table(plans, bits, tokens, wanted)
    if as_json:
        said = {"power_wanted": wanted, "rows": [_plain(row) for row in rows]}
        if told:
            said["messages"] = [_plain_message(row) for row in told]
        click.echo(json.dumps(said, indent=1))
        return
    _show(rows, wanted)
    if told:
        _show_messages(told, wanted)


def _plain(row: PowerRow) -> dict[str, Any]:
    plan = row.plan
    return {
        "tokens": row.codes,
        "gamma": plan.gamma,
        "delta": plan.delta if plan.delta != float("inf") else "inf",
        "lists": plan.lists,
        "fpr": plan.alpha,
        "match": plan.match,
        "green_share": plan.green,
        "greens_needed": row.greens,
        "power": row.power,
        "tokens_needed": row.needed,
        "tokens_needed_normal": row.needed_normal,
    }


def _plain_message(row: MessageRow) -> dict[str, Any]:
    return {
        "tokens": row.codes,
        "bits": row.bits,
        "fpr": row.plan.alpha,
        "match": row.plan.match,
        "present": row.present,
        "read": row.read,
        "tokens_needed": row.needed,
    }


def _show_messages(rows: list[MessageRow], wanted: float) -> None:
    from rich import box
    from rich.table import Table

    from evalkit.cli.screen import Screen

    table = Table(
        title=f"messages of {rows[0].bits} bits in {rows[0].codes} distinct codes, a quarter of them pilots",
        title_style="dim", title_justify="left", header_style="bold", box=box.SIMPLE_HEAD,
    )  # fmt: skip
    for heading in ("FPR", "match", "green share", "seen to be there", "read", f"codes to read {wanted:g} of them"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            f"{row.plan.alpha:g}", f"{row.plan.match:g}", f"{row.plan.green:.3f}", _share(row.present), _share(row.read),
            "—" if row.needed is None else f"{row.needed:,}",
        )  # fmt: skip
    Screen().print(table)


def _show(rows: list[PowerRow], wanted: float) -> None:
    from rich import box
    from rich.table import Table

    from evalkit.cli.screen import Screen

    first = rows[0]
    pool = f"a pool of {first.plan.lists} lists" if first.plan.lists > 1 else "one list"
    table = Table(
        title=f"{first.codes} distinct codes, gamma {first.plan.gamma:g}, delta {first.plan.delta:g}, {pool}",
        title_style="dim", title_justify="left", header_style="bold", box=box.SIMPLE_HEAD,
    )  # fmt: skip
    needs = f"codes for power {wanted:g}"
    for heading in ("FPR", "match", "green share", "green codes needed", "power", needs, "(normal approximation)"):
        table.add_column(heading, justify="right")
    before = None
    for row in rows:
        if before not in (None, row.plan.alpha):
            table.add_section()
        table.add_row(
            f"{row.plan.alpha:g}" if before != row.plan.alpha else "", f"{row.plan.match:g}", f"{row.plan.green:.3f}",
            "out of reach" if row.greens is None else str(row.greens), _share(row.power),
            "—" if row.needed is None else f"{row.needed:,}",
            "—" if row.needed_normal is None else f"{row.needed_normal:,}",
        )  # fmt: skip
        before = row.plan.alpha
    console = Screen()
    console.print(table)
    console.print(
        "Upper bounds: flat logits are supposed, and every code of an image counted once. Powers are exact (binomial),\n"
        "with the false-positive rate shared by the lists (Bonferroni), as `evalkit watermark detect` does.",
        style="dim", highlight=False,
    )  # fmt: skip


def _share(value: float) -> str:
    return ">0.999" if 0.999 < value < 1 else "<0.001" if 0 < value < 0.001 else f"{value:.3f}"
