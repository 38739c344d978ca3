"""How attacks are spelled, and what an attack records of itself."""

import json

import numpy as np
import pytest

from evalkit.errors import EvalkitError
from evalkit.watermark import attacks as package
from evalkit.watermark.attacks.base import Back, Chain, seed_of
from evalkit.watermark.attacks.spelling import KINDS, Options, grids, read_attack, read_attacks


def image(h=24, w=32, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (h, w, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("spelling", "canonical", "parameters"),
    [
        ("jpeg:75", "jpeg:75", {"quality": 75, "subsampling": "420"}),
        ("jpeg:75:420", "jpeg:75", {"quality": 75, "subsampling": "420"}),
        ("jpeg:75:444", "jpeg:75:444", {"quality": 75, "subsampling": "444"}),
        ("resize:0.50", "resize:0.5", {"factor": 0.5, "filter": "bicubic"}),
        ("shift:3", "shift:3", {"right": 3, "down": 0}),
        ("shift:0:-2", "shift:0:-2", {"right": 0, "down": -2}),
        ("flip", "flip", {"axis": "horizontal"}),
        ("overlay:logo:0.5", "overlay:logo:0.5", {"kind": "logo", "opacity": 0.5, "size": 0.2}),
    ],
)
def test_a_spelling_gives_its_parameters_and_its_shortest_name(spelling, canonical, parameters):
    attack = read_attack(spelling)
    assert attack.name == canonical
    assert dict(attack.parameters) == parameters
    assert read_attack(attack.name) == attack


def test_a_chain_applies_its_steps_from_left_to_right():
    chain = read_attack("brightness:0.5 + plus:40")
    assert isinstance(chain, Chain)
    assert chain.name == "brightness:0.5+plus:40"
    x = image()
    step = read_attack("plus:40").apply(read_attack("brightness:0.5").apply(x))
    assert np.array_equal(chain.apply(x), step)
    assert not np.array_equal(read_attack("plus:40+brightness:0.5").apply(x), step)


def test_a_step_of_a_chain_draws_its_own_random_numbers():
    x, seed = image(), 5
    chain = read_attack("noise:0.1+noise:0.1")
    first = read_attack("noise:0.1").apply(x, seed)
    assert np.array_equal(chain.apply(x, seed), read_attack("noise:0.1").apply(first, seed_of(seed, "step 1")))


def test_back_returns_to_the_size_before_the_chain():
    chain, x = read_attack("cut:0.5+back+jpeg:90"), image()
    assert chain.size == "kept"
    assert chain.apply(x).shape == x.shape
    assert read_attack("cut:0.5+jpeg:90").size == "both sides times the share"
    assert read_attack("cut:0.5+jpeg:90").apply(x).shape == (12, 16, 3)
    ends = read_attack("cut:0.5+back")
    assert ends.files([x], [1])[0].data == read_attack("png").files([ends.apply(x, 1)], [1])[0].data
    assert np.array_equal(Back().apply(x), x)


@pytest.mark.parametrize(
    ("spelling", "said"),
    [
        ("jpg:75", "did you mean jpeg"),
        ("jpeg", r"jpeg:QUALITY\[:SUBSAMPLING\]"),
        ("jpeg:75:420:1", "has 3 arguments|subsampling is one of"),
        ("jpeg:0", "whole number from 1 to 100"),
        ("jpeg:7.5", "whole number from 1 to 100"),
        ("noise:nan", "number from 0 to 1"),
        ("noise:much", "number from 0 to 1"),
        ("plus:x", "whole number from -255 to 255"),
        ("flip:sideways", "horizontal, vertical"),
        ("gaussian:4", None),
        ("retokenize:no-such-model", "no tokenizer called"),
        ("removal:llamagen-vq16:nowhere.npy", "cannot be read"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(spelling, said):
    if said is None:  # depends on the image
        with pytest.raises(EvalkitError, match="kernel must be odd"):
            read_attack(spelling).apply(image())
        return
    with pytest.raises(EvalkitError, match=said):
        read_attack(spelling)


def test_unknown_attacks_point_to_their_own_list():
    with pytest.raises(EvalkitError, match="evalkit watermark attack --list"):
        read_attack("teleport:1")


def test_a_path_with_colons_stays_whole():
    attack = read_attack("diffusion:C:/models/turbo:0.3:2")
    assert dict(attack.parameters) == {"repo": "C:/models/turbo", "strength": 0.3, "passes": 2}


def test_grids_and_attacks_mix_and_every_attack_comes_once():
    found = [each.name for each in read_attacks(["controls", "jpeg:75", "png", "jpeg:75"])]
    assert found == [*grids()["controls"], "jpeg:75"]


def test_every_kind_says_what_it_does_and_how_it_is_typed():
    for name in KINDS:
        kind = KINDS.get(name)
        assert kind.usage.startswith(name)
        assert len(kind.about) > 10


def test_folders_are_safe_and_differ_where_names_differ():
    names = [*grids()["quick"], *grids()["bitmark"], "plus:2", "plus:-2", "diffusion:a/b", "diffusion:a-b"]
    folders = [each.folder for each in read_attacks(names)]
    assert len(set(folders)) == len(folders)
    assert all(not set(folder) & set('/\\:*?"<>| ') and len(folder) < 101 for folder in folders)
    assert read_attack("jpeg:75").folder == "jpeg-75"


def test_a_record_is_plain_data_with_versions_of_the_libraries():
    record = read_attack("cut:0.7+back+jpeg:75").record()
    assert json.loads(json.dumps(record)) == record
    assert record["codec"] == "jpeg"
    assert record["size"] == "kept"
    assert record["versions"]["pillow"]
    assert [step["name"] for step in record["steps"]] == ["cut:0.7", "back", "jpeg:75"]
    assert read_attack("rotate:9").record()["parameters"] == {"degrees": 9.0, "filter": "nearest"}


def test_weights_go_to_the_model_that_they_name():
    options = Options(weights=("a=one.pt", "two.pt"))
    assert options.weights_of("a") == "one.pt"
    assert options.weights_of("b") == "two.pt"
    assert Options().weights_of("a") is None


@pytest.mark.parametrize("wrong", [image().astype(np.float32), image()[..., 0], image()[:0]])
def test_images_of_another_kind_are_refused(wrong):
    for name in ("plus:2", "jpeg:75", "cut:0.5+back"):
        with pytest.raises(EvalkitError, match=r"uint8 \[H, W, 3\]"):
            read_attack(name).apply(wrong)


def test_the_package_shows_its_names_and_no_others():
    assert {"read_attack", "attack_folder", "theft_histogram"} <= set(dir(package))
    assert all(callable(getattr(package, name)) for name in package.__all__)
    with pytest.raises(AttributeError, match="it has: Attack"):
        _ = package.nothing
