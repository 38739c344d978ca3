"""Faster R-CNN: COCO's names by torchvision's numbers, boxes that no batch changes, and what is said without weights."""

import numpy as np
import pytest
import torch
from torch import nn

from evalkit.encoders.detectors.coco import COCO_CLASSES
from evalkit.encoders.detectors.faster_rcnn import NAMES, FasterRcnn
from evalkit.encoders.registry import load_detector
from evalkit.errors import WeightsError


class Fake(nn.Module):
    """Sees a gap, a dog and a surer person as large as the image."""

    def forward(self, images):
        (image,) = images
        assert float(image.max()) <= 1
        height, width = image.shape[1:]
        labels = [NAMES.index("N/A"), NAMES.index("dog"), NAMES.index("person")]
        box = [0.0, 0.0, float(width), float(height)]
        scores = [0.9, 0.25, 0.5 + float(image.mean()) / 2]
        return [{"labels": torch.tensor(labels), "boxes": torch.tensor([box] * 3), "scores": torch.tensor(scores)}]


def test_detections_bear_coco_s_names_and_come_surest_first():
    images = [np.full((4, 6, 3), value, np.uint8) for value in (0, 255)]
    detector = FasterRcnn.of_network(Fake(), torch.device("cpu"))
    dark, light = detector(images)
    assert [each.label for each in dark] == ["person", "dog"]
    assert dark[0].box == (0, 0, 6, 4)
    assert light[0].score == pytest.approx(1)
    assert detector(images[1:]) == [light]
    assert sorted(detector.classes) == sorted(COCO_CLASSES)


def test_a_detector_without_weights_says_what_is_missing(monkeypatch):
    monkeypatch.setenv("EVALKIT_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsError, match="fasterrcnn_resnet50_fpn_v2"):
        load_detector("fasterrcnn-resnet50-v2", device="cpu")
