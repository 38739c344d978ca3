"""EAR and baselines on a Janus in transformers' layout, and the folder that any command takes."""

import math
from dataclasses import replace

import pytest

pytest.importorskip("transformers")

import torch
from helpers.small.janus import tiny_janus

from evalkit.erasure.check.arms import draw, erased_path
from evalkit.erasure.check.search import search
from evalkit.erasure.pairs.pair import Pair
from evalkit.erasure.training.chosen import Chosen, chosen_names
from evalkit.erasure.training.finetune import Example, finetune
from evalkit.erasure.training.learner import learner_of
from evalkit.erasure.training.objective import Work, method_class
from evalkit.erasure.training.run import train
from evalkit.erasure.training.settings import Settings
from evalkit.erasure.training.spec import Training
from evalkit.erasure.training.windows import learn
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


def opened(folder, method, settings):
    learner = learner_of(loaded(folder))
    chosen = Chosen(learner.network, chosen_names(learner, settings))
    return chosen, method_class(method)(Work(learner, chosen, settings, GIVEN, ("a blue user",), 0))


@pytest.mark.parametrize("method", ["ear", "ear-released"])
@pytest.mark.parametrize("window", [1, 5, 40])
def test_updates_are_pairs_times_whole_windows_at_threshold_0_and_none_at_infinity(folder, tmp_path, method, window):
    settings = replace(QUICK, window=window)
    done = run(folder, tmp_path / "all", method, settings).facts
    assert (done["steps"], done["dropped_windows"]) == (2 * (16 // window), 0)
    none = run(folder, tmp_path / "none", method, replace(settings, threshold=math.inf)).facts
    assert (none["steps"], none["dropped_windows"]) == (0, 2 * (16 // window))
    assert none["change"]["norm"] == 0


@pytest.mark.parametrize("method", ["ear", "ear-released"])
def test_windows_of_one_pass_are_steps_at_every_code(folder, method):
    settings = replace(QUICK, window=1)
    chosen, objective = opened(folder, method, settings)
    learn(objective.episode([0]), settings, torch.optim.Adam(chosen.parameters.values(), lr=1e-3))
    other, again = opened(folder, method, settings)
    optimiser, episode = torch.optim.Adam(other.parameters.values(), lr=1e-3), again.episode([0])
    for i in range(16):
        optimiser.zero_grad()
        episode.losses(range(i, i + 1)).sum().backward()
        optimiser.step()
    assert all(torch.equal(value, other.parameters[name]) for name, value in chosen.parameters.items())


@pytest.mark.parametrize("method", ["ear", "ear-released"])
def test_a_dropped_window_leaves_nothing_to_the_next_one(folder, method):
    _, objective = opened(folder, method, QUICK)
    sums = sorted(float(objective.episode([0]).losses(range(i, i + 5)).sum().detach()) for i in (0, 5, 10))
    settings = replace(QUICK, threshold=(sums[0] + sums[1]) / 2, learning_rate=1e-6)
    chosen, objective = opened(folder, method, settings)
    told = learn(objective.episode([0]), settings, torch.optim.Adam(chosen.parameters.values(), lr=1e-6))
    assert (told.updates, told.dropped) == (2, 1)
    other, again = opened(folder, method, settings)
    optimiser, episode = torch.optim.Adam(other.parameters.values(), lr=1e-6), again.episode([0])
    for start in (0, 5, 10):
        losses = episode.losses(range(start, start + 5))
        if float(losses.sum().detach()) > settings.threshold:
            optimiser.zero_grad()
            losses.sum().backward()
            optimiser.step()
    assert all(torch.equal(value, other.parameters[name]) for name, value in chosen.parameters.items())


def test_words_of_a_prompt_are_text_again_and_special_tokens_are_none_of_them(folder):
    learner = learner_of(loaded(folder))
    assert learner.text(learner.words("a red apple")) == "a red apple"
    assert {learner.text([number]) for number in learner.vocabulary()} == {
        "user",
        "assistant",
        "a",
        "red",
        "blue",
        "apple",
    }


def test_a_search_rewrites_prompts_of_a_language_model_within_its_budget(folder):
    model = loaded(folder)
    codes = model.sample_tokens([Request("0", prompt="a red apple", seed=1)])[0]
    found = search(model, "a blue user", codes, 20)
    assert found.evaluations <= 20
    assert found.loss <= found.before
    assert len(found.prompt.split()) == 3


def test_the_check_takes_the_folder_of_a_finished_janus_eraser(folder, tmp_path):
    done = run(folder, tmp_path, "ear", QUICK)
    assert erased_path(str(tmp_path), "janus-pro-1b") == str(done.weights)
    assert erased_path(str(done.weights), "janus-pro-1b") == str(done.weights)


def test_a_model_that_drew_images_can_still_learn(folder):
    model = loaded(folder)
    drawn = draw(model, [Request("0", prompt="a red apple", seed=1)])
    losses = finetune(model, [Example("a red apple", tuple(drawn.codes[0].tolist()))], steps=3, learning_rate=1e-2)
    assert losses[-1] < losses[0]
