"""A training: only what was chosen changes, the same again, and the same after an interruption."""

import json

import pytest
import torch
from helpers.small.erasure import pairs, tiny_world, training
from safetensors.torch import load_file

from evalkit.erasure.pairs.pair import Pair
from evalkit.erasure.training import Training
from evalkit.erasure.training.checkpoint import FILE
from evalkit.erasure.training.objective import METHODS
from evalkit.erasure.training.recipes import recipe
from evalkit.erasure.training.run import train
from evalkit.erasure.training.settings import Settings
from evalkit.errors import EvalkitError
from evalkit.generators.registry import Source
from evalkit.generators.world_ar import WorldAR
from evalkit.jobs.progress import Progress

QUICK = Settings((0, 0), window=8, strength=0.5, retain=0.5, batch=2, epochs=2, learning_rate=1e-3)
ON_WORLD = sorted(set(METHODS) - {"first-scale"})


class Killed(Progress):
    """Ends the training behind some pairs, as Ctrl-C does."""

    def __init__(self, after):
        self.left = after

    def advance(self, samples, *, resumed=False, timers=None):
        self.left -= 0 if resumed else samples
        if self.left < 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("method", ON_WORLD)
def test_only_the_chosen_tensors_change_and_the_record_names_them(tmp_path, method):
    before = tiny_world().network.state_dict()
    done = train(training(tmp_path, method, QUICK), base=tiny_world())
    after = load_file(done.weights)
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    wanted = {"words.weight"} if method == "name-swap" else {f"blocks.0.{p}" for p in ("qkv.weight", "out.weight")}
    assert wanted <= changed <= set(done.facts["changed"])
    assert after.keys() == before.keys()


@pytest.mark.parametrize("method", ON_WORLD)
def test_the_same_training_gives_the_same_bytes_and_another_seed_does_not(tmp_path, method):
    files = [
        train(training(tmp_path / str(i), method, QUICK, seed=seed), base=tiny_world()).weights.read_bytes()
        for i, seed in enumerate((0, 0, 1))
    ]
    assert files[0] == files[1]
    assert (files[0] == files[2]) == (method == "name-swap")


@pytest.mark.parametrize("method", ["ear", "ear-released", "replace+retain"])
@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_training_that_is_killed_goes_on_to_identical_weights(tmp_path, method, after):
    whole = train(training(tmp_path / "whole", method, QUICK, count=4, save_every=2), base=tiny_world())
    spec = training(tmp_path / "killed", method, QUICK, count=4, save_every=2)
    with pytest.raises(KeyboardInterrupt):
        train(spec, Killed(after), base=tiny_world())
    assert (spec.out / FILE).is_file() == (after > 0)
    done = train(spec, base=tiny_world())
    assert done.weights.read_bytes() == whole.weights.read_bytes()
    assert {**done.facts, "seconds": 0} == {**whole.facts, "seconds": 0}
    assert not (spec.out / FILE).exists()


def test_a_finished_eraser_is_found_again_and_other_settings_are_refused(tmp_path):
    spec = training(tmp_path, "replace", QUICK)
    done = train(spec, base=tiny_world())
    stamp = done.weights.stat().st_mtime_ns
    assert train(spec, base=tiny_world()).facts == done.facts
    assert done.weights.stat().st_mtime_ns == stamp
    with pytest.raises(EvalkitError, match="another eraser"):
        train(training(tmp_path, "replace", QUICK, seed=1), base=tiny_world())


def test_a_checkpoint_of_another_training_is_refused_and_a_broken_one_named(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(training(tmp_path, "replace", QUICK, count=4, save_every=1), Killed(2), base=tiny_world())
    with pytest.raises(EvalkitError, match="another training"):
        train(training(tmp_path, "replace", QUICK, count=4, seed=3), base=tiny_world())
    (tmp_path / FILE).write_bytes(b"half")
    with pytest.raises(EvalkitError, match="no whole checkpoint"):
        train(training(tmp_path, "replace", QUICK, count=4), base=tiny_world())


def test_the_weight_file_loads_as_a_weight_file_of_the_base_and_the_record_tells_its_digest(tmp_path):
    done = train(training(tmp_path, "replace", QUICK), base=(trained := tiny_world()))
    source = Source(
        "world-ar", trained.config, "world_ar.safetensors", None, done.weights, None, torch.device("cpu"), torch.float32
    )
    loaded = WorldAR.load(source)
    for name, value in trained.network.state_dict().items():
        assert torch.equal(loaded.network.state_dict()[name], value)
    facts = json.loads((tmp_path / "eraser.json").read_text())
    assert facts == done.facts
    assert facts["weights_sha256"] == loaded.weights_sha256
    assert facts["base"] == {"name": "world-ar", "weights_sha256": "0" * 64, "licence": "Apache-2.0"}
    assert (facts["method"], facts["concept"], facts["seed"], facts["steps"]) == ("replace", "dog", 0, 8)
    assert len(facts["losses"]) == 4
    assert facts["change"]["norm"] > 0


def test_a_trained_generator_takes_no_gradients_any_more(tmp_path):
    base = tiny_world()
    train(training(tmp_path, "replace", QUICK), base=base)
    assert not any(parameter.requires_grad for parameter in base.network.parameters())


def test_replacing_brings_the_target_nearer_and_retention_keeps_the_rest(tmp_path):
    slow = Settings(retain=0.0, batch=4, epochs=12, learning_rate=3e-3)
    plain = train(training(tmp_path / "a", "replace", slow, count=6), base=tiny_world()).facts
    assert plain["losses"][-1] < 0.5 * plain["losses"][0]
    held = Settings(retain=20.0, batch=4, epochs=12, learning_rate=3e-3)
    kept = train(training(tmp_path / "b", "replace+retain", held, count=6), base=tiny_world()).facts
    assert kept["change"]["norm"] < plain["change"]["norm"]


def test_mistakes_are_told_in_a_sentence(tmp_path):
    with pytest.raises(EvalkitError, match="no erasure method 'esd'"):
        train(training(tmp_path, "esd", QUICK), base=tiny_world())
    with pytest.raises(EvalkitError, match="no parameter of world-ar"):
        train(training(tmp_path, "ear", Settings((5, 6))), base=tiny_world())
    with pytest.raises(EvalkitError, match="draws no scales"):
        train(training(tmp_path, "first-scale", QUICK), base=tiny_world())
    with pytest.raises(EvalkitError, match="needs prompts without the concept"):
        train(training(tmp_path, "replace+retain", QUICK, retain=()), base=tiny_world())
    with pytest.raises(EvalkitError, match="float16 loses"):
        training(tmp_path, "ear", QUICK, dtype="float16")
    other = Pair("a cat", "a bed", "object", "direct", "train", "cat", "t", "s")
    with pytest.raises(EvalkitError, match="2 concepts"):
        Training("world-ar", "ear", (*pairs(1), other), tmp_path)


def test_a_pattern_without_blocks_also_finds_tables_of_words(tmp_path):
    everything = Settings(None, modules=r"^words\.weight$|\.out\.weight$", batch=2)
    done = train(training(tmp_path / "a", "replace", everything), base=tiny_world())
    assert done.facts["changed"] == ["words.weight", "blocks.0.out.weight", "blocks.1.out.weight"]
    plain = train(training(tmp_path / "b", "replace", Settings(batch=2)), base=tiny_world())
    assert all(name.startswith("blocks.") for name in plain.facts["changed"])


@pytest.mark.parametrize("generator", ["world-ar", "janus-pro-7b"])
def test_every_method_has_settings_of_its_own_and_ear_s_release_those_of_its_code(generator):
    for method in METHODS:
        recipe(method, generator)
    released = recipe("ear-released", "janus-pro-7b")
    assert (released.blocks, released.window, released.threshold, released.gate, released.tail) == (
        (0, 4),
        48,
        0.05,
        "sum",
        False,
    )
    assert (released.strength, released.guidance, released.learning_rate, released.retain) == (1.0, 5.0, 1e-4, 0.0)
