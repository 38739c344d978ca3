"""The LlamaGen family against numbers of the official networks, with weights filled by rule.

A parameter's values follow from its official name, so equal numbers mean equal names, shapes and maths. LlamaGen-B has
its full size; the others have few layers.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.filled import generator, integers, normal
from helpers.near import same
from torch import Tensor

from evalkit.generators.base import Request
from evalkit.generators.dar_gpt import DarGpt, DarGptConfig
from evalkit.generators.detailflow_gpt import DetailFlowGpt, DetailFlowGptConfig
from evalkit.generators.gigatok_gpt import GigaTokGpt, GigaTokGptConfig
from evalkit.generators.guidance import Guidance
from evalkit.generators.hita_gpt import HitaGpt, HitaGptConfig
from evalkit.generators.llamagen import LlamaGen, LlamaGenConfig, LlamaGenText
from evalkit.generators.nar import Nar, NarConfig, diagonal
from evalkit.generators.nets.caption import TextFeatures
from evalkit.generators.next_token import NextTokenGenerator
from evalkit.generators.sampling import Sampler

DATA = np.load(Path(__file__).parent / "data" / "llamagen_family.npz")
CLASSES, SHARE = (3, 977), 3e-5  # of the largest value
FOUR, OFF = Guidance("llamagen", 4.0), Guidance("llamagen", 1.0)


@dataclass(frozen=True)
class Case:
    """A network, the rule of its input codes, and the guidance of each greedy run."""

    cls: type[NextTokenGenerator]
    config: object
    codes: tuple[str, int, int]
    greedy: dict[str, Guidance]
    gains: tuple[tuple[str, float], ...] = ()


def giga(**options: object) -> GigaTokGptConfig:
    return GigaTokGptConfig(3, 4, 256, **options)  # type: ignore[arg-type]


GIGA, GAINS = (
    ("gigatok.tokens", 16384, 256),
    (("^positional_embedding$", 4.0), (r"^cls_embedding\.embedding_table", 8.0)),
)
CASES = {
    "llamagen": Case(
        LlamaGen,
        LlamaGenConfig(),
        ("llamagen.tokens", 16384, 256),
        {"g": FOUR, "gi": Guidance("llamagen", 4.0, interval=16), "g1": OFF},
    ),
    "gigatok_base": Case(
        GigaTokGpt,
        GigaTokGptConfig(4, 8, 512),
        GIGA,
        {"g": FOUR},
        GAINS,
    ),
    "gigatok_qknorm": Case(GigaTokGpt, giga(qk_norm=True), GIGA, {"g": FOUR}, GAINS),
    "gigatok_rope": Case(GigaTokGpt, giga(rope=True), GIGA, {}, GAINS),
    "gigatok_adaln": Case(GigaTokGpt, giga(adaptive="own", qk_norm=True), GIGA, {"g": FOUR}, GAINS),
    "gigatok_simple_adaln": Case(GigaTokGpt, giga(adaptive="shared", plain=2), GIGA, {"g": FOUR}, GAINS),
    "dar": Case(
        DarGpt,
        DarGptConfig(4, 8, 512),
        ("dar.tokens", 16384, 256),
        {"g_1.2_8.0_n96": Guidance("d-ar", 8.0, start=1.2)},
    ),
    "detailflow": Case(
        DetailFlowGpt,
        DetailFlowGptConfig(4, 8, 512),
        ("detailflow.tokens", 8192, 128),
        {"g": Guidance("llamagen", 1.45), "g_gradual": Guidance("detailflow", 4.0, schedule="linear_re")},
    ),
    "nar": Case(
        Nar,
        NarConfig(4, 8, 512),
        ("nar.tokens", 16384, 256),
        {"g": FOUR, "gi": Guidance("llamagen", 4.0, interval=60), "g1": OFF},
    ),
    "hita": Case(HitaGpt, HitaGptConfig(4, 8, 512), ("", 16384, 569), {"g": FOUR}, (("^slot_pos", 8.0),)),
}


def same_logits(logits: Tensor, key: str) -> None:
    """The stored positions (every 29th)."""
    logits = logits[:, ::29]
    assert np.array_equal(logits.argmax(-1).numpy(), DATA[f"{key}/argmax"])
    same(logits.logsumexp(-1), torch.from_numpy(DATA[f"{key}/logsumexp"]), SHARE)
    same(logits.amax(-1), torch.from_numpy(DATA[f"{key}/max"]), SHARE)


def same_codes(codes: Tensor, key: str) -> None:
    """The stored row's codes; those behind a step that the official logits leave undecided (2e-3) are not stored."""
    row, *want = DATA[f"{key}/codes"].tolist()
    assert codes[row, : len(want)].tolist() == want


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_logits_and_greedy_codes_are_those_of_the_official_network(name: str) -> None:
    case = CASES[name]
    model = generator(case.cls, case.config, case.gains)
    classes = torch.tensor(CLASSES)
    if name == "hita":
        slots, blocks = integers("hita.tokens", 16384, 2, 128), integers("hita.img_tokens", 16384, 2, 440)
        logits = model.logits(classes, torch.cat([slots, blocks, blocks[:, :1]], 1))
        same_logits(logits[:, :128], "hita/tf_slots")
        same_logits(logits[:, 128:], "hita/tf_img")
    else:
        rule, values, count = case.codes
        same_logits(model.logits(classes, integers(rule, values, 2, count)), f"{name}/tf")
    if name not in ("nar", "detailflow"):
        model.tokens_per_image = {"dar": 96, "hita": 160}.get(name, 25)
    for run, guidance in case.greedy.items():
        sampler = Sampler(guidance, top_k=1)
        codes = model.sample_tokens([Request(str(c), class_id=c, sampler=sampler) for c in CLASSES])
        if name == "nar":
            codes = codes[:, [place for number in range(31) for place in diagonal(number, 16)]]
        same_codes(codes, f"{name}/{run}")


@pytest.mark.slow
def test_text_features_with_and_without_their_mask_give_the_official_logits_and_codes() -> None:
    config = LlamaGenConfig(4, 10, 640, caption=2048)
    model = generator(LlamaGenText, config, (("uncond_embedding", 4.0),))
    assert isinstance(model, LlamaGenText)
    values = 0.1 * normal("llamagen.t5", 2, 120, 2048)
    mask = torch.arange(120) < torch.tensor([[7], [60]])
    text = TextFeatures.left_padded(values, mask)
    tokens = integers("llamagen.t2i_tokens", 16384, 2, 256)
    same_logits(model.logits(text.values, tokens), "text/tf")
    same_logits(model.logits(text, tokens), "text/tfmask")
    runs = {"g": FOUR, "gi": Guidance("llamagen", 4.0, interval=16), "g1": OFF, "gnomask": FOUR}
    model.tokens_per_image = 24
    for run, guidance in runs.items():
        packed = text.values if run == "gnomask" else text.packed()
        model.encode_conditions = lambda requests, packed=packed: packed  # type: ignore[method-assign,misc]
        sampler = Sampler(guidance, top_k=1)
        same_codes(model.sample_tokens([Request(str(i), prompt="a", sampler=sampler) for i in range(2)]), f"text/{run}")
