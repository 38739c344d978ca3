import json
from collections import Counter

import pytest

from evalkit.errors import EvalkitError
from evalkit.tasks.probe.geneval.prompts import CLASSES, COLORS, TASKS, geneval_prompts, prompt_of, read_prompts


def test_the_shipped_prompts_are_the_official_ones():
    prompts = geneval_prompts()
    assert len(prompts) == len({p.prompt for p in prompts}) == 553
    counts = Counter(p.tag for p in prompts)
    assert [counts[task] for task in TASKS] == [80, 99, 80, 94, 100, 100]
    assert [p.id for p in prompts[:2]] == ["00000", "00001"]


def test_every_clause_names_a_known_class_and_colour():
    for prompt in geneval_prompts():
        for clause in (*prompt.include, *prompt.exclude):
            assert clause.name in CLASSES
            assert clause.color in (None, *COLORS)
    assert {"computer mouse", "tv remote", "computer keyboard"} < set(CLASSES)
    assert len(CLASSES) == 80


def test_in_position_prompts_the_subject_comes_second():
    prompt = geneval_prompts()[353]
    target, subject = prompt.include
    assert prompt.prompt == f"a photo of a {subject.name} {subject.relation} a {target.name}"


def test_only_counting_excludes_and_by_one_more():
    for prompt in geneval_prompts():
        assert bool(prompt.exclude) == (prompt.tag == "counting")
        for clause in prompt.exclude:
            assert (clause.name, clause.count) == (prompt.include[0].name, prompt.include[0].count + 1)


def test_a_file_with_other_texts_is_read(tmp_path):
    lines = [{**p.metadata, "prompt": f"{p.prompt}, in detail"} for p in geneval_prompts()]
    path = tmp_path / "long.jsonl"
    path.write_text("\ufeff" + "\n".join(map(json.dumps, lines)) + "\n\n", "utf-8")
    read = read_prompts(path)
    assert [p.include for p in read] == [p.include for p in geneval_prompts()]
    assert read[0].prompt == "a photo of a bench, in detail"


GOOD = {
    "tag": "position",
    "include": [{"class": "a", "count": 1}, {"class": "b", "count": 1, "position": ["left of", 0]}],
    "prompt": "p",
}


@pytest.mark.parametrize(
    "change",
    [
        {"include": None},
        {"include": [{"class": "a"}]},
        {"include": [{"class": "a", "count": 0}]},
        {"include": [{"class": "a", "count": True}]},
        {"include": [{"class": "a", "count": 1, "position": "left"}]},
        {"include": [{"class": "a", "count": 1, "position": ["left of", 0]}]},
        {"include": [{"class": "a", "count": 1}, {"class": "b", "count": 1, "position": ["left of", 1]}]},
        {"include": [3]},
    ],
)
def test_a_line_of_another_form_is_refused(change):
    assert prompt_of(GOOD, "0").include[1].relation == "left of"
    with pytest.raises(EvalkitError):
        prompt_of({**GOOD, **change}, "0")


@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b"\xff", b'{"tag": "x"}', b"[" * 100_000])
def test_a_file_of_another_form_is_one_sentence_with_its_line(tmp_path, data):
    path = tmp_path / "p.jsonl"
    path.write_bytes(json.dumps(GOOD).encode() + b"\n" + data if data else b"")
    with pytest.raises(EvalkitError, match=r"p\.jsonl, line 2|holds no prompt"):
        read_prompts(path)
