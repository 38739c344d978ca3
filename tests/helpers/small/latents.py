"""Continuous latents: MAR, Hi-MAR and xAR."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from evalkit.generators.guidance import Guidance
from evalkit.generators.hi_mar import HiMar, HiMarConfig
from evalkit.generators.mar import Mar, MarConfig
from evalkit.generators.sampling import Sampler
from evalkit.generators.xar import Xar, XarConfig
from helpers.filled import Gains, normal
from helpers.small.case import Arrays, Case
from helpers.small.forced import CLASSES

HEAD: Gains = (
    (r"input_proj\.|mlp\.2\.|x_embedder|net\.pos_embed", 0.03),
    (r"time_embed\.mlp\.2|t_embedder\.mlp\.2", 30.0),
)
LATENT: Gains = (
    (r"blocks\.\d+\.(attn\.proj|mlp\.fc2)\.", 0.03),
    (r"^(z_proj|z_proj_ln|decoder_embed|cond_proj|cond_z_proj)\.", 0.03),
    ("^(mask_token|fake_latent)$", 0.03),
    (r"coder_pos_embed_learned$", 0.3),
    (r"^class_emb", 0.1),
    (r"coder_task_emb|adaLN_s", 3.0),
    (r"fc1(_g)?\.weight$", 2.0),
)


def latents(name: str) -> Callable[..., Tensor]:
    """Numbered noise [2, count, 4]."""
    calls = [0]

    def draw(count: int = 16) -> Tensor:
        calls[0] += 1
        return normal(f"{name}{calls[0]}", 2, count, 4)

    return draw


def orders(count: int) -> Tensor:
    """Two orders of `count` places."""
    return normal("orders", 2, count).argsort(1)


def mar(model: Any) -> Arrays:
    """What the head is told, and latents drawn in few iterations, guided, and in more than there are latents."""
    tokens = normal("latents", 2, 16, 4)
    masked = torch.zeros(2, 16).scatter(1, orders(16)[:, :9], 1.0)
    model.head_steps = "4,0"
    sampler = Sampler(Guidance("mar", 2.9), temperature=0.9, steps=3)
    drawn = model.draw_latents(CLASSES, sampler, orders(16), latents("noise"))
    model.head_steps = "2,1,0"
    return {
        "told": model.predict(CLASSES, tokens, masked),
        "null": model.predict(torch.tensor([5]), tokens[:1], masked[:1]),
        "drawn": drawn,
        "one by one": model.draw_latents(CLASSES, Sampler(steps=20), orders(16), latents("noise")),
    }


def hi_mar(model: Any) -> Arrays:
    """Pivots and the fine map under them, guided in both phases."""
    model.head_steps, model.global_steps = "4,0", "3,0"
    sampler = Sampler(Guidance("hi-mar", 2.5, start=2.7), temperature=0.9, steps=3)
    pivots, told = model.draw_pivots(CLASSES, sampler, orders(9), latents("pivots"))
    fine = model.draw_latents(CLASSES, told, sampler, orders(16), latents("fine"))
    return {"pivots": pivots, "told": told, "fine": fine}


def xar(model: Any) -> Arrays:
    """Encodings and velocities of all cells, and latents drawn in three steps."""
    times = torch.tensor([[0.0, 0.25, 0.5, 0.9]]).expand(2, 4)
    encoded, velocities = model.predict(CLASSES, normal("latents", 2, 16, 4), times)
    draw = latents("noise")
    drawn = model.draw_latents(CLASSES, Sampler(Guidance("xar", 2.7), steps=3), lambda: draw(4))
    return {"encoded": encoded, "velocities": velocities, "drawn": drawn}


LATENTS = {
    "mar": {
        "": Case(Mar, MarConfig(32, 2, 2, (2, 24), 2.9, side=4, channels=4, buffer=3, classes=5), mar, (*HEAD, *LATENT))
    },
    "hi-mar": {
        "": Case(
            HiMar,
            HiMarConfig(32, 2, 2, (2, 24), (2, 32, 2), (2.7, 2.5), 3, sides=(3, 4), channels=4, buffer=3, classes=5),
            hi_mar,
            (*HEAD, *LATENT),
        )
    },
    "xar": {
        "": Case(Xar, XarConfig(32, 2, 2, 2.7, 3, side=4, channels=4, classes=5), xar, (*LATENT, ("^class_emb", 10.0)))
    },
}
