"""One scale of codes after another: VAR, FlexVAR and Infinity."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch

from evalkit.generators.flexvar import FlexVar, FlexVarConfig
from evalkit.generators.guidance import Guidance
from evalkit.generators.infinity import Infinity, InfinityConfig
from evalkit.generators.nets.caption import TextFeatures
from evalkit.generators.var import Var, VarConfig
from evalkit.tokenizers.nets.quantize import Codebook
from evalkit.tokenizers.nets.residual import ResidualCodebook
from helpers.filled import Gains, fill, integers, normal
from helpers.small.case import Arrays, Case
from helpers.small.forced import CLASSES, guided

SCALES = (1, 2, 3)
STREAM: Gains = ((r"(proj|fc2)\.(weight|bias)$", 0.03), ("^word_embed", 0.05), (r"fc1\.weight$", 2.0))
VAR: Gains = (
    *STREAM,
    ("^class_emb", 4.0),
    ("^pos_1LC$", 0.3),
    ("^lvl_embed", 0.1),
    ("scale_mul_1H11$", 10.0),
    ("ada_gss$", 2.0),
)


def next_scale(name: str, codebook: Callable[[], Codebook]) -> Callable[[Any], Arrays]:
    """Teacher-forced logits and those of the guided loop, whose second half knows no class."""

    def run(model: Any) -> Arrays:
        model.use_scales(SCALES)
        quantize = codebook().eval().requires_grad_(False)
        fill(quantize, prefix="quantize.")
        model._tokenizer = SimpleNamespace(network=SimpleNamespace(quantize=quantize))
        codes = integers("codes", model.config.codes, 2, model.tokens_per_image)
        return {"logits": model.logits(CLASSES, codes), "guided": guided(model, codes, Guidance(name, 2.0))}  # type: ignore[arg-type]

    return run


def small_var(**options: Any) -> VarConfig:
    return VarConfig(2, SCALES, head=8, codes=14, dim=8, classes=5, **options)


PROMPT: Gains = (
    *VAR,
    ("^cfg_uncond$", 4.0),
    ("mat_q$", 8.0),
    ("text_proj_for_ca.0.weight", 2.0),
    ("^text_proj_for_sos.ca.proj", 30.0),
)
BIT_SCALES = ((1, 1), (2, 2), (3, 2), (4, 3))


def bit_by_bit(model: Any) -> Arrays:
    """Logits of bits under texts of two lengths, guided behind the head and inside the network."""
    model._use(BIT_SCALES, (16, 16))
    words = 1e-3 * normal("words", 2, 6, 256)
    text = TextFeatures(words, torch.arange(6) < torch.tensor([[2], [6]]))
    model.encode_conditions = lambda requests: text.packed()
    bits = integers("bits", 2, 2, model.tokens_per_image, model.config.bits)
    arrays = {"logits": model.logits(text, bits)}
    arrays["guided"] = guided(model, bits, Guidance("constant", 3.0))
    model.cfg_insertion_layer = -1
    inside = guided(model, bits, Guidance("constant", 3.0))
    return {**arrays, "inside": inside}


def infinity(depth: int, bits: int, patch: int) -> InfinityConfig:
    return InfinityConfig(depth, 32, 2, chunks=2, bits=bits, patch=patch, grid=(16, 16), features=256, text_tokens=6)


SCALED = {
    "var": {
        "own": Case(Var, small_var(), next_scale("var", lambda: ResidualCodebook(14, 8)), VAR),
        "shared": Case(Var, small_var(shared=True), next_scale("var", lambda: ResidualCodebook(14, 8)), VAR),
        "plain": Case(Var, small_var(unit=False), next_scale("var", lambda: ResidualCodebook(14, 8)), VAR),
    },
    "flexvar": {
        "": Case(
            FlexVar,
            FlexVarConfig(2, head=8, codes=24, dim=8, classes=5, table=8),
            next_scale("flexvar", lambda: Codebook(24, 8, l2=True)),
            (*VAR, ("^pos_1LC$", 4.0)),
        )
    },
    "infinity": {
        "plain": Case(Infinity, infinity(2, 4, 1), bit_by_bit, PROMPT),
        "patched": Case(Infinity, infinity(2, 4, 2), bit_by_bit, PROMPT),
    },
}
