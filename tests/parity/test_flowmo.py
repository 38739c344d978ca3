"""A tiny FlowMo of the official code (kylesargent/FlowMo d15029f): same code, same 25 guided steps.

`data/flowmo_tiny.npz` holds, for `lo` (18 channels, 9 bits) and `hi` (56, 14), the official encoder's code and
indices and every fourth pixel of the official `rf_sample`, clipped, for the weights, images and noise made here.
"""

import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.near import same

from evalkit.tokenizers.flowmo import FlowMo, FlowMoConfig
from evalkit.tokenizers.nets.flowmo import FluxSize

GOLDEN = Path(__file__).parent / "data" / "flowmo_tiny.npz"
SIZES = {"encoder": FluxSize(64, 2, (8, 12, 12)), "decoder": FluxSize(96, 3, (12, 18, 18))}
CONFIGS = {
    "lo": FlowMoConfig(code_dim=18, bits=9, slots=16, size=32, **SIZES),
    "hi": FlowMoConfig(code_dim=56, bits=14, slots=16, size=32, **SIZES),
}


def drawn(name, shape):
    """Standard normal float32 numbers that depend on the name alone."""
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    return torch.from_numpy(generator.standard_normal(shape, dtype=np.float32))


def weights(network):
    """Weights of spread 1/sqrt(inputs), biases of 0.1, scales of 1 +- 0.1, under the official names."""
    state = {}
    for name, value in network.state_dict().items():
        spread = value[0].numel() ** -0.5 if value.ndim > 1 else 0.1
        state[name] = drawn(name, tuple(value.shape)) * spread + (1.0 if name.endswith("scale") else 0.0)
    return state


def images():
    return drawn("pictures", (2, 3, 32, 32)).sigmoid()


def noise():
    return drawn("noise", (2, 3, 32, 32))


@pytest.fixture(params=["lo", "hi"])
def case(request):
    config = CONFIGS[request.param]
    network = FlowMo.build(config)
    network.load_state_dict(weights(network))
    model = FlowMo(request.param, config, network, torch.device("cpu"), torch.float32)
    with np.load(GOLDEN) as stored:
        golden = {
            part: torch.from_numpy(stored[f"{request.param}_{part}"]) for part in ("prequant", "indices", "picture")
        }
    return model, golden


def test_code_and_indices_are_the_official_ones(case):
    model, golden = case
    same(model.prequant(images()), golden["prequant"])
    assert torch.equal(model.encode(images()).indices, golden["indices"].long())


def test_images_after_25_guided_steps_are_the_official_ones(case):
    model, golden = case
    got = model.decode(model.codes(indices=golden["indices"]), noise=noise()) * 2 - 1
    same(got[:, :, ::4, ::4], golden["picture"], 1e-4)
