"""The 58 cards: who they are, and that what they say can be relied on."""

import csv
from pathlib import Path

import pytest

from evalkit.errors import EvalkitError
from evalkit.systems import list_systems, load_system
from evalkit.systems.card import RUNNERS

CARDS = {card.id: card for card in list_systems()}
FOUNDING = Path(__file__).with_name("founding.tsv")
each = pytest.mark.parametrize("card", CARDS.values(), ids=list(CARDS))


def test_they_are_the_58_systems_with_their_years_numbers_and_categories():
    with FOUNDING.open(encoding="utf-8") as file:
        rows = [tuple(row.values()) for row in csv.DictReader(file, delimiter="\t")]
    assert [(c.id, str(c.year), c.arxiv, c.category) for c in CARDS.values()] == rows
    assert len(rows) == len({row[2] for row in rows}) == 58


@each
def test_the_year_is_not_before_that_of_the_arxiv_number(card):
    assert card.year - (2000 + int(card.arxiv[:2])) in (0, 1)


@each
def test_every_number_says_in_which_setting_and_where_it_was_read(card):
    for number in card.numbers:
        assert number.setting
        assert number.source
        words = number.source.lower()
        assert not any(word in words for word in ("memory", "recall", "unknown"))
        assert number.verified != any(word in words for word in ("board", "quote", "summary", "article", "leaderboard"))


@each
def test_no_number_stands_twice(card):
    keys = [(n.measure, n.setting, n.unit) for n in card.numbers]
    assert len(keys) == len(set(keys))


@each
def test_the_headline_is_read_in_the_source_where_any_number_is(card):
    if any(number.verified for number in card.numbers):
        assert card.headline.verified


@each
def test_a_rule_is_one_of_the_measure_that_it_is_for(card):
    for number in card.numbers:
        kind = number.rule.partition("-")[0]
        assert kind in ("", "coco", number.measure.partition("-")[0])


@each
def test_who_can_be_run_or_scored_has_steps_and_who_cannot_has_none(card):
    assert bool(card.steps) == (card.runner != "reported")


def test_they_are_chosen_by_category_and_kind_of_runner():
    assert [card.id for card in list_systems("OCR")] == ["cppd"]
    assert {card.runner for card in list_systems(runner="worker")} == {"worker"}
    assert sum(len(list_systems(runner=kind)) for kind in RUNNERS) == 58
    assert list_systems("survey", "native") == []
    with pytest.raises(EvalkitError, match="no category 'sculpture'; give one of benchmark"):
        list_systems("sculpture")
    with pytest.raises(EvalkitError, match="no kind of runner 'maybe'; give one of native"):
        list_systems(runner="maybe")


def test_a_card_is_found_by_its_other_names_and_near_names_are_proposed():
    assert load_system("gpt4o-imgeval") is load_system("gpt-imgeval")
    with pytest.raises(EvalkitError, match=r"did you mean gigatok.*evalkit systems"):
        load_system("gigatk")
