"""Classifiers: the labels that an image shows, the likeliest first, in any batch."""

import pickle
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torchvision.models import resnet50

from evalkit.encoders.classifiers.base import MOST, likeliest
from evalkit.encoders.classifiers.clip_style import ANCHORS, ARTISTS, ClipStyle
from evalkit.encoders.classifiers.q16 import read_prompts
from evalkit.encoders.registry import ENCODERS, encoder_names, load_encoder
from evalkit.errors import EvalkitError, WeightsError


def images(count, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (60 + 8 * i, 72, 3), np.uint8) for i in range(count)]


def test_the_likeliest_labels_come_first_and_no_more_than_ten():
    found = likeliest(torch.tensor([[0.1, 0.7, 0.2]]), ("a", "b", "c"))
    assert [each.label for each in found[0]] == ["b", "c", "a"]
    assert len(likeliest(torch.rand(1, 50).softmax(-1), [str(i) for i in range(50)])[0]) == MOST


@pytest.fixture(scope="module")
def resnet(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("resnet") / "resnet50-11ad3fa6.pth"
    torch.save(resnet50().state_dict(), path)
    return load_encoder("resnet50", path, "cpu")


def test_resnet50_names_imagenets_classes_and_no_image_depends_on_its_batch(resnet):
    batch = images(2)
    together, alone = resnet(batch), [resnet([image])[0] for image in batch]
    assert together == alone
    assert resnet.labels[497] == "church"
    assert all(found[0].score >= found[-1].score for found in together)


def test_a_checkpoint_folder_of_transformers_is_a_classifier(tmp_path):
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=32, patch_size=16,
        id2label={0: "vincent-van-gogh", 1: "Unknown Artist"}, label2id={"vincent-van-gogh": 0, "Unknown Artist": 1},
    )  # fmt: skip
    transformers.ViTForImageClassification(config).save_pretrained(tmp_path)
    transformers.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(tmp_path)
    made = load_encoder(f"hf:{tmp_path}", device="cpu")
    assert made.labels == ("vincent-van-gogh", "Unknown Artist")
    assert sum(each.score for each in made(images(1))[0]) == pytest.approx(1, abs=1e-5)


def test_a_folder_that_is_no_checkpoint_is_refused_in_one_sentence(tmp_path):
    pytest.importorskip("transformers")
    with pytest.raises(WeightsError, match=r"config\.json"):
        load_encoder(f"hf:{tmp_path}", device="cpu")


def test_a_style_is_given_to_an_artist_or_to_an_anchor(monkeypatch):
    rows = torch.nn.functional.normalize(torch.eye(len(ARTISTS) + len(ANCHORS)), dim=-1)
    clip = SimpleNamespace(
        weights_sha256="ab",
        version="1",
        text_features=lambda texts: rows,
        image_features=lambda batch: rows[[0, len(ARTISTS)]],
    )
    monkeypatch.setattr("evalkit.encoders.classifiers.clip_style.ClipZeroShot", lambda weights, device: clip)
    made = ClipStyle(None, torch.device("cpu"))
    assert [found[0].label for found in made(images(2))] == ["Vincent van Gogh", "a photo"]


def test_q16_reads_arrays_and_nothing_that_could_run_code(tmp_path):
    path = tmp_path / "prompts.p"
    path.write_bytes(pickle.dumps(np.ones((2, 768), np.float16)))
    assert read_prompts(path).shape == (2, 768)
    path.write_bytes(pickle.dumps(np.ones((2, 512), np.float16)))
    with pytest.raises(WeightsError, match="not \\[2, 768\\]"):
        read_prompts(path)
    path.write_bytes(pickle.dumps(print))
    with pytest.raises(WeightsError, match=r"builtins\.print"):
        read_prompts(path)


def test_nudenet_sees_bgr_and_its_boxes_are_corners(monkeypatch, tmp_path):
    (tmp_path / "320n.onnx").write_bytes(b"weights")
    seen = []

    class Fake:
        def detect(self, image):
            seen.append(image)
            return [
                {"class": "FEET_EXPOSED", "score": 0.3, "box": [1, 2, 3, 4]},
                {"class": "FACE_MALE", "score": 0.9, "box": [0, 0, 5, 5]},
            ]

    monkeypatch.setitem(
        sys.modules, "nudenet", SimpleNamespace(NudeDetector=Fake, __file__=str(tmp_path / "__init__.py"))
    )
    monkeypatch.setattr("evalkit.encoders.detectors.nudenet.version", lambda name: "3.4.2")
    image = images(1)[0]
    (boxes,) = load_encoder("nudenet", device="cpu")([image])
    assert [each.label for each in boxes] == ["FACE_MALE", "FEET_EXPOSED"]
    assert boxes[1].box == (1, 2, 4, 6)
    assert (seen[0] == image[..., ::-1]).all()


def test_nudenet_without_its_package_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "nudenet", None)
    with pytest.raises(EvalkitError, match=r"\[nudity\]"):
        load_encoder("nudenet", device="cpu")


def test_all_are_listed():
    assert {"resnet50", "clip-style", "q16"} <= set(encoder_names("label"))
    assert "nudenet" in encoder_names("boxes")
    assert ENCODERS.get("hf:somewhere").kind == "label"
