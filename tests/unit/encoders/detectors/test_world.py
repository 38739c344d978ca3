import numpy as np
import pytest
from helpers.filled import fill
from safetensors.torch import save_file

from evalkit.encoders.detectors.base import DESCRIPTIONS
from evalkit.encoders.registry import load_detector
from evalkit.errors import EvalkitError
from evalkit.world.prompts import world_prompts
from evalkit.world.render import render_scene
from evalkit.world.second.detect_net import DetectorConfig, DetectorNet
from evalkit.world.second.prompts import second_prompts
from evalkit.world.second.render import render_scenes


def test_it_sees_what_was_drawn_with_its_colour():
    detector = load_detector("world")
    prompts = world_prompts(30)
    for prompt, found in zip(prompts, detector([render_scene(p.scene) for p in prompts]), strict=True):
        drawn = sorted((t.name, t.color or "natural") for t in prompt.scene.things)
        assert sorted((d.label, d.color) for d in found) == drawn


def test_boxes_are_in_pixels_of_the_image_that_was_given():
    image = render_scene(world_prompts(1)[0].scene)
    small, large = load_detector("world")([image, image.repeat(2, 0).repeat(2, 1)])
    assert [tuple(2 * side for side in d.box) for d in small] == [d.box for d in large]


def test_an_image_that_is_not_square_is_refused():
    with pytest.raises(EvalkitError, match="square"):
        load_detector("world")([np.zeros((64, 32, 3), np.uint8)])


def test_an_unknown_detector_is_refused_with_the_way_to_known_ones():
    with pytest.raises(EvalkitError, match=r"no encoder called 'yolo'.*evalkit ls encoders"):
        load_detector("yolo")


def test_the_second_editions_detector_reads_a_weight_file_and_gives_boxes_in_the_images_pixels(tmp_path):
    network = DetectorNet(DetectorConfig())
    fill(network)
    save_file(network.state_dict(), tmp_path / "d.safetensors")
    detector = load_detector("world2", tmp_path / "d.safetensors", "cpu")
    image = np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)
    small, large = detector([image, image.repeat(2, 0).repeat(2, 1)])
    assert small
    assert [tuple(2 * side for side in d.box) for d in small] == [d.box for d in large]
    assert {d.label for d in small} <= set(detector.classes)
    assert DESCRIPTIONS["world2"](tmp_path / "d.safetensors").weights_sha256 == detector.weights_sha256


def test_the_shipped_detector_of_the_second_edition_sees_what_was_drawn_with_its_colour():
    prompts = second_prompts(48)
    seen = load_detector("world2")(render_scenes([p.scene for p in prompts]))
    drawn = [sorted((t.name, t.color or "natural") for t in p.scene.things) for p in prompts]
    read = [sorted((d.label, d.color) for d in found) for found in seen]
    assert sum(a == b for a, b in zip(drawn, read, strict=True)) >= 46
