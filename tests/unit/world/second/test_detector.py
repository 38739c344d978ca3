import numpy as np
import pytest
import torch
from helpers.filled import fill, normal
from helpers.near import same

from evalkit.errors import EvalkitError, WeightsError
from evalkit.world.detector import Detection
from evalkit.world.second.detect_net import Answers, DetectorConfig, DetectorNet
from evalkit.world.second.detector import detect_all, load_network, read_answers
from evalkit.world.second.vocabulary import CLASS_NAMES, COLOR_NAMES, GROUNDS, STYLE_NAMES

CONFIG = DetectorConfig(widths=(4, 6, 8), blocks=1)


def _answers(things):
    """Maps that say (class, colour, row, column, width in cells, score) and nothing else."""
    classes, colors, boxes = (
        torch.full((1, len(CLASS_NAMES), 24, 24), -9.0),
        torch.zeros(1, 7, 24, 24),
        torch.zeros(1, 4, 24, 24),
    )
    for name, color, row, column, width, score in things:
        classes[0, CLASS_NAMES.index(name), row, column] = torch.tensor(score).logit()
        colors[0, 1 + COLOR_NAMES.index(color) if color else 0, row, column] = 5
        boxes[0, :, row, column] = torch.tensor([0.25, 0.0, width, width])
    return Answers(classes, colors, boxes, torch.eye(len(GROUNDS))[3:4], torch.eye(len(STYLE_NAMES))[2:3])


def test_peaks_become_things_with_colour_and_box_in_pixels():
    (seen,) = read_answers(_answers([("dog", "red", 10, 4, 6.0, 0.9), ("cup", None, 10, 18, 8.0, 0.8)]))
    assert (seen.ground, seen.style) == ("brick", "watercolor")
    assert [(t.name, t.color, t.box) for t in seen.things] == [
        ("dog", "red", (7, 30, 31, 54)),
        ("cup", None, (59, 26, 91, 58)),
    ]
    assert seen.things[0].score == pytest.approx(0.9, abs=1e-3)


def test_one_thing_is_found_once_and_weak_peaks_not_at_all():
    things = [("dog", None, 10, 4, 6.0, 0.9), ("cat", None, 10, 6, 6.0, 0.7), ("cup", None, 20, 20, 6.0, 0.2)]
    assert [t.name for t in read_answers(_answers(things))[0].things] == ["dog"]
    assert [t.name for t in read_answers(_answers(things), 0.1)[0].things] == ["dog", "cup"]
    assert isinstance(read_answers(_answers(things))[0].things[0], Detection)


def test_neighbours_of_a_box_apart_are_two():
    things = [("dog", None, 10, 4, 6.0, 0.9), ("dog", None, 10, 10, 6.0, 0.7)]
    assert len(read_answers(_answers(things))[0].things) == 2


def test_the_networks_answers_are_the_stored_ones_and_do_not_depend_on_the_batch():
    network = DetectorNet(CONFIG).eval()
    fill(network)
    images = 128 + 60 * normal("images", 3, 3, 96, 96)
    with torch.inference_mode():
        whole, alone = network(images), network(images[1:2])
    for name in ("classes", "colors", "boxes", "grounds", "styles"):
        same(getattr(whole, name)[1:2], getattr(alone, name))
    same(whole.classes[0, :3, 5, 7], torch.tensor(CLASSES_GOLDEN))
    same(whole.styles[0, :3], torch.tensor(STYLES_GOLDEN))


CLASSES_GOLDEN = [0.10855278, 0.07156146, -0.20470637]
STYLES_GOLDEN = [-0.12782195, -0.06159132, 0.00932076]


def test_what_is_no_square_image_is_refused():
    network = DetectorNet(CONFIG).eval()
    for wrong in (np.zeros((64, 32, 3), np.uint8), np.zeros((64, 64, 3), np.float32), np.zeros((64, 64), np.uint8)):
        with pytest.raises(EvalkitError, match="square uint8"):
            detect_all([wrong], network)
    assert len(detect_all([np.zeros((64, 64, 3), np.uint8)] * 2, network)) == 2


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save({"enter.weight": torch.zeros(1)}, tmp_path / "x.pt")
    with pytest.raises(WeightsError, match="the second world's detector"):
        load_network(tmp_path / "x.pt")
