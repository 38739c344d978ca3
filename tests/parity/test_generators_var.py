"""VAR, FlexVAR and Infinity against numbers of the official networks, with weights filled by rule.

A parameter's values follow from its official name, so equal numbers mean equal names, shapes and maths. VAR and FlexVAR
have their full size (depth 16), Infinity has few and narrow layers.
"""

from __future__ import annotations

import math
import re
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from evalkit.generators.base import Request
from evalkit.generators.flexvar import FlexVar, FlexVarConfig
from evalkit.generators.guidance import Guidance
from evalkit.generators.infinity import Infinity, InfinityConfig
from evalkit.generators.nets.caption import TextFeatures
from evalkit.generators.network import NetworkTokenGenerator
from evalkit.generators.registry import Source
from evalkit.generators.sampling import Sampler
from evalkit.generators.var import Var, VarConfig
from evalkit.tokenizers.nets.quantize import Codebook
from evalkit.tokenizers.nets.residual import ResidualCodebook

DATA = np.load(Path(__file__).parent / "data" / "next_scale.npz")
CLASSES, SEED = (3, 977), 1
LOUD = (("^class_emb.weight$", 16.0), ("^pos_start$", 8.0), ("scale_mul_1H11$", 10.0), ("^lvl_embed.weight$", 8.0))
GAINS = {
    "var": (*LOUD, ("^pos_1LC$", 1600.0), ("^word_embed.weight$", 16.0)),
    "flexvar": (*LOUD, ("^pos_1LC$", 3200.0), ("^word_embed.weight$", 16.0)),
    "infinity": (
        *LOUD,
        ("^cfg_uncond$", 16.0),
        (r"^text_proj_for_sos.ca.mat_q$", 16.0),
        ("^word_embed.weight$", 4.0),
    ),
}


def stream(name: str) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64([zlib.crc32(name.encode()), SEED]))


def fill(network: nn.Module, gains: tuple[tuple[str, float], ...] = (), prefix: str = "") -> None:
    def values(key: str, shape: tuple[int, ...]) -> Tensor:
        drawn = stream(prefix + key).standard_normal(shape, dtype=np.float32)
        if len(shape) >= 2:
            drawn = drawn / np.float32(math.sqrt(math.prod(shape[1:])))
        else:
            drawn = 1 + np.float32(0.1) * drawn if key.endswith("weight") else np.float32(0.05) * drawn
        for pattern, gain in gains:
            if re.search(pattern, key):
                drawn = drawn * np.float32(gain)
        return torch.from_numpy(drawn)

    network.load_state_dict({key: values(key, tuple(value.shape)) for key, value in network.state_dict().items()})


def made(cls: type[NetworkTokenGenerator], config: Any, gains: tuple[tuple[str, float], ...]) -> Any:
    network = cls.build(config)
    fill(network, gains)
    model = cls(Source("filled", config, None, None, None, None, torch.device("cpu"), torch.float32), network)
    model.rows = 2
    return model


def with_codebook(model: Any, codebook: nn.Module) -> Any:
    fill(codebook, prefix="quantize.")
    model._tokenizer = SimpleNamespace(network=SimpleNamespace(quantize=codebook.eval()))
    return model


def drawn(model: Any, guidance: Guidance) -> Tensor:
    sampler = Sampler(guidance, top_k=1)
    codes: Tensor = model.sample_tokens([Request(str(c), class_id=c, sampler=sampler) for c in CLASSES])
    return codes


def same_logits(logits: Tensor, key: str) -> None:
    """The stored positions (every 17th) within 2e-4."""
    logits = logits[:, ::17]
    assert np.array_equal(logits.argmax(-1).numpy(), DATA[f"{key}/argmax"])
    np.testing.assert_allclose(logits.logsumexp(-1).numpy(), DATA[f"{key}/logsumexp"], atol=2e-4)
    np.testing.assert_allclose(logits.amax(-1).numpy(), DATA[f"{key}/max"], atol=2e-4)


@pytest.mark.slow
def test_var_gives_the_official_logits_and_greedy_codes() -> None:
    model = with_codebook(made(Var, VarConfig(16), GAINS["var"]), ResidualCodebook(4096, 32))
    tokens = torch.from_numpy(stream("input:var.tokens").integers(0, 4096, (2, 680), dtype=np.int64))
    same_logits(model.logits(torch.tensor(CLASSES), tokens), "var/tf")
    null = model.logits(torch.tensor([1000]), tokens[:1])
    assert np.array_equal(null[:, ::17].argmax(-1).numpy(), DATA["var/uncond/argmax"])
    for run, scale in (("g", 1.5), ("g0", 0.0), ("g4", 4.0)):
        assert drawn(model, Guidance("var", scale))[0].tolist() == DATA[f"var/{run}/codes"].tolist(), run


@pytest.mark.slow
def test_flexvar_gives_the_official_logits_and_greedy_codes() -> None:
    model = with_codebook(made(FlexVar, FlexVarConfig(16), GAINS["flexvar"]), Codebook(8912, 32, l2=True))
    model.use_scales((1, 2, 3, 4, 5, 7, 10))
    tokens = torch.from_numpy(stream("input:flexvar.tokens").integers(0, 8912, (2, 204), dtype=np.int64))
    same_logits(model.logits(torch.tensor(CLASSES), tokens), "flexvar/tf")
    for run, guidance, largest in (
        ("g", Guidance("flexvar", 2.5), 16),
        ("g_long", Guidance("flexvar", 2.5), 10),
        ("g_llamagen_cfg", Guidance("llamagen", 3.0), 16),
    ):
        model.use_scales(tuple(DATA[f"flexvar/{run}/sides"].tolist()))
        model.largest = largest
        assert drawn(model, guidance)[0].tolist() == DATA[f"flexvar/{run}/codes"].tolist(), run


@pytest.fixture(scope="module")
def infinity() -> Any:
    model = made(Infinity, InfinityConfig(4, 512, 4, chunks=2, grid=(16, 16)), GAINS["infinity"])
    words = 0.2 * torch.from_numpy(stream("input:infinity.t5").standard_normal((17, 2048), dtype=np.float32))
    padded = nn.utils.rnn.pad_sequence([words[:5], words[5:]], batch_first=True)
    text = TextFeatures(padded, torch.arange(12) < torch.tensor([[5], [12]])).packed()
    model.rows = 2
    model.encode_conditions = lambda requests: text
    return model


def packed(bits: Tensor) -> np.ndarray[Any, Any]:
    return np.packbits(bits.numpy().astype(np.uint8), axis=-1)


def test_infinity_gives_the_official_logits(infinity: Any) -> None:
    bits = torch.from_numpy(stream("input:infinity.bits").integers(0, 2, (2, 521, 32), dtype=np.int64))
    logits = infinity.logits(infinity.encode_conditions([]), bits)
    places = DATA["infinity/positions"]
    np.testing.assert_allclose(logits.flatten(2)[:, places, ::4].numpy(), DATA["infinity/tf/logits"], atol=2e-4)
    assert np.array_equal(packed(logits.argmax(-1)[:, ::13]), DATA["infinity/tf/bits"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("run", "scale", "layer"), [("g_logits_cfg3", 3, 0), ("g_layer_cfg3", 3, -2), ("g_nocfg", 1, 0)]
)
def test_infinity_gives_the_official_greedy_bits(infinity: Any, run: str, scale: float, layer: int) -> None:
    infinity.cfg_insertion_layer = layer
    sampler = Sampler(Guidance("constant", scale), temperature=0.5, top_k=1)
    bits = infinity.sample_tokens([Request(str(i), prompt="a", sampler=sampler) for i in range(2)])
    row = int(DATA[f"infinity/{run}/row"])
    assert np.array_equal(packed(bits[row]), DATA[f"infinity/{run}/bits"])
