import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from helpers.mutated import mutated

from evalkit.errors import EvalkitError
from evalkit.watermark.service.ring import Ring
from evalkit.watermark.service.ring_file import key_of, named_from, parsed, placed, read_ring, write_ring


def test_a_ring_is_read_as_it_was_written_and_holds_no_key(made, tmp_path):
    entries = (made.entry("one", state="retired"), made.entry("two", until="2027-01-01"))
    write_ring(tmp_path / "ring", Ring(entries))
    assert read_ring(tmp_path / "ring").entries == entries
    assert not any(key.secret.hex() in (tmp_path / "ring").read_text() for key in made.keys.values())
    assert (tmp_path / "ring").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("changed", "looked_for"),
    [
        ({}, True),
        ({"state": "retired"}, True),
        ({"state": "revoked"}, False),
        ({"since": "2026-12-02"}, False),
        ({"since": "2026-12-01"}, True),
        ({"until": "2026-12-01"}, False),
        ({"until": "2026-12-02"}, True),
    ],
)
def test_revoked_keys_and_those_out_of_their_time_are_not_looked_for(made, changed, looked_for):
    assert made.entry("one", **changed).valid(datetime(2026, 12, 1, tzinfo=UTC)) is looked_for


def test_a_file_beside_the_ring_is_named_from_there(tmp_path):
    assert named_from(tmp_path / "keys" / "a.key", tmp_path / "ring") == "keys/a.key"
    assert named_from("/else/a.key", tmp_path / "ring") == "/else/a.key"
    assert named_from("env:KEY", tmp_path / "ring") == placed("env:KEY", tmp_path / "ring") == "env:KEY"
    assert placed("keys/a.key", tmp_path / "ring") == str(tmp_path / "keys" / "a.key")


def test_another_key_in_the_place_of_one_is_refused_without_being_shown(made, tmp_path):
    wrong = made.entry("one", key=str(made.home / "two.key"))
    with pytest.raises(EvalkitError, match="the ring names") as caught:
        key_of(wrong, tmp_path / "ring")
    assert made.keys["two"].secret.hex() not in str(caught.value)


def test_one_name_stands_for_one_entry(made):
    with pytest.raises(EvalkitError, match="twice"):
        Ring((made.entry("one"), made.entry("two", id="one")))
    with pytest.raises(EvalkitError, match="ends before"):
        made.entry("one", since="2027-01-01", until="2026-01-01")


def test_a_damaged_ring_is_one_sentence(made, tmp_path):
    write_ring(tmp_path / "ring", Ring((made.entry("one"),)))
    whole = (tmp_path / "ring").read_bytes()
    said = [_said_of(mutated(whole, number)) for number in range(200)]
    assert sum(map(bool, said)) > 100
    assert not any("\n" in each for each in said)


def _said_of(data):
    try:
        parsed(data, "ring")
    except EvalkitError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    "changed",
    [{"state": "lost"}, {"key_id": "xyz"}, {"since": 3}, {"until": "soon"}, {"key": None}, {"more": 1}, {"mark": None}],
)
def test_an_entry_that_says_something_else_is_refused(made, changed):
    said = {**made.entry("one").as_dict(), **changed}
    with pytest.raises(EvalkitError):
        parsed(json.dumps({"format": 1, "keys": [said]}).encode(), "ring")


def test_a_ring_that_anybody_may_write_or_that_is_huge_is_refused(made, tmp_path):
    path = tmp_path / "ring"
    write_ring(path, Ring((made.entry("one"),)))
    path.chmod(0o666)
    with pytest.raises(EvalkitError, match="anybody may write"):
        read_ring(path)
    path.chmod(0o600)
    path.write_bytes(b" " * (2**21 + 1))
    with pytest.raises(EvalkitError, match="at most"):
        read_ring(path)


def test_a_changed_entry_keeps_its_place(made):
    ring = Ring((made.entry("one"), made.entry("two")))
    changed = ring.changed(replace(ring.find("one"), state="retired"))
    assert [each.state for each in changed.entries] == ["retired", "active"]
    with pytest.raises(EvalkitError, match="no entry"):
        ring.find("three")
