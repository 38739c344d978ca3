"""`evalkit probe`: does a generator do what it is told?"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from evalkit.cli.every import for_every_verb
from evalkit.cli.judge_options import judge_options
from evalkit.cli.numbers import FINITE
from evalkit.cli.options import run_options
from evalkit.errors import EvalkitError
from evalkit.jobs.options import RunOptions

if TYPE_CHECKING:
    from evalkit.runs.store import Run
    from evalkit.tasks.probe.judged.options import JudgeOptions

FILE = click.Path(path_type=Path)
SUB_VERBS = {
    "decoder": ("evalkit.cli.decoder", "decoder"),
    "rounds": ("evalkit.cli.rounds", "rounds"),
}
_RULES = (
    click.option("--threshold", type=FINITE, help="A detection counts above this score [default: the suite's]."),
    click.option("--counting-threshold", type=FINITE, help="The same in the task counting [default: the suite's]."),
    click.option("--max-objects", type=int, help="Detections of a class that count, by score [default: 16]."),
    click.option(
        "--max-overlap", type=FINITE, help="Overlap from which the weaker one is dropped; 1 keeps all [default: 1]."
    ),
    click.option(
        "--position-threshold", type=FINITE, help="Share of both sizes that a place must differ by [default: 0.1]."
    ),
)


def rule_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the numbers in GenEval's rules; the command receives `rules`, those that were given."""
    import functools

    @functools.wraps(command)
    def collected(**given: Any) -> Any:
        names = ("threshold", "counting_threshold", "max_objects", "max_overlap", "position_threshold")
        values = {name: given.pop(name) for name in names}
        return command(**given, rules={name: value for name, value in values.items() if value is not None})

    for option in reversed(_RULES):
        collected = option(collected)
    return collected


class Suites(click.Group):
    """A group whose first word may be a suite, which then is scored."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The sub-verb of that name, else scoring with all words."""
        if args and args[0] in SUB_VERBS:
            return args[0], self.get_command(ctx, args[0]), args[1:]
        return "", self.get_command(ctx, ""), args

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The sub-verbs."""
        return list(SUB_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A sub-verb, or scoring."""
        if cmd_name not in SUB_VERBS:
            return for_every_verb(score)
        module, name = SUB_VERBS[cmd_name]
        command = getattr(importlib.import_module(module), name)
        return for_every_verb(command) if isinstance(command, click.Command) else None

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The sub-verbs and the suites."""
        suite = next(each for each in for_every_verb(score).params if each.name == "suite")
        return [*super().shell_complete(ctx, incomplete), *suite.shell_complete(ctx, incomplete)]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Help of the group is that of scoring."""
        if args[:1] in (["-h"], ["--help"]) or not (args or ctx.resilient_parsing):
            args = ["SUITE", "--help"]
        return super().parse_args(ctx, args)


@click.command()
@click.argument("suite")
@click.option("--images", metavar="DIR|RUN", help="A run of evalkit generate, or NNNNN/samples/KKKK.png; or s3://….")
@click.option("--model", "-m", help="Make the images first, in a run beside.")
@click.option("--evidence", type=FILE, metavar="FILE|RUN", help="What was seen before: rules only, no image needed.")
@click.option("--export-evidence", type=FILE, metavar="FILE", help="Copy the evidence to FILE (.jsonl or .jsonl.gz).")
@click.option("--detector", metavar="NAME", help="Who looks for objects [default: the suite's; see evalkit ls probes].")
@click.option("--samples", "-n", type=click.IntRange(min=1), help="Images of each prompt [default: the suite's].")
@click.option("--allow-missing", is_flag=True, help="Score what is there; the coverage is stated.")
@click.option(
    "--policy", metavar="NAME", help="For lost replies: drop, zero, worst, random, abort [default: official]."
)
@click.option(
    "--made",
    multiple=True,
    metavar="HOW",
    help="Images were not made in one go: rewritten=NAME, best-of=N, thinking; ranked apart.",
)
@click.option("--reask", type=FILE, metavar="RUN", help="Ask anew what this run of a judged suite lost.")
@judge_options
@rule_options
@run_options
def score(
    suite: str,
    images: str | None,
    model: str | None,
    evidence: Path | None,
    export_evidence: Path | None,
    detector: str | None,
    samples: int | None,
    allow_missing: bool,
    policy: str | None,
    made: tuple[str, ...],
    reask: Path | None,
    judging: JudgeOptions,
    rules: dict[str, float | str],
    options: RunOptions,
    as_json: bool,
) -> None:
    """Score how often images show what their prompts ask for.

    \b
    evalkit probe world --model world-ar --limit 60               nothing to download
    evalkit probe world --images runs/generate-world-ar-1234567890
    evalkit probe geneval --images FOLDER                         GenEval's own layout
    evalkit probe geneval --evidence RUN --threshold 0.4          other numbers in the rules, in seconds
    evalkit probe geneval --evidence detections.jsonl.gz          anybody's detector
    evalkit probe wise --images DIR --judge http:URL#MODEL        a judge scores; evalkit probes fetch wise first
    evalkit probe wise --reask RUN --judge http:URL#MODEL         lost replies only

    SUITE is geneval, world or another one that evalkit ls probes names, or a TOML file of your own. What networks see is
    kept as evidence.jsonl in the run; rules are applied to it. Images that are missing are an error unless
    --allow-missing. Scores of a detector that is not the benchmark's own bear its name. Typed again, an interrupted run
    goes on. Exit code 1: some images could not be read (they are listed), 2: wrong usage or missing weights.
    """
    from evalkit.tasks.probe import probe as run_probe
    from evalkit.tasks.probe.reask import reask as asked_again

    if reask is not None:
        given: dict[str, object] = {
            "--images": images,
            "--model": model,
            "--evidence": evidence,
            "--export-evidence": export_evidence,
            "--detector": detector,
            "--made": made,
            "--samples": samples,
            "--allow-missing": allow_missing,
            "--policy": policy,
            "a number of the rules": rules,
        }
        if odd := [name for name, value in given.items() if value]:
            raise EvalkitError(f"--reask asks again what RUN asked, as RUN asked it. Leave out {odd[0]}")
        named = None if suite.endswith(".toml") else suite
        run = asked_again(reask, suite=named, judge=judging, options=options)
    else:
        run = run_probe(
            suite,
            images,
            model=model,
            evidence=evidence,
            export_evidence=export_evidence,
            detector=detector,
            judge=judging,
            rules={**rules, **({"policy": policy} if policy else {})},
            samples=samples,
            allow_missing=allow_missing,
            made=made,
            options=options,
        )
    (_print_json if as_json else _show)(run)
    if run.samples["error"].null_count < run.samples.num_rows:
        sys.exit(1)


def _print_json(run: Run) -> None:
    said = {
        "run": run.path.as_posix(),
        "model": run.record["model"]["name"],
        "probe": run.record["probe"],
        "results": run.results,
    }
    click.echo(json.dumps(said, indent=1, ensure_ascii=False))


def _show(run: Run) -> None:
    from rich.text import Text

    from evalkit.cli.screen import Screen
    from evalkit.cli.show import comparison, failed_samples
    from evalkit.tasks.probe.words import coverage_sentence, notes
    from evalkit.text import visible

    console = Screen()
    ranked = [row for row in run.results if row["better"] != "none"]
    console.print(comparison([replace(run, results=ranked)], full=True))
    told = run.record["probe"]
    console.print(Text(visible(coverage_sentence(told)), style="" if told["probed"] == told["expected"] else "yellow"))
    for said in notes(told):
        console.print(Text(visible(said), style="yellow"), soft_wrap=True)
    for row in failed_samples([run])[:20]:
        console.print(Text(visible(f"{row['id']}: {row['error']}"), style="red"), soft_wrap=True)
    console.print(Text(visible(f"evidence: {run.path / 'evidence.jsonl'}")), soft_wrap=True)
    console.print(Text(visible(f"report: {run.path / 'report.html'}"), style="bold"), soft_wrap=True)


@click.group(cls=Suites, invoke_without_command=False)
def probe() -> None:
    """Score how often images show what their prompts ask for; `decoder` asks which kind of decoder made them."""
