"""README and docs: each command is one that evalkit understands, each Python block names what there is."""

import ast
import importlib
import re
import shlex
from pathlib import Path

import pytest

import evalkit
from evalkit.cli.dry_run import check_line

ROOT = Path(evalkit.__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^( *)```(\w+)[^\n]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)

STORES = "(s3|gs|hf)://"  # their packages are no part of the tests


def blocks(*languages):
    for page in PAGES:
        for _, language, body in FENCE.findall(page.read_text(encoding="utf-8")):
            if language in languages:
                yield page, body


def commands():
    for page, body in blocks("console", "bash", "sh", "shell"):
        joined = re.sub(r'"[^"]*"', lambda quoted: quoted[0].replace("\n", " "), re.sub(r"\\\n\s*", " ", body))
        prompt = r"\$ " if "$ " in body else ""
        for line in joined.splitlines():
            found = re.match(rf"{prompt}(?:[A-Z_]+=\S+ )*(evalkit .*)", line.strip())
            if found and not re.search(STORES, line):
                yield page.name, re.split(r"\s#\s|\s&&\s|\s\|\s|\s>\s?\S|\s2>|\s;", found[1])[0].strip()


COMMANDS = list(dict.fromkeys(commands()))
PYTHON = [(page.name, number, body) for number, (page, body) in enumerate(blocks("python"))]


def test_there_are_commands_and_python_to_check():
    assert len(COMMANDS) > 150
    assert len(PYTHON) > 10


@pytest.mark.parametrize(("page", "line"), COMMANDS, ids=lambda each: each[:70])
def test_a_command_of_the_docs_is_understood(page, line, monkeypatch):
    monkeypatch.chdir(ROOT)
    if "…" in line or set(shlex.split(line)) & {"--help", "-h", "--version"}:
        return
    check_line(line)


@pytest.mark.parametrize(("page", "number", "body"), PYTHON, ids=lambda each: str(each)[:20])
def test_python_of_the_docs_names_what_there_is(page, number, body):
    if body.lstrip().startswith(">>>"):
        body = "\n".join(line[4:] for line in body.splitlines() if line.startswith((">>> ", "... ")))
    for node in ast.walk(ast.parse(body)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("evalkit"):
            home = importlib.import_module(node.module)
            for each in node.names:
                assert hasattr(home, each.name), f"{page}: {node.module} has no {each.name}"
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "evalkit":
            assert hasattr(evalkit, node.attr), f"{page}: evalkit has no {node.attr}"
