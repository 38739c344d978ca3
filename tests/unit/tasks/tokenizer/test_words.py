"""Annotated words through a tokenizer: where they lie, what is read, and the run of a folder in TokBench's layout."""

import json

import pytest
from PIL import Image, ImageDraw, ImageFont

from evalkit.errors import EvalkitError
from evalkit.images import open_images
from evalkit.jobs.options import RunOptions
from evalkit.provenance.verify import verify_run
from evalkit.tasks.tokenizer import evaluate_tokenizer
from evalkit.tasks.tokenizer.words import placed


def test_a_box_is_scaled_and_moved_with_the_centre_square():
    assert placed((100, 50, 200, 100), (200, 400), (100, 100), "short-bicubic") == (0, 25, 50, 50)
    assert placed((100, 50, 200, 100), (200, 400), (100, 100), "crop") is None
    assert placed((150, 50, 200, 100), (200, 400), (100, 100), "crop") == (0, 0, 50, 50)
    assert placed((0, 50, 200, 100), (200, 400), (100, 100), "short-bicubic") is None
    assert placed((0, 0, 400, 200), (200, 400), (200, 400), "short-bicubic") == (0, 0, 400, 200)


def drawn(words, size=256):
    """An image with words in black on white, and their boxes."""
    image = Image.new("RGB", (size, size), "white")
    pen, boxes = ImageDraw.Draw(image), []
    for number, (word, height) in enumerate(words):
        font = ImageFont.load_default(height)
        at = (20, 20 + 70 * number)
        pen.text(at, word, fill="black", font=font)
        left, top, right, bottom = pen.textbbox(at, word, font=font)
        boxes.append([left - 3, top - 3, right + 3, bottom + 3])
    return image, boxes


@pytest.fixture
def folder(tmp_path):
    words = [("HOUSE", 40), ("river", 30)]
    image, boxes = drawn(words)
    root = tmp_path / "TokBench"
    for name in ("annotations", "images/text_data/ic13"):
        (root / name).mkdir(parents=True)
    image.save(root / "images/text_data/ic13/a.png")
    said = [
        {"rec": word, "bbox": box, "ratio": ratio}
        for (word, _), box, ratio in zip(words, boxes, (0.05, 0.025), strict=True)
    ]
    said.append({"rec": "river", "bbox": boxes[1], "ratio": 0.035})
    row = {"file_name": "a.png", "height": 256, "width": 256, "annotations": said}
    (root / "annotations" / "text_ic13.json").write_text(json.dumps([row]))
    return root


def test_words_are_read_in_reconstructions_and_verified(folder, tmp_path):
    pytest.importorskip("rapidocr")
    options = RunOptions(out=tmp_path / "run", device="cpu", keep="all")
    (run,) = evaluate_tokenizer("jpeg-q95", f"tokbench:{folder}", tasks=["tokbench-text"], options=options)
    scores = {row["metric"]: row["value"] for row in run.results}
    assert scores["tokbench_accuracy_rapidocr"] == 1
    assert scores["tokbench_ned_rapidocr_small"] == 1
    assert {row["task"] for row in run.results if row["metric"].startswith("tokbench")} == {"tokbench-text"}
    assert verify_run(run.path).failures == ()


def test_words_of_a_folder_of_ones_own_stand_in_its_metadata(tmp_path):
    image, boxes = drawn([("HOUSE", 40)])
    image.save(tmp_path / "a.png")
    row = {"file_name": "a.png", "words": [{"text": "HOUSE", "box": boxes[0]}]}
    (tmp_path / "metadata.jsonl").write_text(json.dumps(row))
    (sample,) = open_images(tmp_path).read(0, 1)
    assert sample.meta["words"][0]["text"] == "HOUSE"


def test_other_folders_and_odd_words_are_refused(tmp_path, folder):
    with pytest.raises(EvalkitError, match="holds no annotations"):
        open_images(f"tokbench:{tmp_path}")
    (folder / "annotations" / "text_ic13.json").write_text('[{"file_name": "a.png"}]')
    with pytest.raises(EvalkitError, match="is no annotation of TokBench"):
        open_images(f"tokbench:{folder}")


class Corner:
    """A face as the grey level at its first landmark."""

    id, weights_sha256 = "sface", "0" * 64

    def embed(self, image, landmarks):
        x, y = landmarks[0]
        return [float(image[int(y), int(x), 0]) + 1, 1.0]


def faces_of(folder):
    (folder / "images/face_data").mkdir()
    Image.new("RGB", (256, 256), (90, 90, 90)).save(folder / "images/face_data/f.png")
    faces = [{"kps": [[10, 10]] * 5, "ratio": ratio} for ratio in (0.05, 0.15, 0.5)]
    rows = [{"image_name": "f.png", "img_height": 256, "img_width": 256, "faces": faces}]
    (folder / "annotations" / "face_meta.json").write_text(json.dumps(rows))


def test_faces_are_compared_at_their_landmarks(folder, tmp_path, monkeypatch):
    faces_of(folder)
    monkeypatch.setattr("evalkit.encoders.faces.embed.FaceEmbedder", Corner)
    monkeypatch.setattr("evalkit.tasks.tokenizer.evaluators.described", lambda name: None)
    options = RunOptions(out=tmp_path / "run", device="cpu")
    (run,) = evaluate_tokenizer("jpeg-q95", f"tokbench:{folder}", tasks=["tokbench-face"], options=options)
    scores = {row["metric"]: row["value"] for row in run.results}
    assert scores["tokbench_face_similarity_sface"] == pytest.approx(1, abs=1e-3)
    assert verify_run(run.path).failures == ()


def test_faces_without_their_network_are_unavailable_with_the_file_that_is_missing(folder, tmp_path):
    faces_of(folder)
    options = RunOptions(out=tmp_path / "run", device="cpu")
    (run,) = evaluate_tokenizer("jpeg-q95", f"tokbench:{folder}", tasks=["tokbench-face"], options=options)
    found = {row["metric"]: row for row in run.results}["tokbench_face_similarity_sface"]
    assert found["status"] == "unavailable"
    assert "face_recognition_sface_2021dec.onnx" in found["reason"]
