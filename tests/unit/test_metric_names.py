"""A metric's name stands in its declaration; the rest of the package reads it there."""

import ast
from pathlib import Path

import evalkit
from evalkit.metrics.registry import METRICS
from evalkit.protocols.judged import declared

ROOT = Path(evalkit.__file__).parent
HOMES = ("metrics", "protocols")
# Names of metrics that name something else as well: words, outputs of a network, columns, verdicts, fields of records.
WORDS = {"is", "sfid", "error", "seconds", "evaluations", "detected", "inconclusive", "hypotheses"}
WORDS |= {"coverage", "recall", "peak_memory_bytes"}
WORDS |= {"geneval", "world", *declared()}  # a suite bears the name of its score
MOST = 10


def literals():
    names = set(METRICS) - WORDS
    for path in sorted(ROOT.rglob("*.py")):
        if path.relative_to(ROOT).parts[0] in HOMES:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and node.value in names:
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.value}"


def test_metric_names_stand_in_declarations_only():
    found = list(literals())
    assert len(found) <= MOST, "\n".join(found)
