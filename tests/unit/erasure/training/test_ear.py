"""EAR's goals: away from the target by the difference of both prompts, with and without history."""

import pytest
import torch
from helpers.near import same
from helpers.small.erasure import CODES, pairs, tiny_world

from evalkit.erasure.training.chosen import Chosen, chosen_names
from evalkit.erasure.training.ear import Ear, EarReleased
from evalkit.erasure.training.learner import learner_of
from evalkit.erasure.training.objective import Work
from evalkit.erasure.training.settings import Settings


def made(cls, strength=1.0):
    settings = Settings((0, 1), strength=strength)
    learner = learner_of(tiny_world())
    chosen = Chosen(learner.network, chosen_names(learner, settings))
    return cls(Work(learner, chosen, settings, pairs(), (), 0))


def prompt_states(method, side):
    learner, text = method.learner, getattr(pairs()[0], side)
    conditions = learner.conditions([text])
    both = torch.cat([conditions, learner.null(conditions)])
    return learner.states(both, torch.zeros(2, 1, dtype=torch.int64))[0]


def test_the_first_pass_leads_to_twice_the_replacement_less_the_target_at_every_position():
    method = made(EarReleased)
    target, replacement = (prompt_states(method, side).detach() for side in ("target", "replacement"))
    goal = 2 * replacement - target
    wanted = (target - goal).square().mean()
    assert float(method.episode([0]).losses(range(1))[0].detach()) == pytest.approx(float(wanted), rel=1e-5)


def test_later_passes_of_the_release_know_neither_prompt_nor_earlier_codes():
    method = made(EarReleased)
    losses = method.episode([0]).losses(range(CODES)).detach()
    codes = {name: images.codes([0]) for name, images in method.images.items()}
    away, neutral, toward = (method.learner.alone(codes[n][:, :-1], 0).detach() for n in method.images)
    wanted = (away - (toward - (away - neutral))).square().mean((0, 2))
    same(losses[1:], wanted)


def test_the_release_draws_three_images_and_the_description_one():
    released, described = made(EarReleased), made(Ear)
    drawn = [images.codes([0, 1, 2]) for images in released.images.values()]
    assert not any(torch.equal(drawn[i], drawn[j]) for i, j in ((0, 1), (0, 2), (1, 2)))
    assert torch.equal(described.images.codes([2, 0]), described.images.codes([0, 1, 2])[[2, 0]])


def test_with_history_the_goal_is_moved_from_the_replacement_s_states_by_eta_times_the_difference():
    for strength in (0.0, 0.5, 1.0):
        method = made(Ear, strength)
        losses = method.episode([0]).losses(range(CODES)).detach()
        codes = torch.cat([method.images.codes([0])] * 2)
        away, toward = (method._states(method._both(side, [0]), codes).detach() for side in ("target", "replacement"))
        same(losses, ((1 + strength) ** 2 * (away - toward).square()).mean((0, 2)))


def test_the_unconditional_row_stays_where_it_is_under_a_shared_image():
    method = made(Ear)
    codes = torch.cat([method.images.codes([0])] * 2)
    states = [method._states(method._both(side, [0]), codes)[1].detach() for side in ("target", "replacement")]
    assert torch.equal(*states)
