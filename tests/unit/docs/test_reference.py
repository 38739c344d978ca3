"""The reference pages: every command and option, every file's fields, every public name, every environment variable."""

import ast
import importlib
import re
from pathlib import Path

import click
import pytest

import evalkit
from evalkit.cli import group
from evalkit.jobs.task import MODULES

from .site import ROOT, hook, page

PACKAGE = Path(evalkit.__file__).parent
ENVIRONMENT = {"environ", "environb"}


def every_command(command=group, path="evalkit"):
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path)
        for name in command.list_commands(context):
            yield from every_command(command.get_command(context, name), f"{path} {name}")


def test_the_command_line_page_has_every_verb_with_every_option():
    shown = hook("commands").on_page_markdown(page("cli.md"))
    for path, command in every_command():
        section = re.search(rf"^#+ {re.escape(path)}\n(.*?)(?=^#+ evalkit|\Z)", shown, re.MULTILINE | re.DOTALL)
        assert section or path == "evalkit", path
        for each in command.params:
            if isinstance(each, click.Option) and not each.hidden and each.name not in ("version", "help"):
                assert f"{each.opts[0]}" in (shown if each.name in hook("commands").COMMON else section[1])


def test_help_is_text_and_never_markup_on_the_page():
    plain = hook("commands")._plain
    assert plain("runs/<task> [default: *]|_") == r"runs/&lt;task&gt; \[default: \*\]\|\_"


@pytest.fixture(scope="module")
def files():
    return hook("files")


def test_every_field_of_every_file_is_described(files):
    shown = files.on_page_markdown(page("files.md"))
    assert "<!--" not in shown
    assert re.findall(r"^\| `(\w+)`.*\| — \|$", shown, re.MULTILINE) == []
    assert [task for task in MODULES if f"\n### {task}\n" not in shown] == []


def test_no_field_is_described_that_no_file_has(files):
    shown = files.on_page_markdown(page("files.md"))
    known = set(re.findall(r"^\| `(\w+)` \|", shown, re.MULTILINE))
    said = {name for table in files.SAID.values() for name, value in table.items() if isinstance(value, str)}
    said |= {name for table in files.SAID["samples"].values() if isinstance(table, dict) for name in table}
    assert said - set(files.SAID["patterns"]) - known == set()


def test_the_python_page_has_every_public_name_and_all_of_them_exist():
    shown = re.findall(r"^::: ([\w.]+)$", page("python.md"), re.MULTILINE)
    for path in shown:
        home, _, name = path.rpartition(".")
        assert hasattr(importlib.import_module(home), name), path
    public = {getattr(evalkit, name) for name in evalkit.__all__ if name != "__version__"}
    listed = {getattr(importlib.import_module(path.rpartition(".")[0]), path.rpartition(".")[2]) for path in shown}
    assert public <= listed


def test_examples_of_docstrings_become_blocks():
    fenced = hook("doctests").fenced
    assert fenced("One.\n\n>>> 1\n1\n\nMore.\n\n    >>> 2\n    2") == (
        "One.\n\n```python\n>>> 1\n1\n```\n\nMore.\n\n    ```python\n    >>> 2\n    2\n    ```"
    )


def variables():
    """Names that are read from the environment: written at the place, or in a constant that stands for them."""
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield from re.findall(r"\bEVALKIT_[A-Z0-9_]+\b", node.value)
            yield from _read(node)


def _read(node):
    key = None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_environment(node.func.value):
        key = node.args[0] if node.func.attr in ("get", "pop") else None
    elif isinstance(node, ast.Subscript) and _is_environment(node.value):
        key = node.slice
    elif isinstance(node, ast.Compare) and any(_is_environment(each) for each in node.comparators):
        key = node.left
    elif isinstance(node, ast.GeneratorExp) and any(_read(each) for each in ast.walk(node.elt)):
        key = node.generators[0].iter
    names = key.elts if isinstance(key, ast.Tuple) else [key]
    return [each.value for each in names if isinstance(each, ast.Constant)]


def _is_environment(node):
    return isinstance(node, ast.Attribute) and node.attr in ENVIRONMENT


def test_every_environment_variable_that_is_read_is_on_the_page():
    listed = {*re.findall(r"`([A-Z][A-Za-z0-9_]+)`", page("environment.md")), "https_proxy"}
    assert {"EVALKIT_CACHE", "NO_COLOR", "HTTPS_PROXY"} <= listed
    found = set(variables())
    assert {"EVALKIT_OFFLINE", "SOURCE_DATE_EPOCH", "COLUMNS"} <= found
    assert found - listed == set()
    assert {name for name in listed if name.startswith("EVALKIT_")} - found == set()


def test_the_package_does_not_name_the_pages_that_the_site_adds():
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert [path.name for path in (ROOT / "docs").glob("*.md") if path.name not in nav] == []
