"""Human verdicts on a small file of the official form; the official files give the shares of the specification."""

import csv
import io
import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from evalkit.cli.judge import judge
from evalkit.errors import EvalkitError
from evalkit.jobs.options import RunOptions
from evalkit.tasks.probe import probe as scored
from evalkit.tasks.probe.geneval.annotations import (
    agree_with_people,
    human_rows,
    people_agree,
    read_annotations,
    run_and_people,
)
from evalkit.tasks.probe.geneval.prompts import geneval_prompts

BY_ID = {prompt.id: prompt for prompt in geneval_prompts()}
PARTS = ("color-0", "color-1", "count-0", "count-1", "position-x", "position-y")
COLUMNS = [
    "HITId",
    "Input.prompt_id",
    "Input.image_id",
    "Input.image_url",
    "Input.caption",
    *(f"Answer.task-{p}" for p in PARTS),
    "Answer.task-objects",
]


def place(tag, number=0):
    return int([p.id for p in geneval_prompts() if p.tag == tag][number])


def line(prompt, sample=0, text="a dog", **answers):
    values = [answers.get(part.replace("-", "_"), "") for part in PARTS]
    url = f"https://example.org/resolve/main/images/if-xl/{prompt:05d}/samples/{sample:05d}.png"
    return ["x", prompt, sample, url, "a, b", *values, text]


def write(path, rows):
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([COLUMNS, *rows])
    path.write_bytes(buffer.getvalue().replace("BREAK", "\r").encode())
    return path


def right_of(tag):
    """What a person ticks who sees exactly what the first prompt of a task asks for."""
    prompt = BY_ID[f"{place(tag):05d}"]
    ticked = {}
    for number, clause in enumerate(prompt.include):
        ticked |= {
            f"count_{number}": f"{clause.count}.0",
            f"color_{number}": f"gray|{clause.color}" if clause.color else "",
        }
        side = (clause.relation or "").removesuffix(" of")
        ticked |= {"position_x": side} if side in ("left", "right") else {}
        ticked |= {"position_y": side} if side in ("above", "below") else {}
    return ticked


@pytest.mark.parametrize("tag", ["single_object", "two_object", "counting", "colors", "position", "color_attr"])
def test_what_was_asked_for_is_right_and_anything_less_is_not(tag, tmp_path):
    ticked = right_of(tag)
    wrong = [
        {
            **ticked,
            name: "9"
            if name.startswith("count") and tag == "counting"
            else "0"
            if name.startswith("count")
            else "pink",
        }
        for name, value in ticked.items()
        if value
    ]
    rows = [line(place(tag), **each) for each in (ticked, *wrong)]
    annotations = read_annotations(write(tmp_path / "a.csv", rows))
    assert [a.right(BY_ID[a.prompt]) for a in annotations] == [True, *[False] * len(wrong)]


def test_a_line_break_within_a_text_does_not_break_the_line(tmp_path):
    rows = [line(0, text="a bench BREAK and more", count_0="1.0"), line(0, count_0="0")]
    assert len(read_annotations(write(tmp_path / "a.csv", rows))) == 2


def five(tmp_path):
    rows = [line(0, s, count_0=str(int(n < yes))) for s, yes in enumerate((5, 3, 2, 0)) for n in range(5)]
    return read_annotations(write(tmp_path / "a.csv", rows))


def test_most_people_decide(tmp_path):
    rows = human_rows(five(tmp_path), BY_ID)
    assert [(row.score, row.values["people"]) for row in rows] == [(1, 1), (1, 0.6), (0, 0.4), (0, 0)]
    assert people_agree(five(tmp_path), BY_ID).value == pytest.approx((1 + 0.4 + 0.4 + 1) / 4)


def test_verdicts_are_compared_with_most_people_and_with_all_of_them(tmp_path):
    annotations = five(tmp_path)
    mine = human_rows(annotations, BY_ID)
    assert agree_with_people(mine, annotations, BY_ID).beyond_chance.value == 1
    mine[1] = replace(mine[1], score=0.0)
    found = agree_with_people(mine, annotations, BY_ID)
    assert (found.verdicts.value, found.unanimous.value) == (0.75, 1)
    mine[0] = replace(mine[0], score=0.0)
    assert agree_with_people(mine, annotations, BY_ID).unanimous.value == 0.5
    with pytest.raises(EvalkitError, match="no image of the results was annotated"):
        agree_with_people([replace(mine[0], prompt="00001")], annotations, BY_ID)


@pytest.mark.parametrize("data", [b"", b"a,b\n", b"\xff\xfe", b"a,b\n1\n", b"a,b\n1,2\n", b'a,b\n"1,2\n'])
def test_files_of_another_form_are_one_sentence(tmp_path, data):
    (tmp_path / "a.csv").write_bytes(data)
    with pytest.raises(EvalkitError, match=r"annotations_\*\.csv") as caught:
        read_annotations(tmp_path / "a.csv")
    assert "\n" not in str(caught.value)


def test_annotations_of_other_prompts_are_refused(tmp_path):
    with pytest.raises(EvalkitError, match="prompt 00600"):
        human_rows(read_annotations(write(tmp_path / "a.csv", [line(600, count_0="1")])), BY_ID)


def test_the_command_compares_a_run_with_people_and_names_the_images_they_saw(tmp_path):
    run = evidence_of(tmp_path, [1, 1, 0, 0])
    people = five(tmp_path)
    assert people[0].of == "if-xl"
    said = CliRunner().invoke(judge, ["agree", str(run.path), str(tmp_path / "a.csv")])
    assert said.exit_code == 0, said.output
    assert "equal those of most people: 1.000" in said.output
    assert "kappa: 1.000" in said.output
    assert "single object: 1.000" in said.output
    assert "images of if-xl" in said.output


def test_a_run_of_another_suite_has_no_people(tmp_path):
    five(tmp_path)
    run = scored("world", model="world-ar", options=RunOptions(out=tmp_path / "w", limit=2, device="cpu"))
    with pytest.raises(EvalkitError, match="no run of geneval"):
        run_and_people(run, tmp_path / "a.csv")


def evidence_of(tmp_path, there):
    """A run of GenEval's first prompt on evidence in which its object is there or not."""
    (name,) = (clause.name for clause in BY_ID["00000"].include)
    seen = [{"class": name, "box": [1, 2, 30, 40], "score": 0.9}]
    rows = [
        {"image": f"{sample}.png", "prompt": "00000", "sample": sample, "boxes": seen if yes else []}
        for sample, yes in enumerate(there)
    ]
    (tmp_path / "e.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return scored("geneval", evidence=tmp_path / "e.jsonl", options=RunOptions(out=tmp_path / "run", limit=4))
