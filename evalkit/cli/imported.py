"""`evalkit import`: results that others measured, as runs that say so."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalkit.text import interval_text, number_text, visible

if TYPE_CHECKING:
    from evalkit.leaderboard.imports.run import Form


FORMS = ("every-eval-ever", "geneval", "wise", "wise-verified")


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--model", default="", help="Whose results they are, where the file does not say it.")
@click.option("--source", default="", metavar="TEXT", help="Who measured them: a paper, a repository, a leaderboard.")
@click.option("--as", "form", type=click.Choice(FORMS), help="The form [default: as found].")
@click.option("--out", type=click.Path(path_type=Path), help="The run's folder [default: in runs/].")
def imported(files: tuple[Path, ...], model: str, source: str, form: Form | None, out: Path | None) -> None:
    """Take result FILES of others as runs: they stand hollow on leaderboards, and are never ranked.

    \b
    evalkit import record.json                                   a record of Every Eval Ever
    evalkit import results.jsonl --model emu3 --source "its repository"      GenEval's own result file
    evalkit import culture.jsonl space-time.jsonl science.jsonl --model emu3      WISE's own score files
    """
    from evalkit.leaderboard.imports.run import form_of, import_results

    together = (form or form_of(files[0])).startswith("wise")  # its official script leaves three files
    parts = [files] if together else [(file,) for file in files]
    if out is not None and len(parts) > 1:
        raise click.UsageError("--out is the folder of one run; give one file, or leave it out")
    for part in parts:
        run = import_results(part, model=model, source=source, form=form, out=out, command=("evalkit", *sys.argv[1:]))
        click.echo(visible(f"{run.path}: {run.record['model']['name']}, {run.record['imported']['note']}"))
        for row in run.results:
            interval = interval_text(row["low"], row["high"])
            said = f"  {row['metric']} on {row['dataset']}: {number_text(row['value'])}"
            click.echo(visible(said + (f" ({interval})" if interval else "")))
