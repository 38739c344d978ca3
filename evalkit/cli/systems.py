"""`evalkit systems`: the systems of the literature, what is stated of them, and how to evaluate them here."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from evalkit.systems.card import SystemCard


class SystemsGroup(click.Group):
    """Says what to type where a system's name stands in the place of `show` or `plan`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The subcommand, or an error that proposes one."""
        if args and args[0] not in self.commands:
            raise click.UsageError(
                f"there is no {args[0]!r} here; type: evalkit systems show {args[0]}, or: evalkit systems plan {args[0]}",
                ctx,
            )
        return super().resolve_command(ctx, args)


@click.group(cls=SystemsGroup, invoke_without_command=True)
@click.option("--category", help="Only those whose category has this in its name, such as t2i or editing.")
@click.option("--runner", metavar="native|library|worker|…", help="Only those that are evaluated in this way.")
@click.option("--json", "as_json", is_flag=True, help="Whole cards, as JSON.")
@click.pass_context
def systems(ctx: click.Context, category: str | None, runner: str | None, as_json: bool) -> None:
    """The systems of the literature: what they state, how sure that is, and how to evaluate them here.

    \b
    evalkit systems                          all of them
    evalkit systems --category tokenizer     one kind
    evalkit systems show gigatok             what it is and what is stated of it
    evalkit systems plan gigatok             the commands towards its headline number
    """
    if ctx.invoked_subcommand is not None:
        return
    from evalkit.cli.show_systems import show_systems
    from evalkit.systems import list_systems

    found = list_systems(category, runner)
    if as_json:
        click.echo(json.dumps([_whole(card) for card in found], indent=1, ensure_ascii=False))
    else:
        show_systems(found)


@systems.command()
@click.argument("id")
@click.option("--json", "as_json", is_flag=True, help="The whole card, as JSON.")
def show(id: str, as_json: bool) -> None:
    """Print what the system ID is, and the numbers that are stated of it with setting, rule and certainty.

    \b
    evalkit systems show var
    """
    from evalkit.cli.show_systems import show_system
    from evalkit.systems import load_system

    card = load_system(id)
    if as_json:
        click.echo(json.dumps(_whole(card), indent=1, ensure_ascii=False))
    else:
        show_system(card)


@systems.command()
@click.argument("id")
@click.option("--dry-run", is_flag=True, help="Parse every command and look its names up, and run nothing.")
@click.option("--json", "as_json", is_flag=True, help="The steps and what they need, as JSON.")
def plan(id: str, dry_run: bool, as_json: bool) -> None:
    """Print the commands that lead to the headline number of ID, what they need, and what evalkit lacks.

    \b
    evalkit systems plan var
    evalkit systems plan gigatok --dry-run
    """
    from evalkit.cli.dry_run import check_line, parse_line
    from evalkit.cli.show_systems import show_plan
    from evalkit.systems import load_system
    from evalkit.systems.plan import needed_weights

    card = load_system(id)
    parse = check_line if dry_run else parse_line
    parsed = [parse(step.command) for step in card.steps if step.command]
    weights = needed_weights(list(dict.fromkeys(name for each in parsed for name in each.models)))
    if as_json:
        click.echo(json.dumps(_plan(card, weights), indent=1, ensure_ascii=False))
    else:
        show_plan(card, weights, checked=dry_run)


def _whole(card: SystemCard) -> dict[str, Any]:
    from evalkit.systems.plan import not_taken, taken

    return {**dataclasses.asdict(card), "taken": taken(card), "not_taken": not_taken(card)}


def _plan(card: SystemCard, weights: list[Any]) -> dict[str, Any]:
    from evalkit.systems.plan import not_taken, taken

    return {
        "id": card.id,
        "headline": dataclasses.asdict(card.headline) if card.headline else None,
        "steps": [dataclasses.asdict(step) for step in card.steps],
        "hardware": card.hardware,
        "data": card.data,
        "weights": [dataclasses.asdict(each) for each in weights],
        "taken": taken(card),
        "not_taken": not_taken(card),
        "missing": card.missing,
    }
