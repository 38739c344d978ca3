import dataclasses
import json
import re
import subprocess
import sys

import pytest
from click.testing import CliRunner

from evalkit.cli import group
from evalkit.cli.dry_run import CHECKS, parse_line
from evalkit.cli.show_systems import AFTERWARDS, show_system
from evalkit.errors import EvalkitError
from evalkit.systems import list_systems, load_system

CARDS = list_systems()
each = pytest.mark.parametrize("card", CARDS, ids=[card.id for card in CARDS])


@pytest.fixture(autouse=True)
def width(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")


def run(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(group, ["systems", *arguments])
    assert done.exit_code == code, done.output
    return done.output


def flat(text: str) -> str:
    """Words without the line breaks of the terminal, and without what tables put between columns."""
    return " ".join(text.split())


def test_the_list_has_all_and_what_is_second_hand_says_so():
    said = run()
    assert all(re.search(rf"(?m)^ {re.escape(card.id)} ", said) for card in CARDS)
    (row,) = [line for line in said.splitlines() if line.startswith(" fudoki ")]
    assert "mmbench 73.9 (unverified)" in row
    (row,) = [line for line in said.splitlines() if line.startswith(" var ")]
    assert "gfid 1.97" in row
    assert "unverified" not in row
    assert "58 systems" in said


@pytest.mark.parametrize("columns", ["80", "120", "40"])
def test_no_line_is_wider_than_the_terminal(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    for arguments in (["--category", "captioning"], ["show", "gigatok"], ["show", "fudoki"]):
        assert all(len(line) <= int(columns) for line in run(*arguments).splitlines()), arguments


def test_a_choice_of_them():
    assert "3 systems" in run("--runner", "library")
    assert "gigatok" in run("--category", "tokenizer")
    assert [card["id"] for card in json.loads(run("--category", "tokenizer", "--json"))] == [
        "detailflow",
        "gigatok",
        "hita",
    ]


@each
def test_show_says_who_it_is_what_is_stated_and_how_sure_that_is(card):
    said = flat(run("show", card.id))
    assert flat(card.title) in said
    assert f"https://arxiv.org/abs/{card.arxiv}" in said
    assert card.headline is not None or "No number is listed: " in said
    for number in card.numbers:
        assert f"{number.measure} {number.value:g}" in said
    assert said.count("(unverified)") == sum(not number.verified for number in card.numbers)
    assert f"evaluated {card.runner}:" in said
    assert ("evalkit lacks: " in said) == bool(card.missing)


@each
def test_plan_dry_runs_and_every_command_stands_on_a_line_of_its_own(card):
    lines = run("plan", card.id, "--dry-run").splitlines()
    for step in card.steps:
        assert f"   $ {step.command or step.outside}" in lines
    assert sum("every name in it exists" in line for line in lines) == sum(bool(step.command) for step in card.steps)
    assert any(line.startswith("hardware: ") for line in lines)
    assert any(line.startswith("data: ") for line in lines)
    assert bool(card.steps) != ("There is nothing to run." in lines)


def test_an_unread_headline_is_not_a_fact_in_the_plan():
    assert "towards mmbench 73.9 (unverified), overall" in run("plan", "fudoki")
    assert "no headline number (" in run("plan", "lbw")


def test_what_the_end_of_a_plan_proposes_is_understood():
    said = run("plan", "gigatok")
    for command in AFTERWARDS.values():
        assert command in flat(said)
        assert parse_line(command).verb in CHECKS
    assert "With finished runs" not in run("plan", "semaim")


def test_markup_in_a_card_is_printed_and_not_obeyed(capsys):
    card = dataclasses.replace(load_system("semaim"), what="[bold]<b>x</b>[/bold]", title="[link=x]t[/link]")
    show_system(card)
    out = capsys.readouterr().out
    assert "[bold]<b>x</b>[/bold]" in out
    assert "[link=x]t[/link]" in out


def test_cards_and_plans_as_json_hold_everything():
    card = json.loads(run("show", "gigatok", "--json"))
    assert card["numbers"][0] == {
        "measure": "rfid",
        "value": 0.79,
        "setting": "XL-XXL, ImageNet val, 50,000 images, 256 px",
        "source": "README",
        "certainty": "read",
        "unit": "",
        "rule": "",
    }
    assert card["taken"]["rfid"] == "tokenizer:fid"
    plan = json.loads(run("plan", "gigatok", "--json"))
    assert plan["headline"] == card["numbers"][0]
    assert [step["do"] for step in plan["steps"]] == [step.do for step in load_system("gigatok").steps]
    assert {each["file"] for each in plan["weights"]} == {"VQ_XLXXL256_e300.pt", "GPT_XXL256_e300_VQ_XLXXL.pt"}


def test_a_name_in_the_place_of_a_command_proposes_both(monkeypatch):
    said = run("gigatok", code=2)
    assert "evalkit systems show gigatok" in said
    assert "evalkit systems plan gigatok" in said


def test_an_unknown_name_proposes_near_ones():
    done = CliRunner().invoke(group, ["systems", "plan", "gigatk"])
    assert isinstance(done.exception, EvalkitError)
    assert "did you mean gigatok" in str(done.exception)


@pytest.mark.parametrize("arguments", [[], ["show", "var"]])
def test_lists_and_cards_are_shown_without_importing_torch(arguments):
    code = (
        "import sys; from click.testing import CliRunner; from evalkit.cli import group; "
        f"CliRunner().invoke(group, ['systems', *{arguments!r}], catch_exceptions=False); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
