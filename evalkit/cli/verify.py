"""`evalkit verify`: can this number be trusted?"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalkit.cli.options import RunFolder, device_flag, weights_flag

if TYPE_CHECKING:
    from evalkit.provenance.verdict import Verdict

FILE = click.Path(path_type=Path)
MOST = 30  # failures that are shown
STYLES = {"passed": "green", "failed": "bold red", "not reached": "yellow", "not needed": "dim"}


@click.command()
@click.argument("runs", nargs=-1, required=True, type=RunFolder(whole=True))
@click.option("--public-key", type=FILE, help="The public key of the signer that you expect.")
@click.option("--rescore", type=click.IntRange(min=0), default=0, metavar="K", help="Score K kept images again.")
@click.option("--regenerate", type=click.IntRange(min=0), default=0, metavar="K", help="Make K samples again.")
@click.option("--parents", type=FILE, metavar="FOLDER", help="Check the runs too that these were made from.")
@click.option("--require", type=click.IntRange(0, 5), metavar="LEVEL", help="Exit with 1 below this level.")
@click.option("--no-recompute", is_flag=True, help="Leave out level 3.")
@click.option("--data", help="Where the images that were read lie here.")
@weights_flag("the models that run again")
@device_flag()
@click.option("--seed", type=click.IntRange(min=0), help="Of the choice of samples [default: fresh, and printed].")
@click.option("--trust", type=FILE, metavar="PEM", help="For images: certificates of authorities to trust.")
@click.option("--run", "origin", type=FILE, metavar="RUN", help="For images: the run that they should be from.")
@click.option("--json", "as_json", is_flag=True, help="Print verdicts as JSON, and nothing else, on stdout.")
def verify(
    runs: tuple[Path, ...],
    public_key: Path | None,
    rescore: int,
    regenerate: int,
    parents: Path | None,
    require: int | None,
    no_recompute: bool,
    data: str | None,
    weights: tuple[str, ...],
    device: str,
    seed: int | None,
    trust: Path | None,
    origin: Path | None,
    as_json: bool,
) -> None:
    """Check RUNS without a network: is everything there, unchanged, signed, and do the numbers follow from it?

    \b
    evalkit verify runs/tokenizer-jpeg-lm-1a2b3c4d
    evalkit verify RUN --public-key their.pem.pub --rescore 8 --regenerate 4
    evalkit verify BOARD --public-key their.pem.pub --parents runs --require 3
    evalkit verify image.png --trust authority.pem      an image's C2PA manifest

    \b
    0 schema       files are what they claim to be      3 recomputed   results follow from rows and statistics
    1 hashes       no byte has changed                  4 re-scored    K kept images score the same again
    2 signature    by the key that you give             5 regenerated  K samples made again are the same

    A level is reached when it and all below it passed. Exit code 1: something failed, or lies below --require.
    """
    from evalkit.cli.progress import BarProgress
    from evalkit.jobs.checks import How, fresh_seed
    from evalkit.jobs.progress import Progress
    from evalkit.provenance.keys import load_public_key
    from evalkit.provenance.verify import Depth, verify_run

    depth = Depth(
        key=load_public_key(public_key) if public_key is not None else None,
        recompute=not no_recompute,
        rescore=rescore,
        regenerate=regenerate,
        how=How(device, weights, data, fresh_seed() if seed is None else seed),
        parents=parents,
        progress=Progress() if as_json else BarProgress(),
    )
    images = [path for path in runs if path.is_file()]
    verdicts = [verify_run(path, depth) for path in runs if path not in images]
    shown = [_image(path, trust, origin) for path in images]
    if as_json:
        click.echo(json.dumps({"runs": [v.as_dict() for v in verdicts], "images": shown}, indent=1))
    else:
        for verdict in verdicts:
            _show(verdict)
        for each in shown:
            _show_image(each)
    low = require is not None and any(verdict.level < require for verdict in verdicts)
    if low or any(verdict.failures for verdict in verdicts) or not all(each["verified"] for each in shown):
        sys.exit(1)


def _show(verdict: Verdict, indent: str = "") -> None:
    """All levels of a run; of its parents the level reached and what failed."""
    from rich.text import Text

    from evalkit.cli.screen import Screen
    from evalkit.provenance.verdict import NAMES
    from evalkit.text import visible

    console = Screen()

    def line(*parts: tuple[str, str]) -> None:
        console.print(
            Text.assemble(indent, *((visible(said, most=2000), style) for said, style in parts)), soft_wrap=True
        )

    reached = f"level {verdict.level} of 5, {NAMES[verdict.level]}" if verdict.level >= 0 else "no level"
    bad = bool(verdict.failures)
    line((verdict.run, "bold"), (": ", ""), ("FAILED, " if bad else "", "bold red"), (reached, "bold"))
    for step in () if indent else verdict.steps:
        name, said = f"  {step.level} {step.name:<12}", f"{step.status:<12}"
        line((name, ""), (said, STYLES[step.status]), (step.detail, ""))
    for failure in verdict.own_failures[:MOST]:
        line(("  ✗ ", "red"), (failure.file, "bold red"), (f": {failure.reason}", "red"))
    if len(verdict.own_failures) > MOST:
        line((f"  and {len(verdict.own_failures) - MOST} more; --json lists all", "red"))
    if verdict.hint is not None and not bad and not indent:
        line(("  to raise it: ", "bold"), (verdict.hint, ""))
    if verdict.parents:
        line(("  made from", "bold"))
    for parent in verdict.parents:
        _show(parent, f"{indent}    ")


def _image(path: Path, trust: Path | None, origin: Path | None) -> dict[str, Any]:
    from evalkit.errors import EvalkitError
    from evalkit.images.c2pa import read_manifest
    from evalkit.provenance.copies import belonging, check_in_run

    try:
        anchors = None if trust is None else trust.read_bytes()
    except OSError as error:
        raise EvalkitError(f"the certificates {trust} cannot be read: {error.strerror or error}") from None
    found = read_manifest(path, anchors=anchors)
    reason = ", ".join(found.codes) or None
    said = None
    if found.state in ("valid", "trusted"):
        try:
            said = belonging(found)
            reason = check_in_run(path, origin) if origin is not None else None
        except EvalkitError as error:
            reason = str(error)
    good = found.state in ("valid", "trusted") and reason is None and (trust is None or found.state == "trusted")
    if found.state == "valid" and trust is not None:
        reason = reason or "its signer is not under the authorities given"
    sample = None if said is None else {"id": said.id, "model": said.model, "samples_root": said.root}
    return {
        "image": path.as_posix(),
        "state": found.state,
        "verified": good,
        "reason": reason,
        "actions": list(found.actions),
        "sample": sample,
        "run": None if origin is None else origin.as_posix(),
    }


def _show_image(said: dict[str, Any]) -> None:
    from evalkit.text import visible

    words = {
        "absent": "no C2PA manifest",
        "valid": "a C2PA manifest that holds, by a signer whom nobody here vouches for",
        "trusted": "a C2PA manifest that holds, by a signer under the given authorities",
        "invalid": "a C2PA manifest that does not hold",
    }
    click.echo(visible(f"{said['image']}: {words[said['state']]}", most=2000))
    if said["actions"]:
        click.echo(visible(f"  states {', '.join(said['actions'])}", most=2000))
    if said["sample"]:
        sample = said["sample"]
        click.echo(
            visible(f"  sample {sample['id']} of {sample['model']}, samples root {sample['samples_root']}", most=2000)
        )
    if said["run"] and said["verified"]:
        click.echo(visible(f"  row and pixels are those of {said['run']}", most=2000))
    if said["reason"]:
        click.echo(click.style(visible(f"  ✗ {said['reason']}", most=2000), fg="red"))
