"""Training of erasers: EAR as released and as described, and baselines under one contract."""

from __future__ import annotations

from evalkit.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Settings": "settings",
        "Trained": "spec",
        "Training": "spec",
        "read_trained": "result",
        "train": "run",
    },
)
