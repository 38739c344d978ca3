"""EAR and baselines on a Janus in transformers' layout, and the folder that any command takes."""

import pytest

pytest.importorskip("transformers")

import torch
from helpers.small.janus import tiny_janus

from evalkit.erasure.pairs.pair import Pair
from evalkit.erasure.training.chosen import chosen_names
from evalkit.erasure.training.learner import learner_of
from evalkit.erasure.training.run import train
from evalkit.erasure.training.settings import Settings
from evalkit.erasure.training.spec import Training
from evalkit.generators.base import Request
from evalkit.generators.registry import load_generator

GIVEN = tuple(
    Pair(f"a {color} apple", f"a {color} user assistant", "object", "direct", "train", "apple", "t", "s")
    for color in ("red", "blue")
)
QUICK = Settings((0, 0), window=5, threshold=0.0, gate="sum", tail=False, guidance=5.0, learning_rate=1e-3, batch=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_janus(tmp_path_factory.mktemp("janus"))


def loaded(folder):
    return load_generator("janus-pro-1b", folder, "cpu", "float32")


def run(folder, out, method, settings=QUICK):
    retain = ("a blue user", "red assistant")
    return train(
        Training("janus-pro-1b", method, GIVEN, out, retain, settings, weights=str(folder), device="cpu", save_every=1)
    )


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("ear-released", QUICK),
        ("ear", QUICK),
        ("replace+retain", Settings((0, 0), retain=1.0, batch=2)),
        ("name-swap", Settings()),
    ],
)
def test_the_folder_loads_as_the_base_does_and_only_the_chosen_parameters_differ(folder, tmp_path, method, settings):
    done = run(folder, tmp_path, method, settings)
    assert done.weights == tmp_path / "weights"
    before, after = loaded(folder), loaded(done.weights)
    assert after.weights_sha256 == done.facts["weights_sha256"] != before.weights_sha256
    old = dict(before.model.named_parameters())
    changed = {name for name, value in after.model.named_parameters() if not torch.equal(value, old[name])}
    assert changed
    assert changed <= set(done.facts["changed"])
    if method != "name-swap":
        assert all("language_model.layers.0.self_attn." in name for name in changed)
        assert done.facts["steps"] == (1 if settings.window is None else 2 * (16 // 5))
    request = Request("0", prompt="a blue user", seed=1)
    assert after.sample_tokens([request]).shape == (1, 16)


def test_the_release_s_prompts_are_plain_text_and_the_replacement_is_cut_or_padded(folder):
    learner = learner_of(loaded(folder))
    ids = learner.words("a red apple")
    target, replacement = learner.raw(["a red apple", "a red apple"], ["blue", "a red blue user user"])
    assert target[0, 0, -3:].tolist() == list(ids)
    pad = learner.generator.padding
    assert replacement[0, 0, -3:].tolist() == [*learner.words("blue"), pad, pad]
    assert replacement[1, 0, -3:].tolist() == list(learner.words("a red blue"))
    assert replacement[:, 1].sum(1).tolist() == [3, 3]


def test_states_leave_the_padding_out_and_codes_by_themselves_are_sequences_of_one(folder):
    learner = learner_of(loaded(folder))
    conditions = learner.conditions(["a red apple", "blue"])
    codes = torch.arange(32).view(2, 16) % 24
    states, prefix = learner.states(conditions, codes)
    longest = max(len(learner.generator.prompt_ids(text)) for text in ("a red apple", "blue"))
    assert prefix == longest - 1
    assert states.shape[1] == longest + 15
    logits = learner.generator.scores(states[:, prefix:]).float()
    assert torch.allclose(logits, learner.logits(conditions, codes), atol=1e-5)
    alone = learner.alone(codes[:, :4], 0)
    assert torch.allclose(alone[:, 2:3], learner.alone(codes[:, 2:3], 2), atol=1e-5)
    assert all("self_attn" in name for name in chosen_names(learner, Settings((0, 4))))
