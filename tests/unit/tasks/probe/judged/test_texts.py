"""Official texts are read as they stand, and formulas can only calculate."""

import pytest

from evalkit.errors import EvalkitError
from evalkit.protocols.judged.declaration import TextRef
from evalkit.tasks.probe.judged.formula import evaluate
from evalkit.tasks.probe.judged.texts import filled, official_text

SOURCE = '''"""A docstring."""
PLAIN = "first"
class Judge:
    def __init__(self):
        self.prompt = ("one "
                       "two")
def build(data):
    """Not this one."""
    return [{"text": "You are."}, {"text": f"Rate {data['Prompt']} and {x!r}."}]
'''


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "eval.py").write_text(SOURCE)
    (tmp_path / "texts.json").write_text('{"add": "Add <x>", "n": 3}')
    (tmp_path / "whole.txt").write_text("All of it")
    return tmp_path


@pytest.mark.parametrize(
    ("ref", "text"),
    [
        (TextRef("eval.py", "PLAIN"), "first"),
        (TextRef("eval.py", "Judge.__init__.prompt"), "one two"),
        (TextRef("eval.py", "build", "Rate"), "Rate {data['Prompt']} and {x}."),
        (TextRef("eval.py", "build", "You"), "You are."),
        (TextRef("texts.json", "{kind}"), "Add <x>"),
        (TextRef("whole.txt"), "All of it"),
        (TextRef(own="Mine"), "Mine"),
    ],
)
def test_texts_are_found_by_their_symbol(folder, ref, text):
    assert official_text(folder, ref, {"kind": "add"}) == text


@pytest.mark.parametrize(
    ("ref", "said"),
    [
        (TextRef("eval.py", "NONE"), "has no text 'NONE'"),
        (TextRef("eval.py", "build", "Nothing"), "has no text"),
        (TextRef("texts.json", "n"), "has no text"),
        (TextRef("none.py", "x"), "cannot be read"),
        (TextRef("whole.json", "x"), "cannot be read"),
    ],
)
def test_texts_that_are_not_there_are_said(folder, ref, said):
    with pytest.raises(EvalkitError, match=said):
        official_text(folder, ref, {})


def test_places_are_filled_once_and_not_within_what_was_filled_in():
    assert filled("<a> and {b}", {"<a>": "{b}", "{b}": "<a>"}) == "{b} and <a>"
    assert filled("as it is", {}) == "as it is"


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("1 + 2 * 3 - 4 / 2", 5),
        ("x[1] if y == 'a' and not z else 0", 7),
        ("z or 3", 3),
        ("len(known([1, z, 2])) + first([4, 5]) + first(6)", 12),
        ("mean(dependent([0, 1, 1], [[], [0], [1]]))", 1 / 3),
        ("mean(cascade([0, 1, 1], [[], [0], [1]]))", 0),
        ("round(-1.26, 1)", -1.3),
        ("'a' in y", True),
    ],
)
def test_formulas_calculate(formula, value):
    assert evaluate(formula, {"x": [5, 7], "y": "a", "z": None}) == pytest.approx(value)


@pytest.mark.parametrize(
    "formula",
    [
        "__import__('os')",
        "x.y",
        "(lambda: 1)()",
        "[i for i in x]",
        "f'{x}'",
        "1 +",
        "open('a')",
        "x[9]",
        "1 / 0",
        "2 ** 9",
        "a < b < c",
    ],
)
def test_formulas_can_do_nothing_else(formula):
    with pytest.raises(EvalkitError):
        evaluate(formula, {"x": [1]})
