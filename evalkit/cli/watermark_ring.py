"""`evalkit watermark ring`: make, show and change the key ring of a service."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import click

from evalkit.cli.options import weights_flag
from evalkit.cli.watermark_options import MarkChoice, mark_options
from evalkit.text import counted, visible
from evalkit.watermark.service.ring import State

RING = click.argument("ring", type=click.Path(dir_okay=False, path_type=Path))
SINCE = click.option("--from", "since", metavar="DATE", help="Look for it from then on, such as 2026-12-01 (UTC).")
UNTIL = click.option("--until", metavar="DATE", help="Look for it before then.")


@click.group()
def ring() -> None:
    """Which marks a service looks for: made, shown and changed while it runs.

    \b
    evalkit watermark ring add RING --id 2026-q4 --key my.key --mark MARKED/mark.json
    evalkit watermark ring rotate RING --id 2026-q4 --to 2027-q1 --key new.key
    evalkit watermark ring state RING --id 2026-q4 revoked
    evalkit watermark ring show RING

    RING is a file that names keys by their files or variables and holds none. A service takes a change over within
    seconds, and writes it to its audit log.
    """


@ring.command()
@RING
@click.option("--id", "id", required=True, help="Name of the entry.")
@SINCE
@UNTIL
@click.option(
    "--calibration", type=click.Path(path_type=Path), metavar="FILE", help="Of `evalkit watermark calibrate`."
)
@click.option(
    "--search",
    metavar="SEARCH",
    help="What is tried where an image itself does not decide, such as template or template,template/light "
    "(docs/watermark-search.md) [default: the latter where --mark says so and there is no calibration, else none].",
)
@weights_flag("the tokenizer")
@mark_options
def add(
    ring: Path,
    id: str,
    since: str | None,
    until: str | None,
    calibration: Path | None,
    search: str | None,
    weights: tuple[str, ...],
    choice: MarkChoice,
) -> None:
    """Put a mark and its key on RING, which is made where it is not there.

    \b
    evalkit watermark ring add RING --id 2026-q4 --key my.key --mark MARKED/mark.json
    evalkit watermark ring add RING --id 2026-q4 --key env:KEY --tokenizer llamagen-vq16 --lists 64 --until 2027-01-01
    """
    from evalkit.errors import EvalkitError
    from evalkit.watermark.detection.detect import default_search
    from evalkit.watermark.detection.scan_spec import views_for
    from evalkit.watermark.identity import tokenizer_identity
    from evalkit.watermark.service.ring import Entry, Ring
    from evalkit.watermark.service.ring_file import named_from, read_ring, write_ring
    from evalkit.watermark.shipped import named_tokenizer

    if len(choice.specs) > 1:
        raise EvalkitError("an entry has one epoch; give one --epoch, and add the others as entries of their own")
    key = choice.key()
    wanted = search if search is not None else default_search(choice.file, calibration)
    identity = None if choice.file is None else choice.file.tokenizer
    if identity is None or wanted != "none":
        known = named_tokenizer(choice.tokenizer_name, weights)[1]
        identity = identity or tokenizer_identity(known)
        views_for(wanted, known, choice.specs[0].as_dict())  # says what is wrong with the search
    files = [None if each is None else named_from(each, ring) for each in (choice.frequencies, calibration)]
    entry = Entry(
        *(id, key.id, named_from(choice.key_spec, ring), choice.specs[0], identity, "active"),
        *(since, until, files[0], files[1], wanted),
    )
    found = read_ring(ring) if ring.exists() else Ring()
    write_ring(ring, found.added(entry))
    click.echo(visible(f"{ring}: {id}, key {key.id}, {counted(len(found.entries) + 1, 'entry')}"))


@ring.command()
@RING
@click.option("--id", "id", required=True, help="The entry that is retired.")
@click.option("--to", "to", required=True, help="Name of the entry that takes its place.")
@click.option("--key", required=True, metavar="FILE|env:NAME", help="Its key, never typed itself.")
def rotate(ring: Path, id: str, to: str, key: str) -> None:
    """Put a new key on RING for the same mark, and retire the old one: it is looked for and marks no more.

    \b
    evalkit watermark ring rotate RING --id 2026-q4 --to 2027-q1 --key new.key
    """
    from evalkit.watermark.keys import read_key
    from evalkit.watermark.service.ring_file import named_from, read_ring, write_ring

    found = read_ring(ring)
    old, new = found.find(id), read_key(key)
    entry = replace(old, id=to, key_id=new.id, key=named_from(key, ring), state="active", since=None, until=None)
    write_ring(ring, found.changed(replace(old, state="retired")).added(replace(entry, calibration=None)))
    click.echo(visible(f"{ring}: {to}, key {new.id}, is active; {id} is retired"))
    if old.calibration:
        click.echo(visible(f"{to} has no calibration yet; type `evalkit watermark calibrate` with its key"), err=True)


@ring.command()
@RING
@click.option("--id", "id", required=True, help="The entry.")
@SINCE
@UNTIL
@click.argument("state", type=click.Choice(get_args(State)), required=False)
def state(ring: Path, id: str, since: str | None, until: str | None, state: State | None) -> None:
    """Change the STATE of an entry of RING, or when it is looked for.

    \b
    evalkit watermark ring state RING --id 2026-q4 revoked     its key is known to others
    evalkit watermark ring state RING --id 2026-q4 --until 2028-01-01

    Active entries mark and are looked for, retired ones are looked for, revoked ones are not.
    """
    from evalkit.watermark.service.ring_file import read_ring, write_ring

    found = read_ring(ring)
    old = found.find(id)
    new = replace(old, state=state or old.state, since=since or old.since, until=until or old.until)
    write_ring(ring, found.changed(new))
    click.echo(visible(f"{ring}: {id} is {new.state}"))


@ring.command()
@RING
@click.option("--json", "as_json", is_flag=True, help="Print the entries as JSON, and nothing else, on stdout.")
def show(ring: Path, as_json: bool) -> None:
    """List the entries of RING; no key is read.

    \b
    evalkit watermark ring show RING
    """
    import json

    from rich import box
    from rich.table import Table
    from rich.text import Text

    from evalkit.cli.screen import Screen
    from evalkit.watermark.service.ring_file import read_ring

    found = read_ring(ring)
    if as_json:
        click.echo(json.dumps({"digest": found.digest, "keys": [each.as_dict() for each in found.entries]}, indent=1))
        return
    table = Table(header_style="bold", box=box.SIMPLE_HEAD)
    for heading in ("id", "state", "key", "method", "tokenizer", "from", "until"):
        table.add_column(heading, overflow="fold")
    for each in found.entries:
        times = (each.since or "", each.until or "")
        cells = (each.id, each.state, each.key_id, each.mark.method, each.tokenizer_name, *times)
        table.add_row(*(Text(visible(cell)) for cell in cells))
    Screen().print(table)
