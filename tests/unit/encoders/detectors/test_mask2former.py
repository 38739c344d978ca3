import json
import shutil

import numpy as np
import pytest
import torch

from evalkit.encoders.detectors.coco import COCO_CLASSES
from evalkit.encoders.detectors.instances import instances
from evalkit.encoders.detectors.mask2former import Mask2FormerDetector
from evalkit.encoders.detectors.resize import Scale, network_input
from evalkit.encoders.precision import full_float32
from evalkit.encoders.registry import load_detector
from evalkit.errors import EvalkitError, WeightsError

SMALL = Scale(96, 160, 32)
CPU = torch.device("cpu")


def images():
    rng = np.random.default_rng(3)
    sizes = [(64, 64), (48, 90), (64, 64), (30, 20), (64, 64)]
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]


@pytest.fixture(scope="module")
def detector(tiny_mask2former):
    return Mask2FormerDetector(tiny_mask2former, CPU, scale=SMALL, floor=0.02, batch=2)


def test_what_is_found_in_an_image_does_not_depend_on_the_batch(detector):
    together = detector(images())
    assert together == [detector([image])[0] for image in images()]
    assert together == list(reversed(detector(list(reversed(images())))))
    assert sum(map(len, together)) > 5


def test_boxes_and_masks_are_those_of_the_image_itself(detector):
    for image, found in zip(images(), detector(images()), strict=True):
        assert [d.score for d in found] == sorted((d.score for d in found), reverse=True)
        for each in found:
            pixels = each.mask.decode()
            assert pixels.shape == image.shape[:2]
            rows, columns = np.nonzero(pixels)
            assert each.box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            assert each.label in COCO_CLASSES


def test_it_is_the_network_of_transformers_on_the_input_of_mmdet(tiny_mask2former):
    from transformers import Mask2FormerForUniversalSegmentation

    network = Mask2FormerForUniversalSegmentation.from_pretrained(tiny_mask2former, local_files_only=True).eval()
    image = images()[1]
    inside = SMALL.size(48, 90)
    with torch.inference_mode():
        out = network(pixel_values=network_input(image, SMALL)[None])
    want = instances(
        out.class_queries_logits[0],
        out.masks_queries_logits[0],
        classes=COCO_CLASSES,
        padded=SMALL.padded(*inside),
        inside=inside,
        size=(48, 90),
        floor=0.02,
    )
    assert Mask2FormerDetector(tiny_mask2former, CPU, scale=SMALL, floor=0.02)([image]) == [want]


def test_it_is_loaded_by_name_from_a_folder_and_says_what_it_is(tiny_mask2former):
    detector = load_detector("mask2former", tiny_mask2former, "cpu")
    assert detector.facts["encoder"] == "mask2former-swin-s"
    assert len(detector.facts["weights_sha256"]) == 64
    assert (detector.kind, detector.facts["floor"]) == ("boxes", 0.05)


def test_a_folder_with_missing_parameters_is_refused(tiny_mask2former, tmp_path):
    from safetensors.torch import load_file, save_file

    shutil.copytree(tiny_mask2former, tmp_path, dirs_exist_ok=True)
    state = load_file(tmp_path / "model.safetensors")
    del state["class_predictor.weight"]
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WeightsError, match=r"1 parameters are missing .*class_predictor"):
        load_detector("mask2former", tmp_path, "cpu")


def test_a_folder_of_something_else_is_one_sentence(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "swin"}))
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(WeightsError) as caught:
        load_detector("mask2former", tmp_path, "cpu")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "odd", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)]
)
def test_what_is_no_image_is_refused(detector, odd):
    with pytest.raises(EvalkitError, match="uint8"):
        detector([odd])


def test_tf32_is_off_inside_and_as_before_outside():
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = True
    try:
        with full_float32():
            assert not torch.backends.cudnn.allow_tf32
            assert not torch.backends.cuda.matmul.allow_tf32
        assert torch.backends.cudnn.allow_tf32
    finally:
        torch.backends.cudnn.allow_tf32 = before


def test_the_network_runs_without_tf32(detector, monkeypatch):
    seen = []
    forward = type(detector.network).forward

    def watched(self, *arguments, **named):
        seen.append(torch.backends.cudnn.allow_tf32)
        return forward(self, *arguments, **named)

    monkeypatch.setattr(type(detector.network), "forward", watched)
    detector(images()[:1])
    assert seen == [False]
