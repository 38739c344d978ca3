"""Signed copies: valid manifests, the same pixels, and a proof of the run they are from."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from evalkit.errors import EvalkitError
from evalkit.images.credential import new_credential
from evalkit.provenance.sign import sign_run
from evalkit.provenance.verify import Depth, verify_run
from evalkit.runs.store import read_run

pytest.importorskip("c2pa")
from evalkit.images.c2pa import read_manifest
from evalkit.provenance.copies import belonging, check_in_run, sign_images
from evalkit.provenance.merkle import leaves, root


@pytest.fixture
def signed(runs, tmp_path):
    credential = new_credential(tmp_path / "credential")
    assert sign_images(read_run(runs / "generated"), credential) == 3
    return runs / "generated"


def test_copies_are_trusted_have_the_same_pixels_and_name_their_sample(signed, tmp_path):
    run = read_run(signed)
    for row in run.samples.to_pylist():
        copy = signed / "signed" / row["file"].removeprefix("images/")
        found = read_manifest(copy, anchors=(tmp_path / "credential" / "authority.pem").read_bytes())
        assert (found.state, found.actions) == ("trusted", ("c2pa.created",))
        said = belonging(found)
        assert (said.id, said.model, said.count) == (row["id"], "world-ar", 3)
        assert said.root == root(leaves(run.samples)).hex()
        with Image.open(copy) as a, Image.open(signed / row["file"]) as b:
            assert np.array_equal(np.asarray(a), np.asarray(b))
        assert row["prompt"].encode() not in copy.read_bytes()
        assert check_in_run(copy, signed) is None


def test_the_run_lists_its_copies_and_stays_whole(signed, key):
    assert verify_run(signed).failures == ()
    assert "signed/0000000.png" in read_run(signed).record["files"]
    sign_run(signed, key)
    assert verify_run(signed, Depth(key=key.public_key(), regenerate=1)).level == 5
    (signed / "signed" / "0000000.png").write_bytes((signed / "images" / "0000000.png").read_bytes())
    assert [failure.file for failure in verify_run(signed).failures] == ["signed/0000000.png"]


def test_the_root_in_a_image_is_that_of_the_signed_statement(signed, key):
    envelope = sign_run(signed, key)
    said = belonging(read_manifest(signed / "signed" / "0000001.png"))
    assert envelope.statement["predicate"]["samples"] == {"count": 3, "merkleRoot": said.root}


def test_copies_that_are_there_are_left_alone(signed, tmp_path):
    before = (signed / "signed" / "0000000.png").read_bytes()
    (signed / "signed" / "0000001.png").unlink()
    sign_images(read_run(signed), new_credential(tmp_path / "other"))
    assert (signed / "signed" / "0000000.png").read_bytes() == before
    assert (signed / "signed" / "0000001.png").exists()


def test_a_copy_of_another_run_or_with_other_pixels_is_told(signed, forge, tmp_path):
    copy = signed / "signed" / "0000000.png"
    forge(signed, **{"images/0000000__png": lambda data: (signed / "images" / "0000001.png").read_bytes()})
    assert "pixels are not those" in check_in_run(copy, signed)
    assert check_in_run(signed / "signed" / "0000001.png", signed) is None


def test_a_copy_belongs_to_its_own_samples_only(signed, made, forge):
    import pyarrow as pa
    import pyarrow.parquet as pq

    def other(data):
        table = pq.read_table(pa.BufferReader(data))
        sink = pa.BufferOutputStream()
        pq.write_table(table.slice(0, 2), sink)
        return sink.getvalue().to_pybytes()

    forge(signed, samples__parquet=other)
    assert check_in_run(signed / "signed" / "0000000.png", signed) == "it belongs to other samples"


def test_a_broken_assertion_is_an_error(signed):
    found = read_manifest(signed / "signed" / "0000000.png")
    (own,) = [each for each in found.content["assertions"] if each["label"] == "io.evalkit.sample"]
    for change in ({"index": 1}, {"index": "x"}, {"samplesRoot": "00"}, {"path": []}, {"leaf": None}):
        assertion = {**own, "data": {**own["data"], **change}}
        broken = dataclasses.replace(found, content={**found.content, "assertions": [assertion]})
        with pytest.raises(EvalkitError):
            belonging(broken)
    assert belonging(dataclasses.replace(found, content={"assertions": []})) is None


def test_runs_without_generated_images_are_refused(runs, tmp_path):
    credential = new_credential(tmp_path / "credential")
    with pytest.raises(EvalkitError, match="holds no generated image"):
        sign_images(read_run(runs / "scored"), credential)
    assert "signed/" not in json.dumps(read_run(runs / "scored").record["files"])
