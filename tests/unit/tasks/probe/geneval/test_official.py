import json

import pytest

from evalkit.errors import EvalkitError
from evalkit.tasks.probe.geneval.official import read_layout, read_results, write_results
from evalkit.tasks.probe.geneval.prompts import geneval_prompts
from evalkit.tasks.probe.rows import ProbeRow

PROMPTS = geneval_prompts()[:3]
BY_ID = {prompt.id: prompt for prompt in geneval_prompts()}


@pytest.fixture
def folder(tmp_path):
    for number, prompt in enumerate(PROMPTS):
        samples = tmp_path / f"{number:05d}" / "samples"
        samples.mkdir(parents=True)
        (samples.parent / "metadata.jsonl").write_text(json.dumps(dict(prompt.metadata)))
        (samples.parent / "grid.png").touch()
        for sample in (10, 2, 0):
            (samples / f"{sample:04d}.png").touch()
    (tmp_path / "notes").mkdir()
    return tmp_path


def test_images_come_in_the_order_of_prompts_and_numbers(folder):
    found = read_layout(folder, PROMPTS, "geneval")
    assert [(image.prompt, image.sample, image.path.name) for image in found[:4]] == [
        ("00000", 0, "0000.png"),
        ("00000", 1, "0002.png"),
        ("00000", 2, "0010.png"),
        ("00001", 0, "0000.png"),
    ]
    assert len(found) == 9


@pytest.mark.parametrize("name", ["0001.jpg", "0001.PNG", "cat.png", "0001.webp"])
def test_images_that_the_official_script_passes_over_are_named(folder, name):
    (folder / "00001" / "samples" / name).touch()
    with pytest.raises(EvalkitError, match=rf"holds {name}"):
        read_layout(folder, PROMPTS, "geneval")


@pytest.mark.parametrize("text", ["", "[]", json.dumps(dict(PROMPTS[0].metadata))])
def test_prompts_that_do_not_match_are_named(folder, text):
    (folder / "00001" / "metadata.jsonl").write_text(text)
    with pytest.raises(EvalkitError, match=r"metadata\.jsonl is"):
        read_layout(folder, PROMPTS, "geneval")


def test_a_folder_without_the_layout_is_said(folder, tmp_path):
    with pytest.raises(EvalkitError, match="no folders 00000"):
        read_layout(folder / "notes", PROMPTS, "geneval")
    with pytest.raises(EvalkitError, match="cannot be read"):
        read_layout(folder / "nothing", PROMPTS, "geneval")
    with pytest.raises(EvalkitError, match="00002 is no prompt of a suite of 2"):
        read_layout(folder, PROMPTS[:2], "geneval")
    (folder / "00000" / "samples").rename(folder / "00000" / "images")
    with pytest.raises(EvalkitError, match="samples is not there"):
        read_layout(folder, PROMPTS, "geneval")


ROWS = [
    ProbeRow("a/0.png", "00000", 0, "single_object", 1.0, details={"bench": [[0.0, 1.0, 2.0, 3.0, 0.5]]}),
    ProbeRow("a/1.png", "00000", 1, "single_object", 0.0, reason="expected bench>=1, found 0"),
    ProbeRow("b/0.png", "00001", 0, "single_object", 1.0),
]


def test_results_have_the_official_form_and_come_back(tmp_path):
    write_results(tmp_path / "r.jsonl", ROWS, BY_ID)
    first = json.loads((tmp_path / "r.jsonl").read_text().splitlines()[0])
    assert list(first) == ["filename", "tag", "prompt", "correct", "reason", "metadata", "details"]
    assert (first["correct"], json.loads(first["metadata"])) == (True, dict(PROMPTS[0].metadata))
    assert json.loads(first["details"]) == {"bench": [[0.0, 1.0, 2.0, 3.0, 0.5]]}
    assert read_results(tmp_path / "r.jsonl", geneval_prompts()) == ROWS


@pytest.mark.parametrize(
    "change", [{"metadata": "{}"}, {"metadata": "{"}, {"correct": 1}, {"details": "[]"}, {"reason": None}]
)
def test_results_of_something_else_are_one_sentence(tmp_path, change):
    write_results(tmp_path / "r.jsonl", ROWS, BY_ID)
    lines = (tmp_path / "r.jsonl").read_text().splitlines()
    lines[1] = json.dumps({**json.loads(lines[1]), **change})
    (tmp_path / "r.jsonl").write_text("\n".join(lines))
    with pytest.raises(EvalkitError, match=r"r\.jsonl, line 2: ") as caught:
        read_results(tmp_path / "r.jsonl", geneval_prompts())
    assert "\n" not in str(caught.value)
