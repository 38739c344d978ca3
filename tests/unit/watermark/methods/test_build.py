"""Specs, marks and mark.json: one says what the other is made of, and none holds the key."""

import json

import numpy as np
import pytest

from evalkit.errors import EvalkitError
from evalkit.tokenizers.registry import load_tokenizer
from evalkit.watermark.identity import tokenizer_identity
from evalkit.watermark.keys import Key
from evalkit.watermark.mark import LexicalBias
from evalkit.watermark.methods import MarkSpec, Several, build_mark, mark_for, read_mark, write_mark
from evalkit.watermark.methods.subject import codebook_of, read_frequencies

KEY, OTHER = Key(bytes(range(32))), Key(bytes(range(1, 33)))
V = 64


@pytest.fixture(scope="module")
def world():
    return load_tokenizer("world-vq", device="cpu")


def test_a_spec_survives_its_mark_and_its_file(tmp_path):
    spec = MarkSpec(gamma=0.25, lists=8, cap=2, epoch="2026")
    mark = build_mark(spec, KEY, "t@x", V)
    assert MarkSpec.from_dict(mark.as_dict()) == spec
    write_mark(tmp_path / "mark.json", mark, {"delta": 2.0})
    for path in (tmp_path, tmp_path / "mark.json"):
        found = read_mark(path)
        assert (found.spec, found.tokenizer, found.key_id) == (spec, "t@x", KEY.id)
        assert found.embedding == {"delta": 2.0}
    text = (tmp_path / "mark.json").read_text()
    assert KEY.secret.hex() not in text
    again = build_mark(found.spec, KEY, found.tokenizer, V)
    assert isinstance(again, LexicalBias)
    assert np.array_equal(again.pool.masks, mark.pool.masks)


def test_a_wrong_key_or_tokenizer_for_a_mark_is_one_sentence(tmp_path):
    write_mark(tmp_path / "mark.json", build_mark(MarkSpec(), KEY, "t@x", V))
    found = read_mark(tmp_path)
    found.check(KEY, "t@x")
    with pytest.raises(EvalkitError, match=f"made with the key {KEY.id}; the key given is {OTHER.id}"):
        found.check(OTHER)
    with pytest.raises(EvalkitError, match="for the tokenizer t@x; t@y given"):
        found.check(KEY, "t@y")


def test_what_is_no_mark_is_said(tmp_path):
    with pytest.raises(EvalkitError, match="cannot be read"):
        read_mark(tmp_path)
    for text in ("no json", "[]", "{}", '{"format": 2}', '{"format": 2, "key_id": "", "tokenizer": "", "mark": 3}'):
        (tmp_path / "mark.json").write_text(text)
        with pytest.raises(EvalkitError, match=r"is no mark\.json"):
            read_mark(tmp_path)
    for number, remedy in ((3, "Update evalkit"), (1, "Mark the images again")):
        (tmp_path / "mark.json").write_text(json.dumps({"format": number}))
        with pytest.raises(EvalkitError, match=remedy):
            read_mark(tmp_path)
    edit(tmp_path, mark={"method": "lwb"})
    with pytest.raises(EvalkitError, match="did you mean lbw"):
        read_mark(tmp_path)


def edit(folder, **changes):
    """A mark.json of `KEY` with some fields, or (`mark_...`) some numbers of its mark, changed by hand."""
    write_mark(folder / "mark.json", build_mark(MarkSpec(), KEY, "t@x", V), {"delta": 2.0})
    said = json.loads((folder / "mark.json").read_text())
    inner = {name.removeprefix("mark_"): value for name, value in changes.items() if name.startswith("mark_")}
    said["mark"].update(inner)
    said.update({name: value for name, value in changes.items() if not name.startswith("mark_")})
    (folder / "mark.json").write_text(json.dumps(said))
    return folder


@pytest.mark.parametrize(
    "change",
    [{"mark_gamma": 0.25}, {"mark_lists": 2, "mark_kind": "balanced"}, {"mark_epoch": "1"}, {"tokenizer": "t@y"},
     {"embedding": {"delta": 3.0}}, {"hmac": "0" * 64}],
)  # fmt: skip
def test_a_mark_that_was_edited_is_refused_by_whoever_has_the_key(tmp_path, change):
    read_mark(edit(tmp_path)).check(KEY)
    with pytest.raises(EvalkitError, match="has been changed since it was made"):
        read_mark(edit(tmp_path, **change)).check(KEY)


@pytest.mark.parametrize(
    "change",
    [{"more": 1}, {"tokenizer": "world-vq"}, {"key_id": "ab"}, {"hmac": None}, {"embedding": []},
     {"mark": {"method": "lbw", "gamma": 0.5}}],
)  # fmt: skip
def test_a_field_that_is_missing_more_or_of_another_kind_makes_it_no_mark(tmp_path, change):
    with pytest.raises(EvalkitError, match=r"is no mark\.json"):
        read_mark(edit(tmp_path, **change))


@pytest.mark.parametrize(
    ("name", "value"), [("gamma", "0.5"), ("lists", 1.5), ("cap", True), ("epoch", 0), ("kind", [])]
)
def test_a_number_of_another_kind_is_named(tmp_path, name, value):
    with pytest.raises(EvalkitError, match=f"{name} of a mark cannot be"):
        read_mark(edit(tmp_path, **{f"mark_{name}": value}))


def test_specs_take_what_their_method_takes():
    assert MarkSpec().kind == "independent"
    assert MarkSpec(lists=4).kind == "balanced"
    with pytest.raises(EvalkitError, match="lbw takes no clusters"):
        MarkSpec(clusters=4)
    with pytest.raises(EvalkitError, match="there is no watermark method 'nothing'"):
        MarkSpec("nothing")
    with pytest.raises(EvalkitError, match="cap is a whole number"):
        MarkSpec(cap=0)
    with pytest.raises(EvalkitError, match="gamma lies between"):
        MarkSpec(gamma=1.5)
    with pytest.raises(EvalkitError, match="takes no nonsense"):
        MarkSpec.from_dict({"method": "lbw", "nonsense": 1})


def test_a_mark_for_a_tokenizer_has_its_identity_and_vocabulary(world):
    mark = mark_for(MarkSpec(kind="paired"), KEY, world, frequencies=np.arange(world.vocab_size))
    assert mark.tokenizer == tokenizer_identity(world)
    assert mark.green_codes(0).shape == (world.vocab_size,)
    assert mark.as_dict()["frequencies"] is not None
    with pytest.raises(EvalkitError, match="frequencies are of 3 codes"):
        mark_for(MarkSpec(), KEY, world, frequencies=np.arange(3))


def test_the_codebook_is_the_table_that_is_searched(world):
    table = codebook_of(world)
    assert table.shape[0] == world.vocab_size
    search = world.searches()[0]
    assert "settle" not in vars(search)  # nothing listens any more
    with pytest.raises(EvalkitError, match="searches no codebook"):
        codebook_of(load_tokenizer("jpeg-lm"))


def test_frequencies_come_from_npy_and_npz(tmp_path):
    np.save(tmp_path / "f.npy", np.arange(4))
    np.savez(tmp_path / "f.npz", frequencies=np.arange(4))
    assert (
        read_frequencies(tmp_path / "f.npy").tolist() == read_frequencies(tmp_path / "f.npz").tolist() == [0, 1, 2, 3]
    )
    np.save(tmp_path / "bad.npy", -np.ones(3))
    (tmp_path / "text.npy").write_text("1 2 3")
    for name, said in (
        ("bad.npy", "from 0 are expected"),
        ("text.npy", "cannot be read"),
        ("none.npy", "cannot be read"),
    ):
        with pytest.raises(EvalkitError, match=said):
            read_frequencies(tmp_path / name)


def test_tests_of_several_epochs_are_added_up():
    marks = [build_mark(MarkSpec(lists=4, epoch=epoch), KEY, "t@x", V) for epoch in ("a", "b", "c")]
    both = Several(marks)
    assert both.lists == 12
    codes = np.flatnonzero(marks[1].green_codes(3))[None]
    found, alone = both.score(codes), marks[1].score(codes)
    assert found.list_id[0] == 7
    assert both.of(7) == (marks[1], 3)
    assert np.array_equal(both.green_codes(7), marks[1].green_codes(3))
    assert np.array_equal(both.colours(codes[0], 7), marks[1].colours(codes[0], 3))
    assert found.log_p[0] == pytest.approx(alone.log_p_list[0] + np.log(12))
    assert found.log_p_floor[0] == pytest.approx(alone.log_p_floor[0] + np.log(3))
    assert [each["epoch"] for each in both.as_dict()["marks"]] == ["a", "b", "c"]
    with pytest.raises(EvalkitError, match="one mark"):
        both.list_of(1)
    with pytest.raises(EvalkitError, match="of one tokenizer"):
        Several([marks[0], build_mark(MarkSpec(), KEY, "t@y", V)])


def test_p_values_over_several_epochs_stay_super_uniform_under_a_random_key():
    codes = np.random.default_rng(0).integers(0, V, (1, 40))
    codes[:, :15] = 3
    log_p = []
    for i in range(400):
        key = Key(i.to_bytes(32, "big"))
        log_p.append(Several([build_mark(MarkSpec(epoch=e), key, "t@x", V) for e in "abc"]).score(codes).log_p[0])
    for alpha in (0.2, 0.05, 0.01):
        assert np.mean(np.array(log_p) <= np.log(alpha)) <= alpha + 4.5 * np.sqrt(alpha / 400)
