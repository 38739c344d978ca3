"""The notebooks of the docs are what their sources make, small, without a trace of a machine, and run again alike."""

import json
import re

import pytest
from helpers.sentences import prose, words

from .site import ROOT, hook

FOLDER = ROOT / "docs" / "notebooks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))
NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")


def kept(name):
    return json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))


def texts(book):
    """What each cell shows, as text."""
    shown = []
    for cell in book["cells"]:
        for each in cell.get("outputs", []):
            assert each["output_type"] != "error"
            text = each.get("text") or each["data"]["text/plain"]
            shown.append("".join(text))
    return shown


def test_there_are_two():
    assert len(NAMES) == 2


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_holds_its_source_and_what_it_showed(name):
    jupytext = pytest.importorskip("jupytext")
    cells = jupytext.read(FOLDER / f"{name}.py").cells
    book = kept(name)
    made = [(each.cell_type, each.source) for each in cells]
    assert [(each["cell_type"], "".join(each["source"])) for each in book["cells"]] == made, (
        "type: python benchmarks/site/notebooks.py"
    )
    assert len(texts(book)) > 3


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_small_and_names_no_place_of_a_machine(name):
    said = (FOLDER / f"{name}.ipynb").read_text(encoding="utf-8")
    assert len(said) < 100_000
    assert not re.search(r"/(?:home|root|tmp|work|Users)/", said)
    for cell in kept(name)["cells"]:
        if cell["cell_type"] == "markdown":
            found = list(prose("".join(cell["source"])))
            assert all(len(words(each)) <= 35 for each in found)
            assert not any("picture" in each for each in found)


@pytest.mark.parametrize("name", NAMES)
def test_the_page_of_a_notebook_has_code_tables_and_links(name):
    page = hook("books").page(kept(name))
    assert page.startswith("# ")
    assert "```python\n" in page
    assert "<table" in page
    for target in re.findall(r"\]\(([^)#]+)", page):
        assert (FOLDER / target).exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_again_alike(name):
    pytest.importorskip("nbclient")
    again, before = texts(hook("notebooks").executed(FOLDER / f"{name}.py")), texts(kept(name))
    assert [NUMBER.sub("#", text).split() for text in again] == [NUMBER.sub("#", text).split() for text in before]
    for one, other in zip(again, before, strict=True):
        assert [float(n) for n in NUMBER.findall(one)] == pytest.approx(
            [float(n) for n in NUMBER.findall(other)], rel=0.02, abs=0.02
        )
