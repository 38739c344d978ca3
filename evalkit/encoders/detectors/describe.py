"""What is known of a detector before a worker loads it."""

from __future__ import annotations

from pathlib import Path

from evalkit.encoders.detectors.base import DESCRIPTIONS, Described
from evalkit.encoders.registry import ENCODERS, encoder_entry, load_detector


def describe_detector(name: str, weights: str | Path | None = None) -> Described:
    """What is known of the detector called `name`; one without a description is loaded to find out.

    Raises `EvalkitError` for an unknown name and `WeightsError` where its weights cannot be had.
    """
    encoder_entry(name, "boxes")
    describe = DESCRIPTIONS.get(ENCODERS.canonical(name))
    if describe is not None:
        return describe(weights)
    made = load_detector(name, weights, "cpu")
    return Described(made.weights_sha256, made.sees_colors)
