from pathlib import Path

import pytest
import torch
from torch import nn

from evalkit.errors import WeightsError
from evalkit.weights.layout import dotless_ema, fit, unwrap, without_init

PATH = Path("official.ckpt")


def network():
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def state(value=1.0):
    return {key: torch.full_like(tensor, value) for key, tensor in network().state_dict().items()}


def test_the_first_wrapping_key_that_is_there_wins():
    checkpoint = {"ema": {"a.w": torch.ones(1)}, "model": {"a.w": torch.zeros(1)}, "epoch": 3}
    assert unwrap(checkpoint, ("ema", "model"))["a.w"] == 1
    assert unwrap(checkpoint, ("model", "ema"))["a.w"] == 0
    assert unwrap({"a.w": torch.ones(1), "n": 2}, ("ema",)).keys() == {"a.w"}


def test_a_wrapping_key_with_dots_leads_further_down():
    checkpoint = {"trainer": {"model": {"a.w": torch.ones(1)}, "optimizer": {}}, "epoch": 3}
    assert unwrap(checkpoint, ("trainer.model",)).keys() == {"a.w"}
    assert unwrap({"trainer": 1, "b": torch.ones(1)}, ("trainer.model",)).keys() == {"b"}


def test_prefixes_are_stripped_once_each():
    assert unwrap({"module.module.w": torch.ones(1)}, (), ("module.", "module.")).keys() == {"w"}


def test_moving_averages_without_dots_replace_the_plain_weights():
    plain = state(0.0)
    averages = {
        "model_ema." + k.replace(".", ""): torch.full_like(v, 2.0)
        for k, v in plain.items()
        if k in dict(network().named_parameters())
    }
    chosen = dotless_ema({**plain, **averages, "model_ema.decay": torch.tensor(0.9)}, network())
    assert (chosen["0.weight"] == 2).all()
    assert (chosen["1.running_mean"] == 0).all()
    assert dotless_ema(plain, network()).keys() == plain.keys()


def test_a_fitting_state_is_loaded_and_buffers_may_be_missing():
    net, given = network(), state(0.5)
    del given["1.num_batches_tracked"]
    fit(net, given, PATH, "model")
    assert all((p == 0.5).all() for p in net.parameters())


def test_half_precision_files_are_loaded_in_float32():
    net = network()
    fit(net, {k: v.half() if v.is_floating_point() else v for k, v in state().items()}, PATH, "model")
    assert next(net.parameters()).dtype == torch.float32


def test_everything_that_does_not_fit_is_named_in_one_sentence():
    given = state()
    del given["0.bias"]
    given["0.weight"] = torch.zeros(5, 5)
    given["other.weight"] = torch.zeros(1)
    with pytest.raises(WeightsError) as caught:
        fit(network(), given, PATH, "model")
    said = str(caught.value)
    for part in (
        "1 parameters are missing (0.bias)",
        "other.weight",
        "0.weight is (5, 5), (3, 2) expected",
        "--weights",
    ):
        assert part in said
    assert "\n" not in said


def test_keys_that_inference_does_not_need_are_tolerated_by_name():
    fit(network(), {**state(), "loss.weight": torch.zeros(1)}, PATH, "model", unused=(r"^loss\.",))


def test_building_without_init_runs_no_initialiser():
    with without_init():
        for initialise in (nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_):
            assert initialise(torch.zeros(2, 2)).abs().sum() == 0
        assert nn.init.constant_(torch.zeros(2), 3.0).sum() == 0
        assert nn.init.normal_(tensor=torch.zeros(2)).sum() == 0
    assert nn.init.normal_(torch.zeros(2, 2)).abs().sum() > 0
