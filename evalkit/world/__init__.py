"""The reference world: procedural scenes with known truth, and the judge of images that should show them.

Its tokenizer `world-vq` and its generator `world-ar` are shipped with trained weights: nothing to download, no GPU.
"""

from __future__ import annotations

from evalkit.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Demand": "captions",
        "Detection": "detector",
        "Scene": "scene",
        "Seen": "detector",
        "Thing": "scene",
        "WorldPrompt": "prompts",
        "detect": "detector",
        "draw_scene": "scene",
        "verdict": "judge",
        "read_caption": "captions",
        "render_scene": "render",
        "world_prompts": "prompts",
    },
)
