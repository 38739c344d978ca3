"""What the page draws besides the values: classes, spectra of both sets, and both sets on the reference's main axes."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import scipy.linalg

from evalkit.jsonio import pretty_json
from evalkit.metrics.per_class import frechet_per_class, intra_class_diversity
from evalkit.metrics.rows import Array, Rows, row_blocks
from evalkit.metrics.sets.bank import FeatureBank
from evalkit.metrics.sets.composition import FRECHET, HEADS, Side
from evalkit.metrics.transport import FewSamples, Gaussian
from evalkit.tasks.score.features import FOLDER, PROJECTION

FIGURES = f"{FOLDER}/figures.json"
Z = 1.959964  # of 95 %


def first_distance(names: Sequence[str], images: Side, reference: Side) -> tuple[str, Rows, Gaussian] | None:
    """The first Fréchet distance that can be had: its name, the images' features, and the reference; else None."""
    for name in names:
        rows = images.rows.get(HEADS.get(name, ""))
        if name not in FRECHET or rows is None or len(rows) < 2:
            continue
        gaussian = reference.statistics(HEADS[name], rows.shape[1])
        if gaussian is not None:
            return name, rows, gaussian
    return None


def projection(reference: Gaussian) -> tuple[Array, Array] | None:
    """Mean [d] and the two axes [2, d] along which the reference varies most; they are the same for every scored set."""
    if reference.dim < 2:
        return None
    if isinstance(reference, FewSamples):
        _, _, axes = scipy.linalg.svd(reference.centred, full_matrices=False, check_finite=False)
        axes = axes[:2]
    else:
        last = (reference.dim - 2, reference.dim - 1)
        spread = reference.covariance()
        axes = scipy.linalg.eigh(spread, subset_by_index=last, overwrite_a=True, check_finite=False)[1].T[::-1]
    if len(axes) < 2:
        return None
    largest = np.take_along_axis(axes, np.abs(axes).argmax(1)[:, None], 1)
    return reference.mean, np.asarray(axes * np.sign(largest))


def places(rows: Rows, mean: Array, axes: Array) -> Array:
    """Where the images [n] lie on the two axes, [n, 2]."""
    return np.concatenate([(block - mean) @ axes.T for block in row_blocks(rows, 512)])


def figures_file(
    names: Sequence[str],
    images: Side,
    reference: Side,
    spectra: Mapping[str, FeatureBank],
    found: tuple[Array, Array] | None,
) -> dict[str, bytes]:
    """statistics/figures.json with classes and mean spectra, and the projection as an npz file."""
    said: dict[str, Any] = {
        "spectra": {side: _spectrum(rows) for side, rows in spectra.items() if len(rows)},
        "classes": _classes(names, images, reference),
    }
    files = {FIGURES: pretty_json(said)}
    if found is not None:
        buffer = io.BytesIO()
        np.savez(buffer, mean=found[0], axes=found[1])
        files[f"{FOLDER}/{PROJECTION}.npz"] = buffer.getvalue()
    return files


def _spectrum(rows: Rows) -> dict[str, Any]:
    """Mean over images at each ring with its 95 % interval (normal over images)."""
    x = np.asarray(rows[:], np.float64)
    mean = x.mean(0)
    half = Z * x.std(0, ddof=1) / np.sqrt(len(x)) if len(x) > 1 else np.zeros_like(mean)
    return {"n": len(x), "mean": mean.tolist(), "low": (mean - half).tolist(), "high": (mean + half).tolist()}


def _classes(names: Sequence[str], images: Side, reference: Side) -> list[dict[str, Any]]:
    """One entry a class of the images, where all of them have one: numbers of images, distance and diversities."""
    first = first_distance(names, images, reference)
    if first is None or images.labels is None or len(set(np.asarray(images.labels).tolist())) < 2:
        return []
    metric, rows, _ = first
    own = intra_class_diversity(rows, images.labels)
    other = reference.rows.get(HEADS[metric])
    distances: Mapping[str, float] = {}
    theirs: Mapping[str, float] = {}
    counts: dict[str, int] = {}
    if other is not None and reference.labels is not None:
        distances = frechet_per_class(rows, images.labels, other, reference.labels).values
        theirs = intra_class_diversity(other, reference.labels).values
        counts = _counts(reference.labels)
    return [
        {
            "class": name,
            "n": n,
            "reference_n": counts.get(name, 0),
            "distance": distances.get(name),
            "diversity": own.values.get(name),
            "reference_diversity": theirs.get(name),
        }
        for name, n in _counts(images.labels).items()
    ]


def _counts(labels: Any) -> dict[str, int]:
    names, counts = np.unique(np.asarray(labels), return_counts=True)
    return dict(zip(map(str, names), counts.tolist(), strict=True))
