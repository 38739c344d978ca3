"""VAR, FlexVAR and Infinity against numbers of the official networks, with weights filled by rule.

A parameter's values follow from its official name, so equal numbers mean equal names, shapes and maths. VAR and FlexVAR
have their full size (depth 16), Infinity has few and narrow layers.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from helpers.filled import fill, generator, integers, normal
from helpers.near import same
from torch import Tensor, nn

from evalkit.generators.base import Request
from evalkit.generators.flexvar import FlexVar, FlexVarConfig
from evalkit.generators.guidance import Guidance
from evalkit.generators.infinity import Infinity, InfinityConfig
from evalkit.generators.nets.caption import TextFeatures
from evalkit.generators.sampling import Sampler
from evalkit.generators.var import Var, VarConfig
from evalkit.tokenizers.nets.quantize import Codebook
from evalkit.tokenizers.nets.residual import ResidualCodebook

DATA = np.load(Path(__file__).parent / "data" / "next_scale.npz")
CLASSES, SHARE = (3, 977), 3e-5  # of the largest value
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


def with_codebook(model: Any, codebook: nn.Module) -> Any:
    fill(codebook, prefix="quantize.")
    model._tokenizer = SimpleNamespace(network=SimpleNamespace(quantize=codebook.eval()))
    return model


def drawn(model: Any, guidance: Guidance) -> Tensor:
    sampler = Sampler(guidance, top_k=1)
    codes: Tensor = model.sample_tokens([Request(str(c), class_id=c, sampler=sampler) for c in CLASSES])
    return codes


def same_logits(logits: Tensor, key: str) -> None:
    """The stored positions (every 17th)."""
    logits = logits[:, ::17]
    assert np.array_equal(logits.argmax(-1).numpy(), DATA[f"{key}/argmax"])
    same(logits.logsumexp(-1), torch.from_numpy(DATA[f"{key}/logsumexp"]), SHARE)
    same(logits.amax(-1), torch.from_numpy(DATA[f"{key}/max"]), SHARE)


@pytest.mark.slow
def test_var_gives_the_official_logits_and_greedy_codes() -> None:
    model = with_codebook(generator(Var, VarConfig(16), GAINS["var"]), ResidualCodebook(4096, 32))
    tokens = integers("var.tokens", 4096, 2, 680)
    same_logits(model.logits(torch.tensor(CLASSES), tokens), "var/tf")
    null = model.logits(torch.tensor([1000]), tokens[:1])
    assert np.array_equal(null[:, ::17].argmax(-1).numpy(), DATA["var/uncond/argmax"])
    for run, scale in (("g", 1.5), ("g0", 0.0), ("g4", 4.0)):
        assert drawn(model, Guidance("var", scale))[0].tolist() == DATA[f"var/{run}/codes"].tolist(), run


@pytest.mark.slow
def test_flexvar_gives_the_official_logits_and_greedy_codes() -> None:
    model = with_codebook(generator(FlexVar, FlexVarConfig(16), GAINS["flexvar"]), Codebook(8912, 32, l2=True))
    model.use_scales((1, 2, 3, 4, 5, 7, 10))
    tokens = integers("flexvar.tokens", 8912, 2, 204)
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
    model = generator(Infinity, InfinityConfig(4, 512, 4, chunks=2, grid=(16, 16)), GAINS["infinity"])
    words = 0.2 * normal("infinity.t5", 17, 2048)
    padded = nn.utils.rnn.pad_sequence([words[:5], words[5:]], batch_first=True)
    text = TextFeatures(padded, torch.arange(12) < torch.tensor([[5], [12]])).packed()
    model.rows = 2
    model.encode_conditions = lambda requests: text
    return model


def packed(bits: Tensor) -> np.ndarray[Any, Any]:
    return np.packbits(bits.numpy().astype(np.uint8), axis=-1)


def test_infinity_gives_the_official_logits(infinity: Any) -> None:
    bits = integers("infinity.bits", 2, 2, 521, 32)
    logits = infinity.logits(infinity.encode_conditions([]), bits)
    places = DATA["infinity/positions"]
    same(logits.flatten(2)[:, places, ::4], torch.from_numpy(DATA["infinity/tf/logits"]), SHARE)
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
