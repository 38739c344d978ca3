import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import EvalkitError
from evalkit.systems.card import Number, Step, parse_card

GOOD = {
    "id": "x",
    "title": "A title",
    "year": 2025,
    "arxiv": "2501.00001",
    "category": "tokenizer",
    "what": "It does a thing.",
    "weights": "none",
    "licence": "MIT",
    "runner": "scored",
    "measures": ["rfid"],
    "hardware": "none",
    "data": "none",
    "numbers": [{"measure": "rfid", "value": 1, "setting": "here", "source": "README"}],
    "steps": [{"do": "Look.", "command": "evalkit doctor"}, {"do": "Wait.", "outside": "sleep 1"}],
}


def without(key: str) -> dict:
    return {name: value for name, value in GOOD.items() if name != key}


def test_a_card_is_what_its_file_says():
    card = parse_card("x", GOOD)
    assert card.headline == Number("rfid", 1.0, "here", "README")
    assert card.headline.verified
    assert card.steps == (Step("Look.", command="evalkit doctor"), Step("Wait.", outside="sleep 1"))
    assert card.tokenizers == ()


def test_a_number_that_others_quote_is_not_verified():
    number = {"measure": "rfid", "value": 1.5, "setting": "here", "source": "a board", "certainty": "second-hand"}
    assert not parse_card("x", {**GOOD, "numbers": [number]}).headline.verified


def test_a_card_without_numbers_says_why():
    card = parse_card("x", {**without("numbers"), "unstated": "the abstract has none"})
    assert card.headline is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"colour": "red"}, "unknown key 'colour'. The keys are id, title"),
        ({"id": "y"}, "give 'x', the name of the file"),
        ({"year": "2025"}, "year is '2025'. Give a whole number"),
        ({"year": 1999}, "give the year of the paper"),
        ({"year": True}, "year is True. Give a whole number"),
        ({"arxiv": "arXiv:2501.00001"}, "give a number such as 2404.02905"),
        ({"category": "sculpture"}, "category is 'sculpture'. Give one of benchmark"),
        ({"runner": "maybe"}, "runner is 'maybe'. Give one of native, library, worker, scored, reported"),
        ({"code": "github.com/a/b"}, "give an https address"),
        ({"what": "a\u202eb"}, "instead of showing"),
        ({"licence": "\x1b[31mMIT"}, "instead of showing"),
        ({"note": "two\nlines"}, "holds a line break"),
        ({"title": " "}, "title: empty; leave the key out instead"),
        ({"measures": "rfid"}, "measures is 'rfid'. Give a list"),
        ({"measures": ["beauty"]}, "there is no measure 'beauty'; give one of gfid"),
        ({"unstated": "why"}, "not both"),
        ({"numbers": []}, "the reason for having none"),
        ({"numbers": [1]}, "numbers 1 is 1. Give a table"),
        ({"numbers": [{"measure": "rfid", "value": 1}]}, "numbers 1 has no setting. The keys are"),
        ({"steps": [{"do": "a"}]}, "needs either command or outside"),
        ({"steps": [{"do": "a", "command": "evalkit x", "outside": "y"}]}, "needs either command or outside"),
        ({"steps": [{"do": "a", "command": "rm -r"}]}, "none of evalkit's; give it as outside"),
    ],
)
def test_a_wrong_card_is_refused_with_its_file_and_field(change, said):
    with pytest.raises(EvalkitError, match=said) as caught:
        parse_card("x", {**GOOD, **change})
    assert "x.toml" in str(caught.value)


@pytest.mark.parametrize("change", [{"rule": "my-own"}, {"certainty": "memory"}, {"measure": "beauty"}])
def test_a_number_has_a_known_measure_rule_and_certainty(change):
    with pytest.raises(EvalkitError, match=next(iter(change.values()))):
        parse_card("x", {**GOOD, "numbers": [{**GOOD["numbers"][0], **change}]})


@pytest.mark.parametrize("key", ["title", "weights", "licence", "hardware", "data", "runner"])
def test_what_a_card_must_say(key):
    with pytest.raises(EvalkitError, match=f"has no {key}"):
        parse_card("x", without(key))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


@given(st.sampled_from(sorted(GOOD)), values)
def test_whatever_stands_in_a_field_is_read_or_refused_in_words(key, value):
    said = ""
    try:
        said = f"{parse_card('x', {**GOOD, key: value}).id}.toml"
    except EvalkitError as error:
        said = str(error)
    assert "x.toml" in said


def test_markup_is_text_like_any_other():
    said = "<b onclick='x'>[red]it's & \"quoted\"[/red]</b> مرحبا"
    assert parse_card("x", {**GOOD, "what": said}).what == said


def test_toml_as_it_stands_in_the_package_is_read():
    text = 'id = "x"\ntitle = "a\\u202eb"\n'
    with pytest.raises(EvalkitError, match="instead of showing"):
        parse_card("x", tomllib.loads(text))
