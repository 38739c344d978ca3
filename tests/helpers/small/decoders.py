"""One code after another: LlamaGen and its relatives, NAR, and the reference world's generator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from evalkit.generators.dar_gpt import DarGpt, DarGptConfig
from evalkit.generators.detailflow_gpt import DetailFlowGpt, DetailFlowGptConfig
from evalkit.generators.elm import Elm, ElmGptConfig
from evalkit.generators.gigatok_gpt import GigaTokGpt, GigaTokGptConfig
from evalkit.generators.guidance import Guidance
from evalkit.generators.hita_gpt import HitaGpt, HitaGptConfig
from evalkit.generators.llamagen import LlamaGen, LlamaGenConfig, LlamaGenText
from evalkit.generators.nar import Nar, NarConfig
from evalkit.generators.nets.caption import TextFeatures
from evalkit.generators.world_ar import WorldAR, WorldAR2
from evalkit.world.ar_net import WorldARConfig
from helpers.filled import Gains, integers, normal
from helpers.small.case import Arrays, Case
from helpers.small.forced import CLASSES, guided

SIZE: dict[str, Any] = {"layers": 2, "heads": 2, "width": 32, "codes": 24, "classes": 5}
LLAMA: Gains = ((r"(wo|w2)\.weight$", 0.03), (r"^(tok|slot)_embedd(ings|er)\.", 0.1), (r"embedding_table", 0.1))


def next_token(guidance: Guidance) -> Callable[[Any], Arrays]:
    """Teacher-forced logits and those of the guided loop."""

    def run(model: Any) -> Arrays:
        codes = integers("codes", model.config.codes, 2, model.tokens_per_image)
        return {"logits": model.logits(CLASSES, codes), "guided": guided(model, codes, guidance)}

    return run


def captioned(model: Any) -> Arrays:
    """LlamaGen under texts: with a mask of the padding, without one, and guided."""
    text = TextFeatures.left_padded(normal("text", 2, 5, 6), torch.arange(5) < torch.tensor([[2], [5]]))
    codes = integers("codes", model.config.codes, 2, model.tokens_per_image)
    model.encode_conditions = lambda requests: text.packed()
    return {
        "masked": model.logits(text, codes),
        "unmasked": model.logits(text.values, codes),
        "guided": guided(model, codes, Guidance("llamagen", 3.0)),
    }


def far(model: Any) -> Arrays:
    """Logits behind the zeros of GigaTok's rotary table."""
    return {"logits": model.logits(CLASSES, integers("codes", model.config.codes, 2, model.tokens_per_image))[:, 114:]}


def elm(model: Any) -> Arrays:
    """Sub-codes of a place together, under guidance that grows."""
    return next_token(Guidance("constant", 4.0, schedule="linear"))(model)


def giga(**options: Any) -> GigaTokGptConfig:
    return GigaTokGptConfig(**{**SIZE, "tokens": 7, "codes": 16, **options})


GIGA: Gains = (*LLAMA, ("^positional_embedding$", 0.3), ("wqkv", 0.1), ("ada_gss", 0.3))
STEP = Guidance("llamagen", 3.0, schedule="step")
DECODERS: dict[str, dict[str, Case]] = {
    "llamagen": {
        "classes": Case(LlamaGen, LlamaGenConfig(**SIZE, grid=4), next_token(Guidance("llamagen", 3.0)), LLAMA),
        "texts": Case(
            LlamaGenText,
            LlamaGenConfig(**SIZE, grid=2, caption=6, caption_tokens=5),
            captioned,
            (*LLAMA, ("uncond_embedding", 2.0), ("cap_proj.fc1", 3.0), ("cap_proj.fc2", 0.1)),
        ),
    },
    "d-ar": {"": Case(DarGpt, DarGptConfig(**SIZE, tokens=16), next_token(Guidance("d-ar", 8.0, start=1.2)), LLAMA)},
    "elm": {
        "halves": Case(Elm, ElmGptConfig(**{**SIZE, "codes": 8}, split=2, bits=3, grid=3), elm, LLAMA),
        "whole": Case(Elm, ElmGptConfig(**{**SIZE, "codes": 16}, split=1, bits=4, grid=3), elm, LLAMA),
    },
    "detailflow": {
        "": Case(
            DetailFlowGpt,
            DetailFlowGptConfig(**SIZE, tokens=12, group=3, causal=6),
            next_token(Guidance("detailflow", 4.0, schedule="linear_re")),
            LLAMA,
        )
    },
    "hita": {
        "": Case(
            HitaGpt,
            HitaGptConfig(**SIZE, slots=5, grid=3),
            next_token(Guidance("llamagen", 3.0)),
            (*LLAMA, ("^slot_pos", 4.0)),
        )
    },
    "nar": {"": Case(Nar, NarConfig(**SIZE, grid=4), next_token(Guidance("llamagen", 3.0, interval=6)), LLAMA)},
    "gigatok": {
        "plain": Case(GigaTokGpt, giga(), next_token(STEP), GIGA),
        "qk-norm": Case(GigaTokGpt, giga(qk_norm=True), next_token(STEP), (*GIGA, ("wqkv", 0.3))),
        "own": Case(GigaTokGpt, giga(adaptive="own"), next_token(STEP), GIGA),
        "shared": Case(GigaTokGpt, giga(adaptive="shared", plain=1), next_token(STEP), GIGA),
        "rope": Case(GigaTokGpt, giga(rope=True, tokens=124, codes=12), far, LLAMA),
    },
}


def world(model: Any) -> Arrays:
    """Codes behind two captions."""
    words = integers("words", 9, 2, 5)
    model.encode_conditions = lambda requests: words
    codes = integers("codes", 32, 2, 16)
    return {"logits": model.logits(words, codes), "guided": guided(model, codes, Guidance("llamagen", 3.0))}


WORLD = WorldARConfig(width=16, layers=2, heads=2, codes=32, side=4, text=5, vocabulary=9)
QUIET: Gains = ((r"(out|fall)\.(weight|bias)$", 0.03), (r"^(words|codes|near|rows|columns|start|word_places)", 0.1))
LOUD: Gains = (*QUIET, (r"rise\.weight", 2.0))
DECODERS["world-ar"] = {"": Case(WorldAR, WORLD, world, LOUD)}
DECODERS["world-ar2"] = {"": Case(WorldAR2, WORLD, world, LOUD)}
