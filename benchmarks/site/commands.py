"""A hook of mkdocs: docs/cli.md gets every verb with what `--help` says of it, from the commands themselves."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

import click

from evalkit.cli import group
from evalkit.cli.every import for_every_verb

MARK = "<!-- commands -->"
COMMON = ("config", "quiet", "verbose", "log_file")  # of every verb, said once


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The page with the commands in the place of the mark."""
    return markdown.replace(MARK, "\n".join(pieces())) if MARK in markdown else markdown


def pieces() -> Iterator[str]:
    """The options that every verb takes, then every verb in the order of `evalkit --help`."""
    top = click.Context(group, info_name="evalkit", **group.context_settings)
    yield "## Options of every verb\n"
    yield from _options(for_every_verb(click.Command("verb")), top, only=COMMON)
    for name in group.list_commands(top):
        command = group.get_command(top, name)
        if command is not None:
            yield from _command(command, click.Context(command, parent=top, info_name=name), 2)


def _command(command: click.Command, context: click.Context, level: int) -> Iterator[str]:
    yield f"\n{'#' * level} {context.command_path}\n"
    yield from _body(command, context)
    if isinstance(command, click.Group):
        itself = command.get_command(context, "")  # of probe: what its first word, a suite, asks for
        if itself is not None:
            yield from _body(itself, click.Context(itself, parent=context.parent, info_name=context.info_name))
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None:
                yield from _command(inner, click.Context(inner, parent=context, info_name=name), level + 1)


def _body(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f"```text\n{context.get_usage().removeprefix('Usage: ')}\n```\n"
    for paragraph in re.split(r"\n\s*\n", (command.help or "").replace("\r", "")):
        lines = [line[4:] if line.startswith("    ") else line for line in paragraph.split("\n")]
        if "\b" in paragraph:
            yield "```text\n" + "\n".join(line for line in lines if line.strip("\b ")) + "\n```\n"
        else:
            yield _plain(" ".join(lines)) + "\n"
    yield from _options(command, context)


def _options(command: click.Command, context: click.Context, only: tuple[str, ...] = ()) -> Iterator[str]:
    rows = [
        record
        for each in command.params
        if isinstance(each, click.Option)
        and not each.hidden
        and ((each.name in only) if only else each.name not in COMMON)
        if (record := each.get_help_record(context)) is not None
    ]
    if rows:
        yield "| option | what it does |\n|---|---|"
        yield from (f"| `{_cell(names)}` | {_plain(said)} |" for names, said in rows)
        yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _plain(text: str) -> str:
    """Help as text of a page: nothing in it is markup."""
    return re.sub(r"([\\`*_\[\]|#])", r"\\\1", html.escape(text, quote=False))
