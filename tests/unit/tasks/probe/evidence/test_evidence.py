"""Evidence is written and read without loss; what is not of the schema is one sentence with its line."""

import gzip
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.encoders.answers import Answer
from evalkit.encoders.base import OcrText
from evalkit.encoders.detectors.detection import Detection
from evalkit.encoders.detectors.rle import Mask
from evalkit.errors import EvalkitError
from evalkit.judges.reply import RawReply, Reply
from evalkit.tasks.probe.evidence.read import read_evidence
from evalkit.tasks.probe.evidence.record import AskedReply, ImageEvidence
from evalkit.tasks.probe.evidence.write import write_evidence

FACTS = {"suite": "geneval", "boxes": {"encoder": "x", "floor": 0.05}}
MASK = Mask.of(np.tri(6, 8, dtype=bool))
WHOLE = ImageEvidence(
    image="00000/samples/0000.png",
    prompt="00000",
    sample=1,
    size=(6, 8),
    sha256="ab",
    boxes=(
        Detection("dog", (0.0, 0.25, 3.5, 6.0), 0.75, MASK, "red", 0.5),
        Detection("cat", (0.0, 0.0, 0.0, 0.0), 0.0),
    ),
    text=OcrText(("eine Zeile", "\u2028二"), (0.5, 1.0)),
    answers=(Answer("a dog?", "yes", {"yes": 0.9, "no": 0.05}), Answer("two?", "no")),
    replies=(
        AskedReply("consistency", Reply("k", "answered", "", {"score": 0}, RawReply(text="{}")), "gpt-4o"),
        AskedReply("realism", Reply("", "refused", "content filter")),
    ),
)


@pytest.mark.parametrize("name", ["e.jsonl", "e.jsonl.gz"])
def test_evidence_comes_back_as_it_was_written(tmp_path, name):
    images = [WHOLE, ImageEvidence("empty", "00001", boxes=()), ImageEvidence("bare", "p")]
    write_evidence(tmp_path / name, images, FACTS)
    read = read_evidence(tmp_path / name)
    assert read.images == tuple(images)
    assert read.facts == FACTS
    assert read.floor == 0.05
    first = (tmp_path / name).read_bytes()
    write_evidence(tmp_path / name, read.images, read.facts)
    assert (tmp_path / name).read_bytes() == first
    assert [p.name for p in tmp_path.iterdir()] == [name]


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
shares = st.floats(0, 1)
corners = st.tuples(shares, shares).map(sorted)
detections = st.builds(
    lambda label, x, y, score, color: Detection(label, (x[0], y[0], x[1], y[1]), score, None, color),
    texts,
    corners,
    corners,
    shares,
    st.none() | texts,
)


@given(
    st.lists(detections, max_size=5),
    st.none() | st.lists(st.builds(Answer, texts, texts, st.dictionaries(texts, shares, max_size=3))),
)
def test_any_evidence_comes_back(tmp_path_factory, boxes, answers):
    path = tmp_path_factory.mktemp("e") / "e.jsonl"
    image = ImageEvidence("i", "p", boxes=tuple(boxes), answers=None if answers is None else tuple(answers))
    write_evidence(path, [image])
    assert read_evidence(path).images == (image,)


def test_the_writing_is_what_the_schema_says(tmp_path):
    write_evidence(tmp_path / "e.jsonl", [WHOLE], FACTS)
    facts, row = map(json.loads, (tmp_path / "e.jsonl").read_text("utf-8").split("\n")[:2])
    assert facts == {"evidence": 1, **FACTS}
    assert row["boxes"][0] == {
        "class": "dog",
        "box": [0, 0.25, 3.5, 6],
        "score": 0.75,
        "mask": {"size": [6, 8], "counts": MASK.counts},
        "color": "red",
        "sureness": 0.5,
    }
    assert row["text"][0] == {"line": "eine Zeile", "score": 0.5}
    assert row["replies"][1] == {"question": "realism", "state": "refused", "detail": "content filter"}


def write(path, *rows):
    path.write_bytes(
        b"\n".join(json.dumps(row).encode() if not isinstance(row, bytes) else row for row in rows) + b"\n"
    )
    return path


def test_sections_of_several_files_are_put_together(tmp_path):
    one = write(tmp_path / "1", {"evidence": 1, "boxes": {"encoder": "x"}}, {"image": "i", "prompt": 3, "boxes": []})
    two = write(
        tmp_path / "2", {"evidence": 1, "judge": {"judge": "m"}}, {"image": "i", "prompt": "00003", "answers": []}
    )
    read = read_evidence(one, two)
    assert read.images == (ImageEvidence("i", "00003", boxes=(), answers=()),)
    assert read.facts == {"boxes": {"encoder": "x"}, "judge": {"judge": "m"}}


def test_the_short_form_numbers_the_images_of_a_prompt(tmp_path):
    rows = [
        {"m": 7, "d": {"dog": [[0, 0, 1, 1, 0.5]]}, "c": {"dog": ["red"]}, "o": {"threshold": 0.1}, "ok": True},
        {"m": 7, "d": {}},
    ]
    first, second = read_evidence(write(tmp_path / "e", *rows)).images
    assert (first.prompt, first.sample, second.sample) == ("00007", 0, 1)
    assert first.boxes == (Detection("dog", (0.0, 0.0, 1.0, 1.0), 0.5, None, "red"),)
    assert (first.options, second.boxes) == ({"threshold": 0.1}, ())


GOOD = {"image": "i", "prompt": 0}
BOX = {"class": "dog", "box": [0, 0, 1, 1], "score": 0.5}


@pytest.mark.parametrize(
    "row",
    [
        b"{",
        b"3",
        b"[]",
        b"nothing",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"image": "i", "prompt": 0, "sample": NaN}',
        b'{"a": 1' + b"0" * 9000 + b"}",
        {"prompt": 0},
        {"image": 3, "prompt": 0},
        {"image": "i"},
        {"image": "i", "prompt": -1},
        {"image": "i", "prompt": True},
        {"image": "i", "prompt": ""},
        {**GOOD, "odd": 1},
        {**GOOD, "sample": -1},
        {**GOOD, "size": [0, 1]},
        {**GOOD, "size": 3},
        {**GOOD, "sha256": 3},
        {**GOOD, "boxes": 3},
        {**GOOD, "boxes": [3]},
        {**GOOD, "boxes": [{}]},
        {**GOOD, "boxes": None},
        {**GOOD, "boxes": [{**BOX, "box": [1, 0, 0, 1]}]},
        {**GOOD, "boxes": [{**BOX, "box": [0, 0, 1]}]},
        {**GOOD, "boxes": [{**BOX, "box": [0, 0, 1, "1"]}]},
        {**GOOD, "boxes": [{**BOX, "score": 1.5}]},
        {**GOOD, "boxes": [{**BOX, "score": True}]},
        {**GOOD, "boxes": [{**BOX, "label": "x"}]},
        {**GOOD, "boxes": [{**BOX, "mask": {}}]},
        {**GOOD, "boxes": [{**BOX, "mask": {"size": [1, 1], "counts": 3}}]},
        {**GOOD, "boxes": [{**BOX, "color": 3}]},
        {**GOOD, "size": [2, 2], "boxes": [{**BOX, "mask": {"size": [1, 1], "counts": "1"}}]},
        {**GOOD, "text": [{"line": 3}]},
        {**GOOD, "text": [{"line": "x", "score": 2}]},
        {**GOOD, "answers": [{"question": "q"}]},
        {**GOOD, "answers": [{"question": "q", "answer": "a", "probabilities": {"a": -1}}]},
        {**GOOD, "replies": [{"question": "q", "state": "fine"}]},
        {**GOOD, "replies": [{"question": "q", "state": "answered"}]},
        {"evidence": 2},
        {"evidence": "1"},
        {"m": 0},
        {"m": 0, "d": []},
        {"m": 0, "d": {"dog": [[0, 0, 1, 1]]}},
        {"m": 0, "d": {"dog": 3}},
        {"m": 0, "d": {}, "x": 1},
        {"m": 0, "d": {"dog": [[0, 0, 1, 1, 0.5]]}, "c": {"dog": []}},
        {"m": 0, "d": {"dog": [[0, 0, 1, 1, 0.5]]}, "c": {"dog": [3]}},
        {"m": 0, "d": {}, "o": {"threshold": "x"}},
        {"image": "first", "prompt": 1},
        {"image": "first", "prompt": 0, "boxes": []},
        {"image": "first", "prompt": 0, "size": [9, 9]},
    ],
)
def test_whatever_is_not_of_the_schema_is_one_sentence_with_its_line(tmp_path, row):
    path = write(tmp_path / "e.jsonl", {"image": "first", "prompt": 0, "size": [1, 1], "boxes": []}, row)
    with pytest.raises(EvalkitError, match=r"^e\.jsonl, line 2: ") as caught:
        read_evidence(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("facts", [{"evidence": 1, "suite": "world"}, {"evidence": 1, "boxes": {"encoder": "other"}}])
def test_evidence_of_other_encoders_is_not_mixed(tmp_path, facts):
    first = write(tmp_path / "1", {"evidence": 1, "suite": "geneval", "boxes": {"encoder": "x"}}, GOOD)
    with pytest.raises(EvalkitError, match="not that of the evidence before"):
        read_evidence(first, write(tmp_path / "2", facts))


def test_packed_files_that_break_off_are_one_sentence(tmp_path):
    write_evidence(tmp_path / "e.jsonl.gz", [WHOLE], FACTS)
    data = (tmp_path / "e.jsonl.gz").read_bytes()
    (tmp_path / "cut.gz").write_bytes(data[: len(data) // 2])
    (tmp_path / "odd.gz").write_bytes(b"\x1f\x8b" + b"nonsense" * 9)
    (tmp_path / "bad.gz").write_bytes(data[:30] + b"\x00\xff" * 9 + data[48:])
    for name in ("cut.gz", "odd.gz", "bad.gz"):
        with pytest.raises(EvalkitError, match=rf"{name}, line \d"):
            read_evidence(tmp_path / name)


def test_a_line_without_end_is_not_read_into_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("evalkit.tasks.probe.evidence.read.LONGEST", 1000)
    (tmp_path / "e.gz").write_bytes(gzip.compress(b" " * 5000))
    with pytest.raises(EvalkitError, match="longer than 1,000 bytes"):
        read_evidence(tmp_path / "e.gz")


@pytest.mark.parametrize("data", [b"", b"\n\n", b'{"evidence": 1}\n'])
def test_a_file_without_images_is_said(tmp_path, data):
    (tmp_path / "e").write_bytes(data)
    with pytest.raises(EvalkitError, match="holds no evidence"):
        read_evidence(tmp_path / "e")


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(EvalkitError, match="cannot be read: No such file"):
        read_evidence(tmp_path / "e")
    with pytest.raises(EvalkitError, match="cannot be read: it is no plain file"):
        read_evidence(tmp_path)
