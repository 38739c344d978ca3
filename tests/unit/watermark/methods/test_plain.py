"""Marks as plain data say what the made marks say, for every method; wrong keys and files are noticed."""

import numpy as np
import pytest
from helpers.keys import known_key

from evalkit.errors import EvalkitError
from evalkit.tokenizers.registry import load_tokenizer
from evalkit.watermark.keys import Key
from evalkit.watermark.methods import MarkSpec, Several, mark_for, read_mark, write_mark
from evalkit.watermark.methods.plain import live_mark, members, plain_marks
from evalkit.watermark.shipped import opened_mark

SPECS = [
    MarkSpec(),
    MarkSpec(lists=8, gamma=0.25),
    MarkSpec(kind="paired", lists=2),
    MarkSpec("kgw"),
    MarkSpec("wmar", context=0),
    MarkSpec("indexmark", lists=2),
    MarkSpec("clusters", clusters=16),
    MarkSpec("places"),
    MarkSpec("places", clusters=16, epoch="may"),
]


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer("world-vq", device="cpu")


def names(spec):
    return "-".join(str(part) for part in (spec.method, spec.kind, spec.lists, spec.clusters) if part)


@pytest.mark.parametrize("spec", SPECS, ids=names)
def test_plain_data_says_what_the_mark_says_but_for_groups(tokenizer, tmp_path, spec):
    key = known_key(tmp_path / "k")
    counts = np.arange(tokenizer.vocab_size, dtype=np.float64)
    np.save(tmp_path / "f.npy", counts)
    plain = plain_marks([spec], [tmp_path / "k"], tmp_path / "f.npy")
    mark = mark_for(spec, key, tokenizer, frequencies=counts)
    said = mark.as_dict()
    assert {**plain.said, "groups": said.get("groups")} == {**said, "groups": said.get("groups")}
    assert plain.whole == (plain.said == said)
    assert opened_mark(plain.said, plain.here, tokenizer).as_dict() == said
    assert "live" not in str(plain.here)


def test_keys_and_epochs_are_marks_of_their_own_in_order(tokenizer, tmp_path):
    keys = [known_key(tmp_path / name) for name in "ab"]
    specs = [MarkSpec(epoch=each) for each in ("x", "y")]
    plain = plain_marks(specs, [tmp_path / "a", keys[1]])
    made = opened_mark(plain.said, plain.here, tokenizer)
    assert isinstance(made, Several)
    assert made.as_dict() == plain.said
    assert [(each["key_id"], each["epoch"]) for each in members(plain.said)] == [
        (key.id, epoch) for key in keys for epoch in "xy"
    ]


def test_another_key_in_the_file_and_keys_without_a_file_are_said(tokenizer, tmp_path):
    known_key(tmp_path / "k")
    plain = plain_marks([MarkSpec()], [tmp_path / "k"])
    (tmp_path / "k").unlink()
    known_key(tmp_path / "k", "another")
    with pytest.raises(EvalkitError, match="not that of the run"):
        opened_mark(plain.said, plain.here, tokenizer)
    mark = mark_for(MarkSpec(), Key(bytes(32)), tokenizer)
    live = live_mark(mark)
    assert opened_mark(live.said, live.here, tokenizer) is mark
    with pytest.raises(EvalkitError, match="cannot be sent"):
        opened_mark(live.said, {**live.here, "mark": None}, tokenizer)


def test_a_mark_file_of_another_key_is_refused(tokenizer, tmp_path):
    write_mark(tmp_path / "mark.json", mark_for(MarkSpec(), known_key(tmp_path / "a"), tokenizer))
    known_key(tmp_path / "b")
    file = read_mark(tmp_path / "mark.json")
    assert plain_marks([file.spec], [tmp_path / "a"], file=file).file is file
    with pytest.raises(EvalkitError, match="made with the key"):
        plain_marks([file.spec], [tmp_path / "b"], file=file)
