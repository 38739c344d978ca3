"""Crops against outputs of the official ImageCrops, byte for byte."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from evalkit.encoders.detectors.detection import Detection
from evalkit.encoders.detectors.rle import Mask
from evalkit.encoders.zero_shot import Chosen, ZeroShot
from evalkit.errors import EvalkitError
from evalkit.tasks.probe.geneval.colors import color_choices, colored
from evalkit.tasks.probe.geneval.crops import crop
from evalkit.tasks.probe.geneval.prompts import COLORS, prompt_of

ROWS = json.loads((Path(__file__).parent / "data" / "crops.json").read_text())


def shaded(height, width, seed):
    """The input rule of the stored outputs: shading, discs and noise."""
    rng = np.random.Generator(np.random.PCG64([20251123, seed, height, width]))
    yy, xx = np.mgrid[0:height, 0:width].astype(np.float64)
    image = np.zeros((height, width, 3))
    for channel in range(3):
        fx, fy, phase = rng.uniform(0.5, 3.0, 3)
        image[..., channel] = 0.5 + 0.35 * np.sin(2 * np.pi * (fx * xx / width + fy * yy / height) + phase)
    for _ in range(6):
        cy, cx = rng.uniform(0, height), rng.uniform(0, width)
        radius = rng.uniform(0.06, 0.22) * min(height, width)
        image[(yy - cy) ** 2 + (xx - cx) ** 2 < radius * radius] = rng.uniform(0, 1, 3)
    image += rng.normal(0, 0.03, image.shape)
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)


def ellipse(height, width, rule):
    yy, xx = np.mgrid[0:height, 0:width].astype(np.float64)
    return ((yy - rule["cy"]) / rule["ry"]) ** 2 + ((xx - rule["cx"]) / rule["rx"]) ** 2 <= 1


@pytest.mark.parametrize("row", ROWS, ids=range(len(ROWS)))
def test_a_crop_has_the_official_bytes(row):
    size = row["size"]
    mask = ellipse(*size, row["ellipse"]) if row["ellipse"] else None
    options = row["options"]
    out = crop(
        shaded(*size, row["image_seed"]),
        tuple(row["box"]),
        mask,
        background=options.get("bgcolor", "#999"),
        cut=options.get("crop", "1") == "1",
    )
    assert list(out.shape[:2]) == row["out_hw"]
    assert hashlib.sha256(out.tobytes()).hexdigest() == row["sha256"]


def test_a_box_that_rounds_to_nothing_is_one_pixel():
    assert crop(shaded(9, 9, 0), (3.2, 4.1, 3.4, 8.0)).shape == (4, 1, 3)


def test_a_mask_of_another_image_is_refused():
    with pytest.raises(EvalkitError, match="does not fit"):
        crop(shaded(9, 9, 0), (0, 0, 5, 5), np.ones((9, 8), bool))


class Brightest(ZeroShot):
    """Calls a crop by its mean; keeps what it was shown."""

    id, version = "stub", "1"

    def __init__(self):
        self.shown = []

    def __call__(self, images, choices):
        self.shown += [(image.shape[:2], [c.word for c in choices]) for image in images]
        return [Chosen("white" if image.mean() > 127 else "black", 0.75) for image in images]


def test_colours_are_asked_of_the_surest_instances_of_the_named_class():
    image = np.zeros((40, 40, 3), np.uint8)
    image[:, 20:] = 255
    mask = np.zeros((40, 40), bool)
    mask[:, :20] = True
    boxes = (
        Detection("dog", (0.0, 0.0, 20.0, 40.0), 0.9, Mask.of(mask)),
        Detection("cat", (0.0, 0.0, 9.0, 9.0), 0.8),
        Detection("dog", (20.0, 0.0, 40.0, 40.0), 0.2),
    )
    prompt = prompt_of(
        {"tag": "colors", "include": [{"class": "dog", "count": 1, "color": "red"}], "prompt": "a red dog"}, "0"
    )
    stub = Brightest()
    seen = colored(image, boxes, prompt, stub)
    assert [(d.color, d.sureness) for d in seen] == [("black", 0.75), (None, None), ("white", 0.75)]
    assert stub.shown == [((40, 20), list(COLORS))] * 2
    many = boxes * 30
    stub.shown.clear()
    colored(image, many, prompt, stub)
    assert len(stub.shown) == 16


def test_what_lies_outside_of_the_mask_is_grey_for_the_classifier():
    image = np.zeros((10, 10, 3), np.uint8)
    mask = np.eye(10, dtype=bool)
    shown = []

    class Keeps(Brightest):
        def __call__(self, images, choices):
            shown.extend(images)
            return [Chosen("black", 1.0) for _ in images]

    prompt = prompt_of({"tag": "colors", "include": [{"class": "dog", "count": 1, "color": "red"}], "prompt": "x"}, "0")
    colored(image, (Detection("dog", (0.0, 0.0, 10.0, 10.0), 0.9, Mask.of(mask)),), prompt, Keeps())
    assert sorted(np.unique(shown[0]).tolist()) == [0, 0x99]


def test_each_colour_stands_in_three_sentences():
    assert color_choices("tv remote")[4].sentences == (
        "a photo of a blue tv remote",
        "a photo of a blue-colored tv remote",
        "a photo of a blue object",
    )
