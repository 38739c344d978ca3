import importlib.util
import linecache
import subprocess
import sys
import types

import pytest

from evalkit.errors import EvalkitError
from evalkit.registry import Registry, Table, foreign_code, named_like


def filled() -> Registry[int]:
    registry: Registry[int] = Registry("thing")
    registry.add("apple", 1, aliases=("a",))
    registry.add("banana", 2)
    return registry


def test_alias_and_name_give_the_same_item():
    registry = filled()
    assert registry.get("a") == registry.get("apple") == 1
    assert registry.canonical("a") == "apple"
    assert list(registry) == ["apple", "banana"]


def test_unknown_name_proposes_the_nearest():
    with pytest.raises(EvalkitError, match="did you mean banana"):
        filled().get("bananna")


def test_unknown_name_far_from_all_lists_them():
    with pytest.raises(EvalkitError, match="known: apple, banana"):
        filled().get("zzzz")


def test_many_names_are_counted_not_listed():
    registry = filled()
    for number in range(30):
        registry.add(f"model-{number}", number)
    with pytest.raises(EvalkitError, match=r"'zzzz'; 32 are known\. List them with: evalkit ls"):
        registry.get("zzzz")


def test_a_name_is_taken_once():
    registry = filled()
    with pytest.raises(ValueError, match="twice"):
        registry.add("a", 3)


def test_filling_happens_once_and_late():
    calls = []
    registry: Registry[int] = Registry("thing", lambda: calls.append(1))
    assert calls == []
    list(registry)
    list(registry)
    assert calls == [1]


@pytest.fixture
def shelf(monkeypatch):
    """A registry with a table, two modules that are only imported on demand, and the names of those that were."""
    registry: Registry[str] = Registry(
        "fruit",
        table=Table({"pear": "fruit_pear", "plum": "fruit_plum"}, {"p": "pear"}, {r"pie-(\w+)": "fruit_pie:bake"}),
    )
    imported = []

    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            from importlib.machinery import ModuleSpec

            return ModuleSpec(name, Finder) if name.startswith("fruit_") else None

        @staticmethod
        def create_module(spec):
            return types.ModuleType(spec.name)

        @staticmethod
        def exec_module(module):
            imported.append(module.__name__)
            kind = module.__name__.removeprefix("fruit_")
            module.bake = lambda name, filling: f"{name} of {filling}"
            if kind != "pie":
                registry.add(kind, kind.upper(), ("p",) if kind == "pear" else ())

    monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
    yield registry, imported
    for name in imported:
        sys.modules.pop(name, None)


def test_names_of_a_table_are_listed_and_resolved_without_an_import(shelf):
    registry, imported = shelf
    assert list(registry) == ["pear", "plum"]
    assert "plum" in registry
    assert "p" not in registry
    assert registry.canonical("p") == "pear"
    assert imported == []


def test_get_imports_the_one_module_of_the_name(shelf):
    registry, imported = shelf
    assert registry.get("p") == registry.get("pear") == "PEAR"
    assert imported == ["fruit_pear"]


def test_a_name_by_pattern_is_made_by_the_function_of_its_module(shelf):
    registry, imported = shelf
    assert registry.get("pie-plum") == "pie-plum of plum"
    assert imported == ["fruit_pie"]
    with pytest.raises(EvalkitError, match="no fruit called 'pie'"):
        registry.get("pie")


def test_a_name_of_the_table_is_not_taken_by_another_module_first(shelf):
    registry, _ = shelf
    with pytest.raises(ValueError, match="twice"):
        registry.add("plum", "MINE")
    assert registry.get("plum") == "PLUM"


LOADED = """
import sys
from evalkit import load_tokenizer
from evalkit.tokenizers.registry import TOKENIZERS
load_tokenizer("jpeg-lm")
assert len(list(TOKENIZERS)) > 50
print(*sorted(name for name in sys.modules if name.startswith(("evalkit.tokenizers.", "evalkit.encoders"))))
"""


def test_loading_a_tokenizer_imports_no_other_family():
    said = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True).stdout.split()
    own = {"base", "cards", "codec", "registry"}
    assert {name.removeprefix("evalkit.tokenizers.") for name in said} == own


def loaded(path, text):
    """A class of a file of the user's."""
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["mine"] = module
    spec.loader.exec_module(module)
    return module.Mine


def test_the_code_of_a_users_class_is_known_by_its_file_and_that_of_evalkit_is_its_version(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mine", None)  # taken away again behind the test
    first = foreign_code(loaded(tmp_path / "mine.py", "class Mine:\n    side = 2\n"))
    assert first == foreign_code(loaded(tmp_path / "mine.py", "class Mine:\n    side = 2\n"))
    assert first != foreign_code(loaded(tmp_path / "mine.py", "class Mine:\n    side = 4\n"))
    assert foreign_code(Registry) is None


def test_the_code_of_a_class_of_a_notebook_is_that_of_its_functions():
    made = []
    for name, side in (("<cell 1>", 2), ("<cell 2>", 2), ("<cell 3>", 4)):
        text = f"class Mine:\n    def side(self):\n        return {side}\n"
        linecache.cache[name] = (len(text), None, text.splitlines(True), name)  # as notebooks do
        space = {"__name__": "a_notebook"}
        exec(compile(text, name, "exec"), space)
        made.append(foreign_code(space["Mine"]))
    assert made[0] == made[1] != made[2]
    assert None not in made


@pytest.mark.parametrize(
    ("pattern", "names", "like"),
    [
        ("titok", ("titok-l32",), True),
        ("gigatok", ("gigatok-bl", "gigatok"), True),
        ("var-*", ("var-d16",), True),
        ("var-*", ("flexvar-1",), False),
    ],
)
def test_a_plain_word_is_looked_for_anywhere_in_names_and_a_pattern_from_end_to_end(pattern, names, like):
    assert named_like(pattern, *names) is like
