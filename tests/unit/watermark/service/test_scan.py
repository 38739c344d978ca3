import json
import zipfile
from dataclasses import replace

import jsonschema
import pytest

from evalkit.errors import EvalkitError
from evalkit.jobs.options import RunOptions
from evalkit.watermark.detection import detect_watermark
from evalkit.watermark.service.answers import schema
from evalkit.watermark.service.ring import Ring
from evalkit.watermark.service.ring_file import write_ring
from evalkit.watermark.service.scan import scan_folder


@pytest.fixture
def photos(made, tmp_path):
    """Two marked images, a plain one, and a file that is none."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, data in enumerate((made.marked[0], made.plain[1], made.marked[2], b"no image")):
        (folder / f"{number}.png").write_bytes(data)
    return folder


def test_every_image_gets_a_line_in_the_order_of_names(photos, ring, settings, tmp_path):
    done = scan_folder(photos, ring, tmp_path / "s.jsonl", settings)
    lines = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    assert [each["image"]["id"] for each in lines] == ["0.png", "1.png", "2.png", "3.png"]
    assert [each["verdict"] for each in lines] == ["marked", "not found", "marked", "could not be read"]
    assert done.counts == {"marked": 2, "not found": 1, "could not be read": 1}
    assert (done.images, done.resumed, done.rate.keys) == (4, 0, 2)


def test_a_scan_that_was_torn_off_goes_on_to_the_same_bytes(photos, ring, settings, tmp_path):
    out = tmp_path / "s.jsonl"
    scan_folder(photos, ring, out, settings)
    whole = out.read_bytes()
    for kept in (len(whole), len(whole) - 1, whole.index(b"\n") + 1, whole.index(b"\n") + 40, 10, 0):
        out.write_bytes(whole[:kept])
        assert scan_folder(photos, ring, out, settings).resumed == whole[:kept].count(b"\n")
        assert out.read_bytes() == whole


def test_lines_of_another_scan_are_not_taken_for_this_one(photos, ring, settings, tmp_path, made):
    out = tmp_path / "s.jsonl"
    scan_folder(photos, ring, out, settings)
    whole = out.read_bytes()
    with pytest.raises(EvalkitError, match="another key ring, rate, --details or --decoys"):
        scan_folder(photos, ring, out, settings, details=True)
    (photos / "1.png").write_bytes(made.plain[2])
    with pytest.raises(EvalkitError, match=r"other images, such as 1\.png"):
        scan_folder(photos, ring, out, settings)
    write_ring(ring, Ring((made.entry("one"),)))
    with pytest.raises(EvalkitError, match="another key ring"):
        scan_folder(photos, ring, out, settings)
    assert out.read_bytes() == whole
    out.write_text("words\n")
    with pytest.raises(EvalkitError, match="something else"):
        scan_folder(photos, ring, out, settings)


def test_decoys_of_a_scan_are_those_of_a_detection_of_the_same_folder(made, settings, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, data in enumerate((*made.plain, *made.marked[:2])):
        (folder / f"{number}.png").write_bytes(data)
    write_ring(tmp_path / "ring", Ring((made.entry("one"),)))
    settings = replace(settings, alpha=1e-3, decoys=True)
    done = scan_folder(folder, tmp_path / "ring", tmp_path / "s.jsonl", settings, details=True)
    lines = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    (marks,) = zip(*(each["marks"] for each in lines), strict=True)
    options = RunOptions(out=tmp_path / "run", device="cpu")
    run = detect_watermark(folder, made.keys["one"], mark=made.run.path, search="none", cache=False, options=options)
    assert [each["details"]["log10_p_decoys"] for each in marks] == pytest.approx(
        run.samples["log10_p_decoys"].to_pylist(), abs=1e-5
    )
    assert {each["basis"] for each in marks} == {each["false_positives"]["basis"] for each in lines} == {"decoys"}
    assert done.counts == {"not found": 4, "marked": 2}
    for line in lines:
        jsonschema.validate(line, schema())


def test_a_scan_with_decoys_that_was_torn_off_is_made_again_and_is_no_scan_without(photos, ring, settings, tmp_path):
    out, decoys = tmp_path / "s.jsonl", replace(settings, decoys=True)
    scan_folder(photos, ring, out, decoys)
    whole = out.read_bytes()
    for kept in (len(whole), whole.index(b"\n") + 1):
        out.write_bytes(whole[:kept])
        scan_folder(photos, ring, out, decoys)
        assert out.read_bytes() == whole
    with pytest.raises(EvalkitError, match="--decoys"):
        scan_folder(photos, ring, out, settings)
    out.unlink()
    scan_folder(photos, ring, out, settings)
    with pytest.raises(EvalkitError, match="--decoys"):
        scan_folder(photos, ring, out, decoys)


def test_numbers_are_there_where_an_operator_asks_for_them(photos, ring, settings, tmp_path):
    scan_folder(photos, ring, tmp_path / "s.jsonl", settings, details=True, limit=1)
    (line,) = (tmp_path / "s.jsonl").read_text().splitlines()
    assert json.loads(line)["marks"][0]["details"]["green"] > 50


def test_only_folders_are_scanned_and_nothing_is_written_into_them(photos, ring, settings, tmp_path):
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.write(photos / "0.png", "0.png")
    with pytest.raises(EvalkitError, match="no folder"):
        scan_folder(tmp_path / "photos.zip", ring, tmp_path / "s.jsonl", settings)
    with pytest.raises(EvalkitError, match="--out"):
        scan_folder(photos, ring, photos / "s.jsonl", settings)
