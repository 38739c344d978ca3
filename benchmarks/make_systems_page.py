"""Write docs/systems.md from the system cards; a test keeps the page equal to what this makes.

python benchmarks/make_systems_page.py
"""

from __future__ import annotations

import os
from pathlib import Path

from click.testing import CliRunner

from evalkit.cli import group
from evalkit.systems import Number, SystemCard, list_systems
from evalkit.systems.card import RUNNERS
from evalkit.systems.measures import MEASURES, RULES
from evalkit.systems.plan import taken

PAGE = Path(__file__).resolve().parents[1] / "docs" / "systems.md"
START = """# The 58 systems

evalkit was founded on 58 papers: autoregressive image generators, their tokenizers, ways to speed them up, to steer them,
to mark what they draw and to make them forget, and benchmarks of all that. Each has a card in `evalkit/systems/`: what
it is, what its authors state and where that was read, and how it is evaluated here. This page is made from the cards by
`benchmarks/make_systems_page.py`.

```console
$ evalkit systems                          # all of them
$ evalkit systems --category tokenizer     # one kind
$ evalkit systems show gigatok             # what it is and what is stated of it
$ evalkit systems plan gigatok             # the commands towards its headline number
$ evalkit systems plan gigatok --dry-run   # the same, each command parsed and each name in it looked up
$ evalkit systems show gigatok --json      # everything, for machines
```

## What a card promises

- A number stands with its setting, with where it was read, and with the id of the protocol by which it was taken, where
  the authors say. What was quoted by others and not read in the source is *unverified*, everywhere it is printed. Numbers
  that nobody could point to a source for are not on the cards.
- A card claims no support that a test does not exercise: every model that it names is registered and its family has a
  test, and every worker is run by one. Every command of every plan is parsed by the real command line, and its names are
  looked up (`tests/unit/systems/`).
- Where evalkit has no command for a measure yet, the plan says so, and names the authors' own program instead.
"""
FACTS = """Two numbers with different protocols are not comparable, even where both are called FID:

| protocol | what it is |
|---|---|
"""


def page() -> str:
    """The whole page."""
    cards = list_systems()
    parts = [START, "## How they are evaluated\n", "| kind | what it means | systems |\n|---|---|---|"]
    for kind, text in RUNNERS.items():
        parts.append(f"| {kind} | {text} | {sum(card.runner == kind for card in cards)} |")
    parts += ["\n## A card\n", printed("show", "gigatok"), "\n## A plan\n", printed("plan", "gigatok", "--dry-run")]
    parts.append("\n## All of them\n\nWith their headline numbers; `evalkit systems show NAME` has the others.")
    for category in sorted({card.category for card in cards}, key=str.lower):
        parts.append(f"\n### {category}\n\n| system | evaluated | headline | evalkit takes today |\n|---|---|---|---|")
        parts += [row(card) for card in cards if card.category == category]
    parts += [
        "\n## Protocols of the numbers\n",
        FACTS + "\n".join(f"| `{name}` | {text} |" for name, text in RULES.items()),
    ]
    return "\n".join(parts) + "\n"


def row(card: SystemCard) -> str:
    """One system."""
    name = f"[{card.id}]({card.code})" if card.code else card.id
    paper = f"[arXiv {card.arxiv}](https://arxiv.org/abs/{card.arxiv}), {card.year}"
    verbs: dict[str, list[str]] = {}
    for measure, where in taken(card).items():
        verbs.setdefault(where.partition(":")[0], []).append(measure)
    names = "; ".join(f"{verb}: {', '.join(measures)}" for verb, measures in verbs.items())
    head = "<br>".join(_cell(each) for each in (name, paper, f"licence: {card.licence}"))
    return f"| {head} | {card.runner} | {_cell(number(card.headline))} | {names or '—'} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def number(found: Number | None) -> str:
    """A headline number with its setting and certainty."""
    if found is None:
        return "none stated"
    unit = f" {found.unit}" if found.unit else ""
    rule = f", `{found.rule}`" if found.rule else ""
    doubt = "" if found.verified else f" *(unverified: {found.source})*"
    return f"{MEASURES[found.measure].title} {found.value:g}{unit}, {found.setting}{rule}{doubt}"


def printed(*arguments: str) -> str:
    """What the command prints on a machine without any weights, in a terminal of 80 columns."""
    nowhere = {"COLUMNS": "80", "EVALKIT_WEIGHTS": os.devnull, "HF_HUB_CACHE": os.devnull, "HF_HOME": os.devnull}
    done = CliRunner().invoke(group, ["systems", *arguments], env=nowhere, catch_exceptions=False)
    lines = [line.rstrip() for line in done.output.rstrip().splitlines()]
    return "\n".join(["```console", f"$ evalkit systems {' '.join(arguments)}", *lines, "```"])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
