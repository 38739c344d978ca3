"""Messages as text: fields are packed and said again, and what is no message is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import EvalkitError
from evalkit.watermark.payload.fields import Field, candidates, packed, read_layout, said, width

FIELDS = read_layout("model:8,user:24,epoch:8")


@given(st.integers(0, 255), st.integers(0, 2**24 - 1), st.integers(0, 255))
def test_what_is_packed_is_said_again_in_any_order(model, user, epoch):
    message = packed(FIELDS, f"epoch={epoch},user={user},model={model}")
    assert message == (model << 32) + (user << 8) + epoch
    assert said(FIELDS, message) == f"model={model},user={user},epoch={epoch}"
    assert packed(FIELDS, hex(message)) == message


def test_a_text_too_long_to_carry_is_carried_by_its_digest():
    field = read_layout("c2pa:32")[0]
    found = {field.value(f"#urn:c2pa:{n}") for n in range(100)}
    assert len(found) == 100
    assert field.value("#urn:c2pa:1") == field.value("#urn:c2pa:1")
    assert max(found) < 2**32


@pytest.mark.parametrize("layout", ["", "user", "user:0", "user:4,user:4", "a:40,b:30", "User:8", "user:8,"])
def test_what_is_no_layout_is_refused(layout):
    with pytest.raises(EvalkitError, match=r"layout|64 bits"):
        read_layout(layout)


@pytest.mark.parametrize(
    "text",
    ["model=1", "model=256,user=1,epoch=1", "user=1,model=x,epoch=2", "model=1,user=1,epoch=1,who=2", "0x1ffffffffff"],
)
def test_what_does_not_fit_the_layout_is_refused(text):
    with pytest.raises(EvalkitError):
        packed(FIELDS, text)


def test_ranges_are_every_message_between_their_ends():
    found = candidates(FIELDS, "model=3,user=10-12,epoch=0-1")
    assert found.tolist() == [packed(FIELDS, f"model=3,user={u},epoch={e}") for u in (10, 11, 12) for e in (0, 1)]
    assert found.dtype == np.uint64
    with pytest.raises(EvalkitError, match="16,777,216"):
        candidates(FIELDS, "model=0-255,user=0-999999,epoch=1")
    with pytest.raises(EvalkitError, match="smaller number first"):
        candidates(FIELDS, "model=3,user=12-10,epoch=1")


def test_bits_are_rounded_up_to_whole_steps():
    assert [width([Field("a", bits)]) for bits in (1, 8, 9, 62, 64)] == [8, 8, 12, 64, 64]
