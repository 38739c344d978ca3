"""Declarations: read strictly, licences kept out of the package, and the page that is made of them is current."""

import csv
import importlib.util
from pathlib import Path

import pytest

import evalkit
from evalkit.errors import EvalkitError
from evalkit.judges.policy import POLICIES
from evalkit.protocols.judged import declared, load_declaration, read_declaration

ROOT = Path(__file__).resolve().parents[4]


@pytest.mark.parametrize("name", declared())
def test_a_declaration_is_whole(name):
    said = load_declaration(name)
    assert said.name == name
    assert said.policy in POLICIES
    assert all(rule.policy in {"", *POLICIES} for rule in said.scores)
    assert len(said.source.commit) >= 7
    assert all(len(sha) in (0, 64) for sha in said.source.files.values())
    if said.aggregate.kind == "weighted":
        assert sum(said.aggregate.weights.values()) == pytest.approx(1)
        assert set(said.aggregate.weights) == set(said.items.ranges)


def test_data_that_may_not_be_shipped_are_not_in_the_package():
    """No file of a suite whose licence forbids it, nor any text of its judge, lies in the package."""
    shipped = {path.name for path in Path(evalkit.__file__).parent.rglob("*") if path.is_file()}
    for name in declared():
        said = load_declaration(name)
        assert said.licence
        if not said.ship:
            data = {Path(each).name for each in said.source.files if not each.endswith(".py")}
            assert not data & shipped, name


def test_variants_change_what_they_name_alone():
    short, long = load_declaration("tiif-short"), load_declaration("tiif-long")
    assert short.items.loader != long.items.loader
    assert short.aggregate == long.aggregate
    assert load_declaration("longtext-zh").scores[0].formula.count("'zh'") == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = 1 = 2", "is no TOML"),
        ("name = 'x'", "mine.toml has no title"),
        (
            "odd = 1\n[source]\nrepository='a'\ncommit='b'\n[items]\nid='a'\nprompt='b'\n[images]\nname='c'\n"
            "[[scores]]\nname='d'\nformula='1'",
            "odd",
        ),
    ],
)
def test_other_files_are_refused_in_one_sentence(text, said, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(EvalkitError, match=said):
        read_declaration(path)
    with pytest.raises(EvalkitError, match="is not there"):
        read_declaration(tmp_path / "none.toml")
    with pytest.raises(EvalkitError, match="no judged benchmark 'none'"):
        load_declaration("none")


def test_the_page_is_made_from_the_declarations():
    spec = importlib.util.spec_from_file_location("page", ROOT / "benchmarks" / "make_benchmarks_page.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert (ROOT / "docs" / "benchmarks.md").read_text() == script.page(), "python benchmarks/make_benchmarks_page.py"


def test_tables_of_the_page_name_suites_that_there_are():
    for name in ("judge-tokens", "benchmark-room"):
        with (ROOT / "benchmarks" / "tables" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert {row["suite"] for row in rows} <= set(declared())
        assert all(row["source"] and row["model"] for row in rows if "source" in row)
