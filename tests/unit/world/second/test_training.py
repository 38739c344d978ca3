"""The loop of the second world's trainings: what is stopped and resumed ends in the same bytes."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).parents[4] / "benchmarks" / "world" / "second_loop.py"


@pytest.fixture(scope="module")
def loop():
    spec = importlib.util.spec_from_file_location("second_loop", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["second_loop"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["second_loop"]


class Job:
    """A line through points, with noise from torch's generator and a sum that a state must keep."""

    name = "line"

    def __init__(self):
        self.net = torch.nn.Linear(3, 2)
        torch.nn.init.constant_(self.net.weight, 0.1)
        torch.nn.init.zeros_(self.net.bias)
        self.sum = torch.zeros(1)

    def draw(self, rng, size):
        return (torch.tensor([[rng.random() for _ in range(3)] for _ in range(size)]),)

    def loss(self, batch, step, progress):
        self.sum += batch[0].sum()
        noisy = batch[0] + 0.1 * torch.randn(batch[0].shape)
        return (self.net(noisy) - batch[0][:, :2] - 0.01 * self.sum).square().mean(), {"sum": self.sum}

    def kept(self):
        return {"sum": self.sum}


def trained(loop, work, minutes, steps=6, fit=0.0, seed=0):
    work.mkdir(exist_ok=True)
    given = loop.Options(work, "cpu", steps, fit, minutes, 4, seed, 2, False)
    return loop.Training(Job(), loop.Preset(4, 1e-2, 2), given)


def test_a_training_stopped_after_every_step_ends_in_the_same_weights(loop, tmp_path):
    whole = trained(loop, tmp_path / "whole", 1e9)
    assert whole.run()
    for step in range(1, 7):
        part = trained(loop, tmp_path / "parts", 0.0)
        assert part.run() == (step == 6)
        assert part.step == step
    for name, value in whole.mean.items():
        assert torch.equal(value, part.mean[name])
    assert torch.equal(whole.job.net.weight, part.job.net.weight)
    assert torch.equal(whole.job.sum, part.job.sum)


def test_the_seed_decides_the_weights(loop, tmp_path):
    weights = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        training = trained(loop, tmp_path / name, 1e9, seed=seed)
        training.run()
        weights.append(training.job.net.weight)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_a_state_of_another_seed_is_refused(loop, tmp_path):
    trained(loop, tmp_path, 0.0).run()
    with pytest.raises(SystemExit, match="give these"):
        trained(loop, tmp_path, 0.0, seed=1)


def test_the_number_of_steps_follows_from_the_speed_and_is_kept(loop, tmp_path):
    training = trained(loop, tmp_path, 1e9, steps=0, fit=1e-9)
    assert training.run()
    assert training.steps == training.step == loop.TIMED + 1
    assert trained(loop, tmp_path, 1e9, steps=0, fit=1e-9).done
