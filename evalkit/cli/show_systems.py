"""System cards in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from evalkit.cli.screen import Screen
from evalkit.systems.card import RUNNERS, Number, SystemCard
from evalkit.systems.measures import MEASURES, RULES
from evalkit.systems.plan import Needed, not_taken, taken

AFTERWARDS = {
    "ask": 'evalkit query "select * from results"',
    "rank": "evalkit leaderboard runs --reported all",
    "check": "evalkit verify RUN",
}
WIDE = 100  # columns from which a category stands on one line


def show_systems(cards: Sequence[SystemCard]) -> None:
    """One row a system, with its headline number."""
    table = Table(header_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("system", no_wrap=True)
    for heading in ("year", "category", "evaluated", "headline"):
        table.add_column(heading, overflow="fold")
    console = Screen()
    for card in cards:
        headline = Text("—") if card.headline is None else stated(card.headline)
        category = card.category if console.width >= WIDE else card.category.replace("/", "/\n")
        table.add_row(card.id, str(card.year), category, card.runner, headline)
    console.print(table)
    for kind in dict.fromkeys(card.runner for card in cards):
        console.print(Text(f"{kind}: {RUNNERS[kind]}", style="dim"))
    if any(card.headline is not None and not card.headline.verified for card in cards):
        console.print(Text("unverified: quoted by others, not read in the source", style="dim"))
    console.print(Text(f"{len(cards)} systems. More of one: evalkit systems show NAME", style="dim"))


def show_system(card: SystemCard) -> None:
    """What it is, what is stated, and how it is evaluated."""
    console = Screen()
    console.print(Text(card.title, style="bold"))
    console.print(
        Text(f"{card.id} · {card.year} · {card.category} · https://arxiv.org/abs/{card.arxiv}\n", style="dim")
    )
    console.print(Text(f"{card.what}\n"))
    facts = Table(show_header=False, box=None, pad_edge=False)
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    for name, text in _facts(card):
        facts.add_row(name, Text(text))
    console.print(facts)
    console.print()
    if card.numbers:
        console.print(_numbers(card))
        console.print(Text(_rules(card), style="dim"))
    else:
        console.print(Text(f"No number is listed: {card.unstated}."))
    _lists(console, card)
    console.print(Text(f"\nHow to get there: evalkit systems plan {card.id}", style="dim"))


def show_plan(card: SystemCard, weights: Sequence[Needed], *, checked: bool) -> None:
    """The steps, what they need, and what is lacking; `checked`: each command was parsed and its names looked up."""
    console = Screen()
    if card.headline is None:
        console.print(Text(f"{card.id}: no headline number ({card.unstated})", style="bold"))
    else:
        aim = Text.assemble(f"{card.id}: towards ", stated(card.headline), f", {card.headline.setting}", style="bold")
        console.print(aim)
    for number, step in enumerate(card.steps, 1):
        console.print(Text(f"\n{number}. {step.do}"))
        line = f"   $ {step.command or step.outside}"
        style = "green" if step.command else "yellow"
        console.print(Text(line, style=style), soft_wrap=True)  # one line, so that it can be copied
        if checked and step.command:
            console.print(Text("   parsed; every name in it exists", style="dim"))
    if not card.steps:
        console.print(Text("\nThere is nothing to run."))
    console.print(Text(f"\nhardware: {card.hardware}\ndata: {card.data}"))
    for each in weights:
        console.print(Text(f"weights: {each.file} is {each.state}; {each.where}"))
    _lists(console, card)
    if any(" --out " in step.command for step in card.steps):
        said = "; ".join(f"{what}: {command}" for what, command in AFTERWARDS.items())
        console.print(Text(f"\nWith finished runs: {said}", style="dim"))


def stated(number: Number) -> Text:
    """Value and measure; what was not read in the source says so."""
    unit = f" {number.unit}" if number.unit else ""
    text = Text(f"{number.measure} {number.value:g}{unit}")
    if not number.verified:
        text.append(" (unverified)", style="yellow")
    return text


def _facts(card: SystemCard) -> list[tuple[str, str]]:
    code = f"{card.code} ({card.code_note})" if card.code and card.code_note else card.code or card.code_note
    rows = [
        ("code", code),
        ("weights", card.weights),
        ("licence", card.licence),
        ("tokenizer", card.tokenizer),
        ("evaluated", f"{card.runner}: {RUNNERS[card.runner]}"),
        ("generators", ", ".join(card.generators)),
        ("tokenizers", ", ".join(card.tokenizers)),
        ("worker", f"docs/workers/{card.worker}" if card.worker else ""),
        ("also called", ", ".join(card.aliases)),
        ("note", card.note),
    ]
    return [(name, text) for name, text in rows if text]


def _numbers(card: SystemCard) -> Table:
    rules = any(number.rule for number in card.numbers)
    table = Table(title="what is stated", title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("number", "setting", "read in", *(["protocol"] if rules else [])):
        table.add_column(heading, overflow="fold")
    for number in card.numbers:
        source = number.source if number.verified else f"unverified: {number.source}"
        table.add_row(stated(number), number.setting, source, *([number.rule or "not stated"] if rules else []))
    return table


def _rules(card: SystemCard) -> str:
    """What the protocol ids of the numbers mean."""
    ids = dict.fromkeys(number.rule for number in card.numbers if number.rule)
    return "\n".join(f"{each}: {RULES[each]}" for each in ids) or "No protocol is stated with these numbers."


def _lists(console: Console, card: SystemCard) -> None:
    console.print()
    verbs: dict[str, list[str]] = {}
    for name, where in taken(card).items():
        verbs.setdefault(where.partition(":")[0], []).append(MEASURES[name].title)
    for verb, titles in verbs.items():
        console.print(Text(f"evalkit {verb} takes today: {'; '.join(titles)}", style="green"))
    if later := not_taken(card):
        console.print(Text(f"evalkit does not take yet: {'; '.join(MEASURES[name].title for name in later)}"))
    for part in card.missing:
        console.print(Text(f"evalkit lacks: {part}", style="yellow"))
