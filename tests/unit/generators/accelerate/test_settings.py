"""What is typed behind --accelerate, and what is said where it cannot be."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import EvalkitError
from evalkit.generators.accelerate.hack import Hack
from evalkit.generators.accelerate.settings import KINDS, Cspd, Gsd, Lantern, Speculative, as_dict, kind_of, parse


def test_names_and_parameters_are_read():
    assert parse("speculative") == Speculative("jacobi", 5)
    assert parse("speculative:draft=llamagen-b,length=4") == Speculative("llamagen-b", 4)
    assert parse("lantern:k=10, delta=1.5") == Lantern(k=10, delta=1.5)
    assert parse("gsd:half=3") == Gsd(half=3)
    assert parse("cspd:draft=mar-b,prefill=1") == Cspd("mar-b", prefill=1.0)
    assert parse("hack:budget=0.5") == Hack(0.5)


@given(st.sampled_from(sorted(KINDS)), st.integers(1, 99), st.floats(0.01, 1))
def test_what_a_record_keeps_can_be_typed_again(name, whole, share):
    values = {"int": whole, "float": share, "str": "mar-b"}
    settings = KINDS[name](**{each.name: values[str(each.type)] for each in fields(KINDS[name])})
    kept = as_dict(settings)
    assert kept.pop("kind") == kind_of(settings) == name
    assert parse(name + ":" + ",".join(f"{key}={value}" for key, value in kept.items())) == settings


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("lanterm", "did you mean lantern"),
        ("", "known: speculative"),
        ("gsd:window=3", "half=…"),
        ("lantern:k", "k=…"),
        ("lantern:k=many", "k is a whole number"),
        ("lantern:delta=nan", "delta is a number"),
        ("speculative:draft=", "draft is a name"),
        ("speculative:length=0", "length is above 0"),
        ("lantern:k=-1", "k is 0 or more"),
        ("gsd:distance=0", "distance is above 0"),
        ("cspd", "cspd needs draft"),
        ("cspd:draft=mar-b,prefill=2", "share from 0 to 1"),
        ("hack", "hack needs budget"),
        ("hack:budget=0", "a share above 0"),
        ("speculative:length=2,length=3", "given twice"),
    ],
)
def test_what_cannot_be_is_said_with_what_can(typed, said):
    with pytest.raises(EvalkitError, match=said):
        parse(typed)
