"""What a run says of its data, and when it is another run because of it."""

import shutil
from dataclasses import replace

import datasets
import pytest
from PIL import Image

from evalkit.errors import EvalkitError
from evalkit.images import open_images
from evalkit.images.hub import HubSet
from evalkit.jobs.checks import How
from evalkit.jobs.job import Progress, RunOptions
from evalkit.tasks.tokenizer import evaluate_tokenizer
from evalkit.tasks.tokenizer.task import TOKENIZER


class Heard(Progress):
    def __init__(self):
        self.said = []

    def note(self, message):
        self.said.append(message)


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "lab"
    root.mkdir()
    for i in range(3):
        Image.effect_noise((32, 32), 10 + i).convert("RGB").save(root / f"{i}.png")
    (root / "notes.md").write_text("not an image")
    (root / "metadata.csv").write_text("file_name,text\n0.png,OPEN\ngone.png,SHUT\n")
    return root


def run(data, out, **options):
    return evaluate_tokenizer("jpeg-q50", data, tasks=["reconstruction"], options=RunOptions(out=out, **options))[0]


def test_what_was_left_out_is_said_and_stands_in_the_record(folder, tmp_path):
    heard = Heard()
    data = run(folder, tmp_path / "run", progress=heard).record["data"]
    assert (data["skipped"], data["unmatched"], data["revision"]) == ({".md": 1}, 1, None)
    assert heard.said[:2] == [
        "left out, not read as images: 1 file (1 .md)",
        "metadata without its image: 1 row (gone.png)",
    ]


def test_a_copy_has_the_digest_of_its_original_and_results_of_the_same_data(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    one, other = run(folder, tmp_path / "a"), run(tmp_path / "copy", tmp_path / "b")
    assert one.record["data"]["digest"] == other.record["data"]["digest"] == open_images(folder).digest()


def test_a_changed_text_is_another_run(folder, tmp_path):
    run(folder, tmp_path / "run")
    run(folder, tmp_path / "run")
    (folder / "metadata.csv").write_text("file_name,text\n0.png,CLOSED\n")
    with pytest.raises(EvalkitError):
        run(folder, tmp_path / "run")


def test_verify_computes_the_digest_from_the_rows(folder, tmp_path):
    made = run(folder, tmp_path / "run")
    checks = TOKENIZER.checks()
    assert checks.recompute(made, How()).failures == ()
    forged = replace(made, record={**made.record, "data": {**made.record["data"], "digest": "0" * 64}})
    (failure,) = checks.recompute(forged, How()).failures
    assert "the data's digest is 000" in failure.reason


@pytest.mark.parametrize("keep", ["worst", "all", "none"])
def test_a_whole_run_over_a_stream_pulls_each_row_at_most_twice(folder, tmp_path, keep, monkeypatch):
    monkeypatch.setattr("evalkit.images.rows.KEPT_ROWS", 8)
    data, pulled = (folder / "0.png").read_bytes(), [0]

    def make():
        for _ in range(150):
            pulled[0] += 1
            yield {"image": {"bytes": data, "path": None}}

    def opened(*_):
        return datasets.IterableDataset.from_generator(make, features=datasets.Features({"image": datasets.Image()}))

    images = HubSet("hf:a/b/test", opened)
    pulled[0] = 0
    run(images, tmp_path / "run", keep=keep)
    assert pulled[0] <= 300
