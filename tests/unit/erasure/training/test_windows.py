"""Windows and gates: how often weights change, and that a dropped window leaves nothing behind."""

import math

import pytest
import torch
from helpers.small.erasure import CODES, pairs, tiny_world, training

from evalkit.erasure.training.chosen import Chosen, chosen_names
from evalkit.erasure.training.learner import learner_of
from evalkit.erasure.training.objective import Work, method_class
from evalkit.erasure.training.run import train
from evalkit.erasure.training.settings import Settings
from evalkit.erasure.training.windows import Episode, Tally, is_open, learn, spans
from evalkit.errors import EvalkitError


def opened(method, settings, seed=0):
    learner = learner_of(tiny_world())
    chosen = Chosen(learner.network, chosen_names(learner, settings))
    return chosen, method_class(method)(Work(learner, chosen, settings, pairs(), ("a cat", "a bed"), seed))


def gradients(chosen):
    return {name: parameter.grad.clone() for name, parameter in chosen.parameters.items()}


@pytest.mark.parametrize("method", ["ear", "ear-released", "replace"])
@pytest.mark.parametrize("window", [1, 3, 5, 16, 40])
def test_updates_are_pairs_times_whole_windows_at_threshold_0_and_none_at_infinity(tmp_path, method, window):
    settings = Settings((0, 0), window=window, threshold=0.0, gate="sum", tail=False)
    done = train(training(tmp_path / "all", method, settings), base=tiny_world()).facts
    assert (done["steps"], done["dropped_windows"]) == (3 * (CODES // window), 0)
    closed = Settings((0, 0), window=window, threshold=math.inf, gate="sum", tail=False)
    none = train(training(tmp_path / "none", method, closed), base=tiny_world()).facts
    assert (none["steps"], none["dropped_windows"]) == (0, 3 * (CODES // window))
    assert none["change"]["norm"] == 0


def test_the_tail_makes_an_update_of_its_own_where_it_is_kept():
    assert spans(576, 100, False) == tuple(range(i, i + 100) for i in range(0, 500, 100))
    assert spans(576, 100, True)[-1] == range(500, 576)
    assert spans(16, None, False) == spans(16, None, True) == spans(16, 40, True) == (range(16),)
    assert spans(16, 40, False) == ()


@pytest.mark.parametrize("method", ["ear", "ear-released", "replace", "gradient-ascent", "masked-kl"])
def test_the_gradient_of_a_window_is_the_sum_of_its_passes_gradients(method):
    settings = Settings((0, 1), gate="sum")
    chosen, objective = opened(method, settings)
    episode = objective.episode([0])
    episode.losses(range(2, 7)).sum().backward()
    together = gradients(chosen)
    total = {name: torch.zeros_like(value) for name, value in together.items()}
    for i in range(2, 7):
        for parameter in chosen.parameters.values():
            parameter.grad = None
        episode.losses(range(i, i + 1)).sum().backward()
        total = {name: total[name] + value for name, value in gradients(chosen).items()}
    for name, value in together.items():
        assert torch.allclose(value, total[name], rtol=1e-3, atol=1e-5 * float(value.abs().max() + 1e-12))


def test_windows_of_one_pass_are_steps_at_every_code():
    settings = Settings((0, 0), window=1, gate="sum", learning_rate=1e-3)
    chosen, objective = opened("ear", settings)
    learn(objective.episode([0]), settings, torch.optim.Adam(chosen.parameters.values(), lr=1e-3))
    other, again = opened("ear", settings)
    optimiser = torch.optim.Adam(other.parameters.values(), lr=1e-3)
    episode = again.episode([0])
    for i in range(CODES):
        optimiser.zero_grad()
        episode.losses(range(i, i + 1)).sum().backward()
        optimiser.step()
    for name, parameter in chosen.parameters.items():
        assert torch.equal(parameter, other.parameters[name])


class Given(Episode):
    """Losses that are given numbers, each times the weight."""

    def __init__(self, weight, factors):
        self.weight, self.factors, self.passes = weight, torch.tensor(factors), len(factors)

    def losses(self, span):
        return self.weight * self.factors[span.start : span.stop]


@pytest.mark.parametrize("first", [0.01, 5.0])
def test_the_sum_is_cleared_whether_the_gate_opens_or_not(first):
    weight = torch.nn.Parameter(torch.ones(()))
    sgd = torch.optim.SGD([weight], lr=0.001)
    settings = Settings(window=2, threshold=0.05, gate="sum")
    done = learn(Given(weight, [first / 2, first / 2, 0.02, 0.02, 0.03, 0.03]), settings, sgd)
    opens = first > 0.05
    # the second window's 0.04 would pass with the rest of the first; the third passes by itself
    assert (done.updates, done.dropped) == (1 + opens, 2 - opens)
    assert float(weight.detach()) == pytest.approx(1 - 0.001 * (0.06 + opens * first), abs=1e-6)
    assert weight.grad is None


def test_the_gate_compares_the_sum_or_the_mean_and_equality_is_not_enough():
    losses = torch.tensor([0.25, 0.25])
    assert not is_open(losses, Settings(threshold=0.5, gate="sum"))
    assert is_open(losses, Settings(threshold=0.49, gate="sum"))
    assert not is_open(losses, Settings(threshold=0.3, gate="mean"))
    assert is_open(-losses, Settings(threshold=None))


def test_a_loss_that_is_no_number_ends_the_training():
    weight = torch.nn.Parameter(torch.ones(()))
    with pytest.raises(EvalkitError, match="no finite number"):
        learn(Given(weight, [math.nan]), Settings(), torch.optim.SGD([weight], lr=1.0))


def test_a_tally_of_nothing_says_so():
    weight = torch.nn.Parameter(torch.ones(()))
    assert learn(Given(weight, [1.0]), Settings(window=4, tail=False), torch.optim.SGD([weight], 1.0)) == Tally(
        0, 0, 0.0
    )
