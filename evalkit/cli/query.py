"""`evalkit query`: SQL over the samples and results of many runs."""

from __future__ import annotations

from pathlib import Path

import click

from evalkit.cli.options import RunFolder


@click.command()
@click.argument("sql", required=False)
@click.argument("runs", nargs=-1, type=RunFolder(whole=True))
@click.option("--runs", "more", multiple=True, type=RunFolder(whole=True), metavar="RUNS", help="The same as RUNS.")
@click.option("--json", "as_json", is_flag=True, help="All rows as a JSON list of objects.")
@click.option("--csv", "as_csv", is_flag=True, help="All rows as CSV.")
@click.option("--seconds", type=click.IntRange(1, 86_400), default=300, show_default=True, help="Stop a longer query.")
@click.option("--memory", type=click.IntRange(1, 4096), default=8, show_default=True, help="At most so many GB.")
def query(
    sql: str | None,
    runs: tuple[Path, ...],
    more: tuple[Path, ...],
    as_json: bool,
    as_csv: bool,
    seconds: int,
    memory: int,
) -> None:
    """Ask one question of RUNS, each a run or a folder of runs, in SQL (DuckDB's) [default: the folder runs].

    Without SQL, print the tables and their columns.

    \b
    evalkit query                                                    what can be asked
    evalkit query "select model, protocol, avg(psnr) from samples group by model, protocol"
    evalkit query "select model, protocol, value, low, high from results where metric = 'ssim' order by value desc"
    evalkit query "select run, id, error from samples where error is not null" --csv
    evalkit query "select * from results" runs OTHER 'more/*-jpeg-*' --json
    evalkit query runs                                               what can be asked of these

    Tables: runs (a row per run), samples (a row per image and protocol), results (a row per number). Their rows are
    held in memory: no query can write anything, or read another file.
    """
    from evalkit.cli.show_query import show_csv, show_json, show_rows, show_tables
    from evalkit.runs.query import Limits, RunTables
    from evalkit.text import visible

    if as_json and as_csv:
        raise click.UsageError("--json and --csv are two forms of the same; give one of them")
    if sql is not None and len(sql.split()) == 1:  # no query is a single word
        sql, runs = None, (RunFolder(whole=True).convert(sql, None, None), *runs)
    with RunTables((*runs, *more) or (Path("runs"),), Limits(seconds, f"{memory}GB")) as tables:
        for left in tables.left_out:
            click.echo(visible(f"left out, {left.reason}: {left.path}"), err=True)
        if sql is None:
            show_tables(tables, as_json=as_json)
            return
        answer = tables.ask(sql)
        if as_json:
            show_json(answer)
        elif as_csv:
            show_csv(answer)
        else:
            show_rows(answer)
