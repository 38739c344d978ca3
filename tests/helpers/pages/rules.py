"""What blocks.toml says of each page: inputs that are prepared, and commands that cannot run here as they stand."""

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

FILE = Path(__file__).resolve().parents[2] / "unit" / "docs" / "blocks.toml"


@dataclass(frozen=True)
class Rule:
    """For commands that begin with `start`.

    `skip`: the reason for which it is not run. `stops`: it ends with this message, and not well. `exit`: its exit code.
    `add`: words put behind it. `swap`: texts replaced in it. `given`: code before a Python block. `stays`: it serves
    until the page ends. `columns`: of the terminal that the page shows. `varies`: shown texts that another machine or
    key prints otherwise. `before`: commands that prepare its inputs.
    """

    start: str
    skip: str = ""
    stops: str = ""
    exit: int = 0
    add: str = ""
    swap: dict = field(default_factory=dict)
    given: str = ""
    stays: bool = False
    columns: str = ""
    varies: tuple = ()
    before: tuple = ()


@dataclass(frozen=True)
class Page:
    """Prepared before the first block: links and files by name, functions of made.py, then commands."""

    links: dict = field(default_factory=dict)
    files: dict = field(default_factory=dict)
    blocks: dict = field(default_factory=dict)
    made: tuple = ()
    before: tuple = ()
    rules: tuple = ()


@dataclass(frozen=True)
class Rules:
    """The whole file."""

    reasons: dict
    stops: dict
    fewer: dict
    everywhere: tuple
    pages: dict
    reading: Rule = Rule("")  # of commands that prepare

    def page(self, name):
        return self.pages.get(name, Page())

    def rule(self, step):
        """The rule of a step: its page's first one that fits, else the first one for all pages."""
        told = " ".join(step.text.split())
        for rule in (*self.page(step.page).rules, *self.everywhere):
            if told.startswith(" ".join(rule.start.split())):
                return rule
        return Rule("")

    def shortened(self, command):
        """The command with fewer images, where it names no number of them itself."""
        for start, words in self.fewer.items():
            if command.startswith(f"evalkit {start} ") and not re.search(r" --limit | --help", command):
                return f"{command} {words}"
        return command


def _rule(said):
    return Rule(**{name: tuple(value) if isinstance(value, list) else value for name, value in said.items()})


def _page(said):
    rules = tuple(_rule(rule) for rule in said.pop("rules", ()))
    lists = {name: tuple(said.get(name, ())) for name in ("made", "before")}
    return Page(**{**said, **lists}, rules=rules)


def read_rules():
    """The file as it lies."""
    said = tomllib.loads(FILE.read_text(encoding="utf-8"))
    everywhere = tuple(map(_rule, said["everywhere"]))
    pages = {name: _page(page) for name, page in said["pages"].items()}
    return Rules(said["reasons"], said["stops"], said["fewer"], everywhere, pages)
