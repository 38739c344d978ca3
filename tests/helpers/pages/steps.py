"""The commands and programs of a page, one after the other, with what the page shows of each one's output."""

import re
from dataclasses import dataclass
from pathlib import Path

import evalkit

ROOT = Path(evalkit.__file__).parents[1]
FENCE = re.compile(r"^( *)```(\w+)[^\n]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
RUN = ("console", "bash", "python")
TABLES = ("index.md", "commands.md")  # pages whose tables are commands to type
HEREDOC = re.compile(r"<<'(\w+)'")


@dataclass(frozen=True)
class Step:
    """`kind` is "command", "python" or "script"; `text` is what is run, `shown` what the page prints below it."""

    page: str
    block: int
    kind: str
    text: str
    shown: str = ""

    def __str__(self):
        return f"{self.page}, block {self.block}: {self.text[:150]}"


def pages():
    """README and every page of the docs by name."""
    return {path.name: path for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]}


def blocks(text, *languages):
    """The blocks of these languages."""
    return [body for _, language, body in FENCE.findall(text) if language in languages]


def steps(name):
    """All that the page `name` asks the reader to run, in its order."""
    text = pages()[name].read_text(encoding="utf-8")
    found, number = [], 0
    if name in TABLES:
        rows = [line for line in text.splitlines() if line.startswith("|")]
        found += [Step(name, 0, "command", each) for row in rows for each in re.findall(r"`(evalkit [^`]+)`", row)]
    for _, language, body in FENCE.findall(text):
        if language not in RUN:
            continue
        number += 1
        if language == "console":
            found += [Step(name, number, "command", *each) for each in _commands(body)]
        else:
            found.append(Step(name, number, "python" if language == "python" else "script", body))
    return found


def _commands(body):
    """(command, output shown) of each prompt of a console block."""
    lines, at = body.splitlines(), 0
    while at < len(lines):
        command = lines[at].removeprefix("$ ")
        at += 1
        while at < len(lines) and not _whole(command):
            command += "\n" + lines[at]
            at += 1
        shown = []
        while at < len(lines) and not lines[at].startswith("$ "):
            shown.append(lines[at])
            at += 1
        yield command, "\n".join(shown).strip()


def _whole(command):
    """No open quote, no line that goes on, no document that has not ended."""
    here = HEREDOC.search(command)
    if here:
        return command.endswith("\n" + here[1])
    return not command.endswith("\\") and command.count('"') % 2 == 0
