"""What is said of the making of images: how many were made, how fast, and what an acceleration gained."""

from __future__ import annotations

from functools import partial

from evalkit.metrics.metric import Metric, everywhere

_declared = partial(
    Metric,
    level="set",
    task="generate",
    source="evalkit.tasks.generate",
    low=0.0,
    under=everywhere,
    shown=frozenset(),
)
IMAGES_MADE = _declared("images_made", "Images made", "images that were made", "none")
IMAGES_FAILED = _declared("images_failed", "Images failed", "images that could not be made", "none")
SECONDS = _declared("seconds", "Seconds per image", "seconds per image", "lower", unit="s", level="sample")
EVALUATIONS = _declared("evaluations", "Evaluations", "evaluations of the network per image", "lower", level="sample")
SPEED_UP = _declared("speed_up", "Speed-up", "speed beside the undisturbed model", "higher")
STEP_COMPRESSION = _declared(
    "step_compression", "Step compression", "codes for each evaluation of the model", "higher", unit="codes a pass"
)
ACCEPTANCE_LENGTH = _declared(
    "acceptance_length", "Acceptance length", "drafted codes that are kept per round", "higher", unit="codes a round"
)
ACCEPTANCE_RATE = _declared(
    "acceptance_rate", "Acceptance rate", "share of drafted codes that are kept", "higher", high=1.0
)
PEAK_MEMORY = _declared("peak_memory_bytes", "Peak memory", "peak memory", "lower", unit="byte")
KV_KEYS = _declared("kv_keys", "Keys kept", "keys and values that the cache holds", "lower")
GAINED = (SPEED_UP, STEP_COMPRESSION, ACCEPTANCE_RATE, PEAK_MEMORY, KV_KEYS)  # by an acceleration
DECLARED = (IMAGES_MADE, IMAGES_FAILED, SECONDS, EVALUATIONS, *GAINED[:2], ACCEPTANCE_LENGTH, *GAINED[2:])
