"""Marked images are checked without their key: means from rows, rows from images."""

import hashlib
import json
import shutil

import pytest

from evalkit.images import open_images
from evalkit.images.encode import png_bytes
from evalkit.images.sample import Sample
from evalkit.jobs.options import RunOptions
from evalkit.jsonio import pretty_json
from evalkit.provenance.verify import Depth, verify_run
from evalkit.runs.record import with_digest
from evalkit.tokenizers.registry import load_tokenizer
from evalkit.watermark.embed import embed_folder
from evalkit.watermark.keys import Key
from evalkit.watermark.methods import MarkSpec, mark_for


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp("made")
    (tmp_path / "photos").mkdir()
    for number, sample in enumerate(open_images("sample/photos").read(0, 3)):
        assert isinstance(sample, Sample)
        (tmp_path / "photos" / f"{number}.png").write_bytes(png_bytes(sample.image[:64, :64]))
    world = load_tokenizer("world-vq", device="cpu")
    mark = mark_for(MarkSpec(lists=4), Key(bytes(range(32))), world)
    return embed_folder(
        tmp_path / "photos", world, mark, options=RunOptions(out=tmp_path / "run", device="cpu", batch_size=3)
    ).path


@pytest.fixture
def run(made, tmp_path):
    """A copy that a test may spoil."""
    return shutil.copytree(made, tmp_path / "run")


def resealed(run, name, change):
    (run / name).write_bytes(change((run / name).read_bytes()))
    record = json.loads((run / "record.json").read_bytes())
    record["files"][name] = hashlib.sha256((run / name).read_bytes()).hexdigest()
    (run / "record.json").write_bytes(pretty_json(with_digest(record)))


def test_means_follow_from_rows_and_what_needs_the_key_says_so(run):
    verdict = verify_run(run, Depth(rescore=1, regenerate=1))
    assert verdict.failures == ()
    assert verdict.steps[3].status == "passed"
    assert [step.status for step in verdict.steps[4:]] == ["not reached"] * 2
    assert "key" in verdict.steps[5].detail


@pytest.mark.parametrize("field", ["value", "low", "high", "n"])
def test_a_mean_that_does_not_follow_is_found(field, run):
    def better(data):
        rows = json.loads(data)
        rows[0][field] += 1
        return pretty_json(rows)

    resealed(run, "results.json", better)
    (failure,) = verify_run(run).failures
    assert f"{field} is" in failure.reason


def test_missing_and_made_up_means_and_exchanged_images_are_found(run):
    resealed(run, "results.json", lambda data: pretty_json(json.loads(data)[1:]))
    assert "is missing" in str(verify_run(run).failures)

    def more(data):
        rows = json.loads(data)
        return pretty_json([*rows, {**rows[0], "metric": "beauty"}])

    resealed(run, "results.json", more)
    assert "beauty of photos follows from no row" in str(verify_run(run).failures)
    other = next((run / "images").glob("0*.png"))
    resealed(run, f"images/{other.name}", lambda data: (run / "images" / "1.png").read_bytes())
    assert f"images/{other.name}" in {failure.file for failure in verify_run(run).failures}
