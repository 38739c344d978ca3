"""The command line: one file a verb, imported only when the verb is typed."""

from __future__ import annotations

import importlib
import os
import sys
import time

import click

from evalkit.cli.every import BEGAN, SETTINGS, Said, for_every_verb
from evalkit.errors import EvalkitError
from evalkit.version import __version__

VERBS = {
    "demo": ("evalkit.cli.demo", "Try all of it on what the package ships, in about three minutes."),
    "tokenizer": ("evalkit.cli.tokenizer", "How much does a visual tokenizer destroy?"),
    "generate": ("evalkit.cli.generate", "Make the images of a prompt set, resumable, every seed recorded."),
    "score": ("evalkit.cli.score", "Is an image set like a reference (FID, KID, …), and does it fit its prompts?"),
    "probe": ("evalkit.cli.probe", "Does a generator do what it is told? GenEval, WISE, GEdit and the rest."),
    "probes": ("evalkit.cli.probes", "Get the files of benchmarks that cannot be shipped; show what they declare."),
    "campaign": (
        "evalkit.cli.campaign",
        "Many models on many suites from one file: images once, one cost, one leaderboard.",
    ),
    "judge": ("evalkit.cli.judge", "Can a judge be trusted? Repeats, controls, agreement with people, drift."),
    "watermark": ("evalkit.cli.watermark", "Mark images, find the marked ones in a folder, attack them; make keys."),
    "erasure": ("evalkit.cli.erasure", "Was a concept really erased? Pairs of prompts, erasers, and the check."),
    "leaderboard": ("evalkit.cli.leaderboard", "Rank finished runs, with intervals, and say what may not be compared."),
    "compare": ("evalkit.cli.compare", "Is B better than A? Paired differences, and a condition for CI."),
    "track": ("evalkit.cli.track", "Follow one metric over the checkpoints of a training."),
    "import": ("evalkit.cli.imported", "Take others' result files as runs that stand hollow on leaderboards."),
    "ls": ("evalkit.cli.ls", "List tokenizers, generators, probes, protocols, metrics or encoders."),
    "systems": (
        "evalkit.cli.systems",
        "The systems of the literature: what they state, and how to evaluate them here.",
    ),
    "protocol": ("evalkit.cli.protocol", "Show how a number is measured, and how two protocols differ."),
    "report": ("evalkit.cli.report", "Write one HTML page over finished runs."),
    "view": ("evalkit.cli.view", "Look at the samples of runs: filter, sort, zoom, two runs side by side."),
    "query": ("evalkit.cli.query", "Ask many runs one question, in SQL."),
    "plan": ("evalkit.cli.plan", "Say what a command will cost at any size: time, memory, disk, GPU hours."),
    "power": ("evalkit.cli.power", "Plan how many samples a comparison needs."),
    "sign": ("evalkit.cli.sign", "Sign a run: a statement over all of its files."),
    "verify": ("evalkit.cli.verify", "Check a run or an image: hashes, signature, numbers, pixels."),
    "weights": ("evalkit.cli.weights", "List, fetch and check weight files."),
    "evidence": ("evalkit.cli.evidence", "Write what encoders found in images to a file that other programs read."),
    "doctor": ("evalkit.cli.doctor", "Say what works on this machine and what is missing."),
    "completion": ("evalkit.cli.completion", "Print the shell completion script."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used, so that help stays fast."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Note when the command began."""
        ctx.meta[BEGAN] = time.perf_counter()
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs in the order of a newcomer's need."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb's command, imported now."""
        if cmd_name not in VERBS:
            return None
        module = VERBS[cmd_name][0]
        command = getattr(importlib.import_module(module), module.rpartition(".")[2])
        return for_every_verb(command) if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs with one line each, without importing any."""
        with formatter.section("Verbs"):
            formatter.write_dl([(verb, short) for verb, (_, short) in VERBS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Propose the nearest verbs for an unknown one."""
        import difflib

        if args and not args[0].startswith("-") and args[0] not in VERBS:
            near = difflib.get_close_matches(args[0], VERBS, n=2, cutoff=0.5)
            hint = f"; did you mean {' or '.join(near)}?" if near else f"; there are {', '.join(VERBS)}"
            raise click.UsageError(f"there is no verb {args[0]!r}{hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings=SETTINGS, invoke_without_command=False)
@click.version_option(__version__, "-V", "--version", prog_name="evalkit")
def group() -> None:
    """Evaluate autoregressive image generators and prove where images come from.

    \b
    evalkit tokenizer --model jpeg-lm --model webp-q75      embedded tokenizers on the embedded images
    evalkit tokenizer --model llamagen-vq16 --data PHOTOS   a neural one on a folder of yours
    evalkit generate --model world-ar --prompts world       images of a small model that is shipped
    evalkit score --images A --reference B                  FID, KID, precision and recall, with intervals
    evalkit probe world --model world-ar --limit 60         does it draw what it is told?
    evalkit watermark detect PHOTOS --key my.key --tokenizer llamagen-vq16
    evalkit leaderboard runs --out board                    who is better, with intervals
    evalkit compare OLD NEW --fail-if-worse psnr:0.1        may a change be merged?
    evalkit verify RUN                                      whether a number can be trusted
    evalkit ls tokenizers                                   what there is
    evalkit doctor                                          what works here
    """


def main() -> None:
    """Run the command line: exit 0 done, 1 some samples failed, 2 wrong usage or missing prerequisite,
    3 a condition of `compare` failed, 130 interrupted."""
    from evalkit.cli.boundary import sentence, terminate_as_interrupt
    from evalkit.cli.terminal import Harmless

    terminate_as_interrupt()
    plain, said = (sys.stdout, sys.stderr), Said()
    sys.stdout, sys.stderr = Harmless(sys.stdout), Harmless(sys.stderr)
    try:
        code = group.main(standalone_mode=False, obj=said, color=_colour())
    except click.exceptions.Abort:
        _say("interrupted; type the same command again to resume", said)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        said.keep(error.format_message())
        sys.exit(2)
    except EvalkitError as error:
        _say(str(error), said)
        sys.exit(2)
    except (OSError, MemoryError) as error:
        _say(sentence(error), said)
        sys.exit(2)
    except RuntimeError as error:
        if type(error).__name__ != "OutOfMemoryError":  # torch's, which is not imported here
            raise
        _say(sentence(MemoryError()), said)
        sys.exit(2)
    finally:
        sys.stdout, sys.stderr = plain
    sys.exit(code if isinstance(code, int) else 0)


def _say(message: str, said: Said) -> None:
    from evalkit.text import visible

    lines = [visible(line, most=10_000) for line in message.split("\n")]  # names of files may hold anything
    click.echo(click.style("evalkit: ", fg="red") + "\n".join(lines), err=True, color=_colour())
    said.keep("; ".join(lines))


def _colour() -> bool | None:
    """False where NO_COLOR is set; None: as the stream can."""
    return False if os.environ.get("NO_COLOR") else None
