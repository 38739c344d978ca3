"""`evalkit erasure`: pairs of prompts, training of erasers, and whether a concept is really gone."""

from __future__ import annotations

import click

from evalkit.cli.erasure_check import check
from evalkit.cli.erasure_pairs import pairs
from evalkit.cli.erasure_train import train


@click.group()
def erasure() -> None:
    """Make pairs of prompts, train erasers of a concept, and check what was erased and what it cost.

    \b
    evalkit erasure pairs --concept dog --model world-ar --out PAIRS
    evalkit erasure train --model world-ar --method replace+retain --pairs PAIRS/pairs.jsonl --out ERASER
    evalkit erasure check --base world-ar --erased ERASER --pairs PAIRS/pairs.jsonl
    """


erasure.add_command(pairs)
erasure.add_command(train)
erasure.add_command(check)
