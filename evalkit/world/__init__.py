"""The reference world: procedural scenes with known truth, and the judge of images that should show them.

Its tokenizer `world-vq` and its generator `world-ar` are shipped with trained weights: nothing to download, no GPU.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
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
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has: {', '.join(__all__)}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
