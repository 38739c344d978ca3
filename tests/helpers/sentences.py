"""Every sentence that evalkit says to a user, from its source: errors, notes, help of commands and options, and pages."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import evalkit

PACKAGE = Path(evalkit.__file__).parent
ERRORS = {
    *("EvalkitError", "BadImage", "BadData", "WeightsError", "NotMeasured", "UsageError", "BadParameter"),
    *("ClickException", "DivergedError", "Refused"),
}
NOTES = {"note", "warn"}
HELP = {"help", "short_help", "epilog"}


@dataclass(frozen=True)
class Said:
    kind: str  # error, note, help
    where: str
    text: str  # with … for what is filled in


def said():
    """All of it, in the order of the files."""
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        name = path.relative_to(PACKAGE).as_posix()
        for node in ast.walk(tree):
            for kind, value in _of(node, name):
                text = spelt(value)
                if text.strip():
                    yield Said(kind, f"{name}:{node.lineno}", text)


def _of(node, name):
    if isinstance(node, ast.Call):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in ERRORS and node.args:
            yield "error", node.args[0]
        elif called in NOTES and node.args and isinstance(node.func, ast.Attribute):
            yield "note", node.args[0]
        for each in node.keywords:
            if each.arg in HELP:
                yield "help", each.value
    elif isinstance(node, ast.FunctionDef) and name.startswith("cli/") and any(map(_is_command, node.decorator_list)):
        yield "help", ast.Constant(ast.get_docstring(node) or "")


def _is_command(node):
    called = node.func if isinstance(node, ast.Call) else node
    return isinstance(called, ast.Attribute) and called.attr in ("command", "group")


def spelt(node):
    """The text of an expression; what is filled in is …."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else "…"
    if isinstance(node, ast.JoinedStr):
        return "".join(spelt(each) for each in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return spelt(node.left) + spelt(node.right)
    if isinstance(node, ast.IfExp):
        return spelt(node.body)
    return "…"


def sentences(text):
    r"""The sentences of a text without its examples (paragraphs that begin with \b).

    >>> sentences("One is a. Two: give --out, e.g. X.png; then go.\n\n\b\nevalkit ls")
    ['One is a.', 'Two: give --out, e.g. X.png; then go.']
    """
    prose = [part for part in re.split(r"\n\s*\n", text) if "\b" not in part]
    joined = " ".join(" ".join(part.split()) for part in prose)
    return [each for each in re.split(r"(?<=[.?!])(?<!e\.g\.)(?<!i\.e\.)\s+", joined) if each]


def words(sentence):
    """Words of a sentence; names of files, options and code count as one each."""
    return [each for each in sentence.split() if re.search(r"[\w…]", each)]


def shown_on_pages():
    """(file, text) of what templates and scripts of pages show, without tags and names of variables."""
    for path in sorted(path for kind in ("*.jinja", "*.html", "*.js") for path in PACKAGE.rglob(kind)):
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".js":
            for found in re.findall(r'"(?:[^"\\\n]|\\.)*"|`[^`]*`', text):
                if " " in (plain := re.sub(r"\$\{[^}]*\}", "…", found[1:-1])):
                    yield path.name, plain
            continue
        shown = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<(style|script).*?</\1>", " ", text, flags=re.DOTALL)
        labels = re.findall(r'(?:alt|title|aria-label)="([^"]*)"', shown)
        yield from ((path.name, each) for each in (*labels, re.sub(r"<[^>]*>", " ", shown)))


def prose(text):
    """The sentences of a page of Markdown: no code, headings or tables; an item of a list, and what a colon leads to, begin
    anew.
    """
    text = re.sub(r"^( *)```.*?^\1```|<!--.*?-->", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    for paragraph in re.split(r"\n\s*\n|\n(?=\s*(?:[-*|#:]|\d+\.)\s)", text):
        if re.match(r"\s*[|#]|:::", paragraph):
            continue
        line = re.sub(r"`[^`]*`", "code", " ".join(paragraph.split()))
        yield from (each for each in re.split(r"(?<=[.?!:])(?<!e\.g\.)(?<!i\.e\.)\**\s+", line) if words(each))
