"""Distilled Decoding: all codes of VAR and LlamaGen in one or two passes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from evalkit.generators.distilled import Distilled, DistilledConfig, LlamaGenDistilled, VarDistilled
from evalkit.generators.llamagen import LlamaGenConfig
from evalkit.generators.var import VarConfig
from evalkit.tokenizers.nets.quantize import Codebook
from evalkit.tokenizers.nets.residual import ResidualCodebook
from helpers.filled import Gains, fill, normal
from helpers.small.case import Arrays, Case
from helpers.small.forced import CLASSES

GAINS: Gains = (
    (r"(proj|fc2)\.(weight|bias)$", 0.1),
    (r"(wo|w2)\.weight$", 0.3),
    ("^(pos_1LC|lvl_embed|n_d_embed)", 0.3),
    ("scale_mul_1H11$", 10.0),
    (r"scale_shift_table$", 2.0),
)


def with_codebook(model: Distilled) -> Distilled:
    """The model with the quantiser of a small tokenizer."""
    var = isinstance(model, VarDistilled)
    quantize = ResidualCodebook(14, 8) if var else Codebook(24, 4, l2=True)
    quantize.eval().requires_grad_(False)
    fill(quantize, prefix="quantize.")
    model._tokenizer = SimpleNamespace(network=SimpleNamespace(quantize=quantize))  # type: ignore[assignment]
    return model


def distilled(model: Any) -> Arrays:
    """Latents and logits with and without known places, two steps, and the tokenizer's features."""
    with_codebook(model)
    noise = normal("noise", 2, model.places, model.dim)
    latents, logits = model.predict(CLASSES, noise, 0)
    known, _ = model.predict(CLASSES, noise, 3)
    two = model.draw_latents(CLASSES, noise, 2)
    return {
        "latents": latents,
        "logits": logits,
        "known": known,
        "two": two,
        "features": model.features(two, model.tokenizer.network),
    }


SMALL_VAR = VarConfig(2, (1, 2, 3), head=8, codes=14, dim=8, classes=5)
SMALL_LLAMAGEN = LlamaGenConfig(2, 2, 32, 2.0, 24, 5, grid=4)
DISTILLED = {
    "dd": {
        "var": Case(VarDistilled, DistilledConfig(SMALL_VAR, 5, 5), distilled, GAINS),
        "llamagen": Case(LlamaGenDistilled, DistilledConfig(SMALL_LLAMAGEN, 9, 6, 4), distilled, GAINS),
    }
}
