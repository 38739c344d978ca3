import json
import math

import numpy as np
import pytest
from PIL import Image

import evalkit
from evalkit.errors import EvalkitError
from evalkit.jobs.options import RunOptions
from evalkit.metrics.likelihood import PIXELS
from evalkit.provenance.verify import verify_run
from evalkit.tasks.likelihood.reported import read_reported


def lines(path, rows):
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


@pytest.fixture
def images(tmp_path):
    (tmp_path / "images").mkdir()
    for i, side in enumerate((4, 8, 8)):
        Image.fromarray(np.full((side, 6, 3), i, np.uint8)).save(tmp_path / "images" / f"{i}.png")
    return tmp_path / "images"


def test_bits_per_dimension_follow_from_stated_nats_and_the_size_of_each_image(images, tmp_path):
    stated = [{"id": "0.png", "log_likelihood": -72 * math.log(2)}, {"id": "1", "log_likelihood": -432 * math.log(2)}]
    file = lines(tmp_path / "axial.jsonl", stated)
    run = evalkit.score(images, log_likelihoods=file, options=RunOptions(out=tmp_path / "run", device="cpu"))
    assert run.samples[PIXELS.name].to_pylist() == pytest.approx([1, 3, None])
    assert run.samples["error"][2].as_py() == "no log-likelihood is stated of it"
    row = run.results[0]
    assert (row["metric"], row["value"], row["n"]) == (PIXELS.name, pytest.approx(2), 2)
    assert run.record["model"]["name"] == "axial"
    assert verify_run(run.path).failures == ()


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"id": "0"}, "lacks id or log_likelihood"),
        ({"id": 0, "log_likelihood": 1.0}, "lacks id or log_likelihood"),
        ({"id": "0", "log_likelihood": True}, "lacks id or log_likelihood"),
        ([1], "lacks id or log_likelihood"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, row, words):
    with pytest.raises(EvalkitError, match=f"line 1 of .*{words}"):
        read_reported(lines(tmp_path / "x.jsonl", [row]))


def test_an_image_has_one_line_and_the_file_is_there(tmp_path):
    with pytest.raises(EvalkitError, match="twice"):
        read_reported(lines(tmp_path / "x.jsonl", [{"id": "0", "log_likelihood": 1.0}] * 2))
    with pytest.raises(EvalkitError, match="is not there"):
        read_reported(tmp_path / "nowhere.jsonl")


def test_other_metrics_are_asked_for_apart(images, tmp_path):
    file = lines(tmp_path / "x.jsonl", [{"id": "0", "log_likelihood": 1.0}])
    with pytest.raises(EvalkitError, match="bits_per_dim alone"):
        evalkit.score(images, metrics=["fid"], log_likelihoods=file)
