"""Drift over rounds of editing: what each round is away from the image that its chain starts from, and the slope a round."""

from __future__ import annotations

from evalkit.metrics.metric import Direction, Metric, everywhere

# measure: label, unit, better, range
MEASURES: dict[str, tuple[str, str, Direction, tuple[float | None, float | None]]] = {
    "psnr": ("PSNR", "dB", "higher", (0.0, 100.0)),
    "ssim": ("SSIM", "", "higher", (-1.0, 1.0)),
    "warmth": ("warmth", "grey levels", "none", (-510.0, 510.0)),
    "detail": ("detail", "octaves", "none", (None, None)),
}
TASK = "probe-rounds"


def slope_of(measure: str) -> Metric:
    """The declaration of `drift_<measure>`: how much the measure changes from one round to the next."""
    label, unit, better, _ = MEASURES[measure]
    return Metric(
        f"drift_{measure}",
        f"Drift of {label}",
        f"change of {label} from one round of editing to the next, outside of what edits may change",
        better,
        level="sample",
        task=TASK,
        unit=f"{unit} a round".strip() if unit else "a round",
        source="evalkit.tasks.probe.rounds",
        under=everywhere,
        family="drift",
        shown=frozenset({"headline"}) if measure == "psnr" else frozenset(),
    )


def round_of(name: str, measure: str, number: str) -> Metric:
    """The declaration of `drift_<measure>/<round>`: the measure of one round against the chain's first image."""
    label, unit, better, (low, high) = MEASURES[measure]
    return Metric(
        name,
        f"{label[:1].upper()}{label[1:]}, round {number}",
        f"{label} of round {number} against the image that its chain starts from",
        better,
        level="sample",
        task=TASK,
        unit=unit,
        low=low,
        high=high,
        source="evalkit.tasks.probe.rounds",
        under=everywhere,
        family="drift",
        shown=frozenset(),
    )


DECLARED = tuple(slope_of(measure) for measure in MEASURES)
DECLARED_PATTERNS = {rf"drift_({'|'.join(MEASURES)})/(\d+)": round_of}
