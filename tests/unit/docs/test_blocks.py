"""README and docs: each command is one that evalkit understands, each Python block names what there is."""

import ast
import importlib
import re
import shlex

import pytest
from helpers.pages.rules import read_rules
from helpers.pages.steps import ROOT, pages, steps
from helpers.pages.walk import without_comment

import evalkit
from evalkit.cli.dry_run import check_line
from evalkit.errors import EvalkitError

RULES = read_rules()
STORES = "(s3|gs|hf)://"  # their packages are no part of the tests
STEPS = [step for name in pages() for step in steps(name)]


def lines_of(step):
    """A command as the page shows it, and with the names that stand for the reader's own as where blocks are run."""
    swapped = step.text
    for old, new in RULES.rule(step).swap.items():
        swapped = swapped if "…" in step.text else swapped.replace(old, new.replace("{port}", "8000"))
    return command(step.text), command(swapped)


def command(text):
    """The words behind `evalkit`."""
    plain = re.sub(r"^(?:[A-Z_]+=\S+ )*", "", without_comment(text).replace("\\\n", " "))
    return re.split(r"\s&&\s|\s\|\s|\s>\s?\S|\s>>|\s2>|\s;", plain)[0].strip()


COMMANDS = list(dict.fromkeys((step.page, *lines_of(step)) for step in STEPS if step.kind == "command"))
EVALKIT = [each for each in COMMANDS if each[1].startswith("evalkit ") and not re.search(STORES, each[1])]
PYTHON = [(step.page, number, step.text) for number, step in enumerate(STEPS) if step.kind == "python"]


def test_there_are_commands_and_python_to_check():
    assert len(EVALKIT) > 200
    assert len(PYTHON) > 10


@pytest.mark.parametrize(("page", "line", "swapped"), EVALKIT, ids=lambda each: each[:70])
def test_a_command_of_the_docs_is_understood(page, line, swapped, monkeypatch):
    monkeypatch.chdir(ROOT)
    if "…" in line or set(shlex.split(line)) & {"--help", "-h", "--version"}:
        return
    try:
        check_line(line)
    except EvalkitError:
        if swapped == line:
            raise
        check_line(swapped)


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
