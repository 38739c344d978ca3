"""How fast a model learns a concept again: curves of small trainings, and what they save."""

import math

import numpy as np
import pytest
import torch

from evalkit.encoders.registry import load_encoder
from evalkit.erasure.check import relearn
from evalkit.erasure.check.analysis import savings_of
from evalkit.erasure.check.arms import changed, destroyed
from evalkit.erasure.check.drawing import Drawer
from evalkit.erasure.check.memory import Memory
from evalkit.erasure.check.relearn import Relearning, steps_to
from evalkit.erasure.check.seen import Rule
from evalkit.generators.base import Request
from evalkit.generators.registry import load_generator
from evalkit.generators.sampling import Sampler
from evalkit.jobs.timers import Timers

CURVE = np.array([[0, 0.0], [5, 0.25], [10, 0.5], [15, 1.0]])


def test_a_curve_is_read_where_its_line_from_look_to_look_is_high_enough():
    assert steps_to(CURVE, 0.5) == 10
    assert steps_to(CURVE, 0.375) == pytest.approx(7.5)
    assert steps_to(CURVE, 0.0) == 0
    assert math.isinf(steps_to(CURVE[:2], 0.5))


def test_savings_compare_with_a_model_that_never_saw_the_concept():
    slow = CURVE * [4, 1]
    assert savings_of({"relearn_erased": CURVE, "relearn_never_saw": slow}, 1.0) == pytest.approx(0.75)
    assert savings_of({"relearn_erased": CURVE, "relearn_never_saw": CURVE}, 1.0) == 0
    assert savings_of({"relearn_erased": CURVE}, 1.0) is None


def test_a_training_leaves_the_model_that_is_checked_as_it_is(monkeypatch):
    monkeypatch.setattr(relearn, "EVERY", 1)
    base = load_generator("world-ar", device="cpu")
    base.rows = 4
    broken = destroyed(base, 3)
    before = {name: each.clone() for name, each in broken.network.state_dict().items()}
    asked = [Request(f"{i}", "a photo of a dog", seed=i, sampler=Sampler()) for i in range(4)]
    drawer = Drawer({"base": base}, load_encoder("world"), None, Memory(), "key", Timers())
    made = Relearning(drawer, {"erased": broken}, asked, asked, Rule(("dog",)), 2, 0).curves()
    assert made["relearn_erased"][:, 0].tolist() == [0, 1, 2]
    assert made["relearn_erased"][0, 1] == 0
    assert all(torch.equal(each, before[name]) for name, each in broken.network.state_dict().items())
    assert changed(base, broken)
