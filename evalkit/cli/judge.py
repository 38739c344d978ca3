"""`evalkit judge`: can a judge be trusted?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from evalkit.cli.judge_options import judge_options
from evalkit.cli.numbers import Finite
from evalkit.text import visible

if TYPE_CHECKING:
    from evalkit.metrics.base import Estimate
    from evalkit.tasks.probe.geneval.annotations import HumanAgreement
    from evalkit.tasks.probe.judged.options import JudgeOptions

RUN = click.Path(path_type=Path)


@click.group()
def judge() -> None:
    """Ask whether a judge can be trusted: repeat it, control it, compare it with people, watch it drift.

    \b
    evalkit judge repeat RUN --judge http:URL#MODEL     the same questions several times
    evalkit judge controls RUN --judge http:URL#MODEL   other images and blank ones must score less
    evalkit judge agree RUN people.csv                  equal scores, and Cohen's kappa
    evalkit judge anchors RUN --make pack.jsonl         later: --check pack.jsonl
    """


@judge.command()
@click.argument("run", type=RUN)
@click.option("--times", type=click.IntRange(min=2), default=3, show_default=True, help="Replies to each question.")
@click.option("--limit", type=click.IntRange(min=2), help="Only the first N images.")
@judge_options
def repeat(run: Path, times: int, limit: int | None, judging: JudgeOptions) -> None:
    """Ask about the images of RUN several times: how often is the score the same?

    \b
    evalkit judge repeat RUN --judge http:URL#MODEL --times 3 --limit 50
    """
    from evalkit.tasks.probe.judged.trust import repeated

    found = repeated(_bench(run, limit, judging), times)
    _say(f"equal scores {times} times: {_shown(found.identical)}")
    _say(f"standard deviation within an image: {_shown(found.deviation)}; lost replies: {100 * found.lost:.1f} %")


@judge.command()
@click.argument("run", type=RUN)
@click.option("--limit", type=click.IntRange(min=2), help="Only the first N images.")
@judge_options
def controls(run: Path, limit: int | None, judging: JudgeOptions) -> None:
    """Ask about images of other prompts and about blank images; exit 1 where they do not score surely less.

    \b
    evalkit judge controls RUN --judge http:URL#MODEL --limit 50
    """
    from evalkit.tasks.probe.judged.trust import controlled

    found = controlled(_bench(run, limit, judging))
    for each in found:
        _say(f"right images score {_shown(each.drop.estimate)} more than {each.name}. {each.alarm}")
    sys.exit(int(any(each.alarm for each in found)))


@judge.command()
@click.argument("one", type=RUN)
@click.argument("other", type=RUN)
@click.option(
    "--weights",
    type=click.Choice(["none", "linear", "quadratic"]),
    default="none",
    show_default=True,
    help="How far scores that are not equal count against agreement.",
)
def agree(one: Path, other: Path, weights: Literal["none", "linear", "quadratic"]) -> None:
    """Compare the scores of two runs, or of a run and of people: equal shares and Cohen's kappa, drawn by prompts.

    \b
    evalkit judge agree RUN OTHER-RUN
    evalkit judge agree RUN people.csv                  columns id and value
    evalkit judge agree RUN annotations_if-xl.csv       GenEval's own annotations, of the same images
    """
    from evalkit.tasks.probe.geneval.annotations import is_annotations, run_and_people
    from evalkit.tasks.probe.judged.trust import agreed

    if is_annotations(other):
        from evalkit.runs.store import read_run

        _say_people(run_and_people(read_run(one), other))
        return
    share, kappa = agreed(one, other, weights)
    _say(f"equal scores: {_shown(share)}; kappa ({weights} weights): {_shown(kappa)}; {share.n:,} images")


@judge.command()
@click.argument("run", type=RUN)
@click.option("--make", type=RUN, metavar="FILE", help="Keep the scores of RUN as anchors in FILE.")
@click.option("--check", type=RUN, metavar="FILE", help="Compare the scores of RUN with the anchors in FILE.")
@click.option("--tolerance", type=Finite(0), default=0.1, show_default=True, help="Mean shift that is noise.")
def anchors(run: Path, make: Path | None, check: Path | None, tolerance: float) -> None:
    """Keep what a judge says of fixed images, and raise an alarm (exit 1) where it says something else later.

    \b
    evalkit judge anchors RUN --make pack.jsonl
    evalkit judge anchors LATER --check pack.jsonl --tolerance 0.1
    """
    from evalkit.tasks.probe.judged.trust import check_anchors, make_anchors

    if (make is None) == (check is None):
        raise click.UsageError("give one of --make FILE and --check FILE")
    if make is not None:
        pack = make_anchors(run, make)
        _say(f"{len(pack.values):,} anchors of {pack.judge} are in {make}")
        return
    found = check_anchors(Path(str(check)), run, tolerance)
    _say(f"shift {_shown(found.shift.estimate)}, {100 * found.changed:.1f} % of scores changed. {found.alarm}")
    sys.exit(int(bool(found.alarm)))


def _say_people(found: HumanAgreement) -> None:
    _say(f"verdicts equal those of most people: {_shown(found.verdicts)}, of {found.verdicts.n:,} images")
    _say(f"where all people agree: {_shown(found.unanimous)}, of {found.unanimous.n:,} images")
    _say(f"Cohen's kappa: {_shown(found.beyond_chance)}; two people agree: {_shown(found.people)}")
    for task, share in found.tasks.items():
        _say(f"  {task.replace('_', ' ')}: {_shown(share)}, of {share.n:,} images")
    _say(f"People saw images of {', '.join(found.of) or 'an unnamed generator'}; the run must be of these very images.")


def _bench(run: Path, limit: int | None, judging: JudgeOptions) -> Any:
    from evalkit.jobs.options import RunOptions
    from evalkit.tasks.probe.judged.trust import bench_of

    return bench_of(run, judging, RunOptions(limit=limit))


def _shown(estimate: Estimate) -> str:
    ends = "" if estimate.low is None or estimate.high is None else f" ({estimate.low:.3f} to {estimate.high:.3f})"
    return f"{estimate.value:.3f}{ends}"


def _say(text: str) -> None:
    click.echo(visible(text.strip()))
