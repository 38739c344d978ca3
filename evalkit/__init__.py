"""evalkit: evaluation and provenance for autoregressive image generators.

Everything public is imported when it is first used; `__init__.pyi` says the same to type checkers.
"""

from __future__ import annotations

import importlib
import os
import warnings
from typing import Any

from evalkit import moved as _moved
from evalkit.version import __version__

_moved.install()
if "EVALKIT_OFFLINE" in os.environ:  # before any client of the hub is imported: they read it once
    os.environ.setdefault("HF_HUB_OFFLINE", "1")

_PLACES = {
    "detect_watermark": "evalkit.watermark.detection:detect_watermark",
    "embed_watermark": "evalkit.watermark.embed:embed_watermark",
    "evaluate_tokenizer": "evalkit.tasks.tokenizer:evaluate_tokenizer",
    "generate_images": "evalkit.tasks.generate:generate_images",
    "list_models": "evalkit.tokenizers.cards:list_models",
    "load_encoder": "evalkit.encoders.registry:load_encoder",
    "load_generator": "evalkit.generators.registry:load_generator",
    "load_prompts": "evalkit.prompts.load:load_prompts",
    "load_tokenizer": "evalkit.tokenizers.registry:load_tokenizer",
    "make_leaderboard": "evalkit.leaderboard:make_leaderboard",
    "open_images": "evalkit.images:open_images",
    "probe": "evalkit.tasks.probe.run:probe",
    "query": "evalkit.runs.query:query_runs",
    "read_run": "evalkit.runs:read_run",
    "score": "evalkit.tasks.scoring:score",
    "verify_run": "evalkit.provenance.verify:verify_run",
}
_MOVED = {"load_protocol": "evalkit.protocols:load_protocol"}
__all__ = [
    "__version__",
    "detect_watermark",
    "embed_watermark",
    "evaluate_tokenizer",
    "generate_images",
    "list_models",
    "load_encoder",
    "load_generator",
    "load_prompts",
    "load_tokenizer",
    "make_leaderboard",
    "open_images",
    "probe",
    "query",
    "read_run",
    "score",
    "verify_run",
]


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name) or _MOVED.get(name)
    if place is None:
        raise AttributeError(f"module 'evalkit' has no attribute {name!r}")
    module, _, attribute = place.partition(":")
    if name in _MOVED:
        warnings.warn(f"evalkit.{name} is {module}.{attribute} from the next version on", FutureWarning, stacklevel=2)
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
