"""What every verb takes: `--config FILE.toml`, `--quiet`, `--verbose`, `--log-file FILE`."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import click

from evalkit.cli.addresses import with_checked_addresses
from evalkit.cli.names import complete_names
from evalkit.errors import EvalkitError

SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
BEGAN = "evalkit.began"  # in a context's meta: when the command began, on the clock of time.perf_counter
MOST = 2**31 - 1  # of any whole number that is counted with


class Whole(click.IntRange):
    """A whole number up to `MOST`, which no help needs to show."""

    def __init__(self, min: int | None) -> None:
        super().__init__(min=min, max=MOST)

    def _describe_range(self) -> str:
        return "" if self.min is None else f"x>={self.min}"


@dataclass
class Said:
    """How much a command tells while it works, and the file that gets it too."""

    quiet: bool = False
    verbose: bool = False
    log: TextIO | None = None

    def keep(self, line: str) -> None:
        """Write a line with its time to the log file, where there is one."""
        if self.log is not None:
            import time

            self.log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")
            self.log.flush()


def said_here() -> Said:
    """What the command that runs now was told; the defaults where none runs."""
    context = click.get_current_context(silent=True)
    found = context.find_object(Said) if context else None
    return found or Said()


def for_every_verb(command: click.Command) -> click.Command:
    """The command with these options, completed names, and whole numbers below `MOST`; of a group, all of its commands."""
    command.context_settings = {**SETTINGS, **command.context_settings}
    command._help_option = None  # click keeps the one that it made for a call without the group
    if isinstance(command, click.Group):
        for each in command.commands.values():
            for_every_verb(each)
        return command
    for param in command.params:
        if isinstance(param.type, click.IntRange) and param.type.max is None:
            param.type = Whole(param.type.min)
    if not any(each.name == "config" for each in command.params):
        command.params.extend(_options())
        complete_names(command)
        if command.callback is not None:
            command.callback = with_checked_addresses(command.callback)
    return command


def _options() -> Iterator[click.Option]:
    file = click.Path(path_type=Path)
    told: dict[str, Any] = {"expose_value": False, "is_eager": True}
    yield click.Option(
        ["--config"], type=file, metavar="FILE.toml", callback=_configured, help="Options from a file; typed ones win.", **told
    )  # fmt: skip
    yield click.Option(["--quiet", "-q"], is_flag=True, callback=_quiet, help="Results and errors only.", **told)
    yield click.Option(["--verbose", "-v"], is_flag=True, callback=_verbose, help="Also seconds by stage.", **told)
    yield click.Option(
        ["--log-file"], type=file, metavar="FILE", callback=_logged, help="Also write progress, notes and errors there.", **told
    )  # fmt: skip


def _quiet(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    ctx.ensure_object(Said).quiet |= value


def _verbose(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    ctx.ensure_object(Said).verbose |= value


def _logged(ctx: click.Context, param: click.Parameter, value: Path | None) -> None:
    if value is None:
        return
    try:
        value.parent.mkdir(parents=True, exist_ok=True)
        file = value.open("a", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise EvalkitError(f"{value} cannot hold a log: {error.strerror}. Give another --log-file") from None
    said = ctx.ensure_object(Said)
    said.log = file
    said.keep(f"evalkit {' '.join(_verbs(ctx))}")


def _configured(ctx: click.Context, param: click.Parameter, value: Path | None) -> None:
    """Let the file's values stand where options are not typed."""
    if value is not None:
        ctx.default_map = {**(ctx.default_map or {}), **_values(ctx, value)}


def _values(ctx: click.Context, path: Path) -> dict[str, Any]:
    """Values by the name of the parameter: those at the top of the file, and those of the verb's own table."""

    from evalkit.textfiles import read_toml

    table: Any = read_toml(path)
    known = {
        option.lstrip("-").replace("-", "_"): each
        for each in ctx.command.params
        if isinstance(each, click.Option) and each.name != "config" and each.expose_value
        for option in (*each.opts, *each.secondary_opts)
        if option.startswith("--")
    }
    plain = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    verbs = _verbs(ctx)
    for verb in verbs:
        table = table.get(verb, {}) if isinstance(table, Mapping) else {}
    found: dict[str, Any] = {}
    for key, value in {**plain, **table}.items():
        option = known.get(str(key).replace("-", "_"))
        if option is None or option.name is None:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"Did you mean {near[0]}?" if near else "Options of a verb stand in a table with its name."
            raise EvalkitError(f"{path.name}: evalkit {' '.join(verbs)} has no option {key!r}. {hint}")
        found[option.name] = [value] if option.multiple and not isinstance(value, list) else value
    return found


def _verbs(ctx: click.Context) -> list[str]:
    """The words of the verb, such as watermark, detect."""
    words: list[str] = []
    here: click.Context | None = ctx
    while here is not None and here.parent is not None:
        words[:0] = [here.info_name] if here.info_name else []
        here = here.parent
    return words
