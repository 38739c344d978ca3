"""evalkit: evaluation and provenance for autoregressive image generators."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from evalkit.version import __version__

if TYPE_CHECKING:
    from evalkit.generators.registry import load_generator
    from evalkit.images import open_images
    from evalkit.protocols import load_protocol
    from evalkit.tokenizers.cards import list_models
    from evalkit.tokenizers.registry import load_tokenizer
    from evalkit.watermark.detection import detect_watermark

_LAZY = {
    "load_tokenizer": "evalkit.tokenizers.registry",
    "load_generator": "evalkit.generators.registry",
    "list_models": "evalkit.tokenizers.cards",
    "open_images": "evalkit.images",
    "load_protocol": "evalkit.protocols",
    "evaluate_tokenizer": "evalkit.tasks.tokenizer",
    "detect_watermark": "evalkit.watermark.detection",
    "read_run": "evalkit.runs",
}
__all__ = [
    "__version__",
    "detect_watermark",
    "list_models",
    "load_generator",
    "load_protocol",
    "load_tokenizer",
    "open_images",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'evalkit' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
