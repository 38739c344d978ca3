"""What is said of the making of images: how many were made, how fast, and what an acceleration gained."""

from __future__ import annotations

from evalkit.metrics.metric import Direction, Level, Metric, everywhere


def _declared(
    name: str, label: str, title: str, unit: str, better: Direction, *, level: Level = "set", high: float | None = None
) -> Metric:
    return Metric(
        name=name,
        label=label,
        title=title,
        unit=unit,
        better=better,
        low=0.0,
        high=high,
        source="evalkit.tasks.generate",
        level=level,
        task="generate",
        under=everywhere,
        shown=frozenset(),
    )


IMAGES_MADE = _declared("images_made", "Images made", "images that were made", "", "none")
IMAGES_FAILED = _declared("images_failed", "Images failed", "images that could not be made", "", "none")
SECONDS = _declared("seconds", "Seconds per image", "seconds per image", "s", "lower", level="sample")
EVALUATIONS = _declared(
    "evaluations", "Evaluations", "evaluations of the network per image", "", "lower", level="sample"
)
SPEED_UP = _declared("speed_up", "Speed-up", "speed beside the undisturbed model", "", "higher")
STEP_COMPRESSION = _declared(
    "step_compression", "Step compression", "codes for each evaluation of the model", "codes a pass", "higher"
)
ACCEPTANCE_LENGTH = _declared(
    "acceptance_length", "Acceptance length", "drafted codes that are kept per round", "codes a round", "higher"
)
ACCEPTANCE_RATE = _declared(
    "acceptance_rate", "Acceptance rate", "share of drafted codes that are kept", "", "higher", high=1.0
)
PEAK_MEMORY = _declared("peak_memory_bytes", "Peak memory", "peak memory", "byte", "lower")
KV_KEYS = _declared("kv_keys", "Keys kept", "keys and values that the cache holds", "", "lower")
GAINED = (SPEED_UP, STEP_COMPRESSION, ACCEPTANCE_RATE, PEAK_MEMORY, KV_KEYS)  # by an acceleration
DECLARED = (IMAGES_MADE, IMAGES_FAILED, SECONDS, EVALUATIONS, *GAINED[:2], ACCEPTANCE_LENGTH, *GAINED[2:])
