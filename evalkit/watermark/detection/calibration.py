"""Calibrated p-values: how large the statistic is in images that are known not to be marked, with the same key.

The exact p speaks of a random key and holds for any image. One key meets many images, whose codes are not uniform:
its rate of false positives may lie above or below. Conformal p-values (1 + #{null >= s}) / (n + 1) hold for this key and
for images like the null ones (exchangeable with them); none is below 1 / (n + 1).
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError
from evalkit.jsonio import canonical_json, parse_json, pretty_json
from evalkit.runs.store import write_bytes
from evalkit.tokenizers.base import Tokenizer
from evalkit.watermark.detection.views import View
from evalkit.watermark.identity import preparation_id, tokenizer_identity
from evalkit.watermark.mark import Mark

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Strata = Literal["flatness", "none"]
FORMAT = 1
EDGES = (1.5, 3.0, 8.0)  # design effects: textured images repeat few codes, flat ones many
LEAST = 200  # null images of a stratum; smaller ones are joined with their neighbour
HINT = "make one with `evalkit watermark calibrate NULL_FOLDER --key K --tokenizer T --out cal.npz`"


@dataclass(frozen=True)
class Calibration:
    """Statistics of null images, and what they were made with.

    `statistic` [n]: -log10 of p times the number of tests, not clipped; `effect` [n]: design effect of each image's
    codes. `edges`: design effects that part the strata. `frequencies` [V]: how often each code occurs. `conditions`: mark,
    tokenizer, preparation and search; a detector must have the same. `mark` is None where only the histogram was wanted.
    """

    statistic: Floats
    effect: Floats
    edges: tuple[float, ...]
    frequencies: Ints
    conditions: Mapping[str, Any]
    suspicious: int = 0  # null images that look marked

    def strata(self, effect: Floats) -> Ints:
        """The stratum of images by the design effect of their codes, 0 for the most textured."""
        return np.searchsorted(np.asarray(self.edges), effect, side="right").astype(np.int64)

    def p_values(self, statistic: Floats, effect: Floats) -> tuple[Floats, Ints, Ints]:
        """(conformal p, stratum, null images in it) of images [m]."""
        mine, theirs = self.strata(effect), self.strata(self.effect)
        p, n = np.ones(len(mine)), np.zeros(len(mine), dtype=np.int64)
        for stratum in np.unique(mine):
            null = np.sort(self.statistic[theirs == stratum])
            here = mine == stratum
            above = len(null) - np.searchsorted(null, statistic[here] - 1e-9, side="left")  # ties count
            p[here], n[here] = (1 + above) / (len(null) + 1), len(null)
        return p, mine, n

    def check(self, conditions: Mapping[str, Any], path: str) -> None:
        """Raise `EvalkitError` unless a detector with these conditions may use this calibration."""
        if self.conditions.get("mark") is None:
            raise EvalkitError(f"{path} holds the histogram of codes only, made without a key; {HINT}")
        for name, words in CONDITIONS.items():
            then, now = (json.loads(canonical_json(each.get(name))) for each in (self.conditions, conditions))
            if then != now:
                raise EvalkitError(f"{path} was made with another {words} ({_difference(then, now)}); {HINT}")


CONDITIONS = {
    "tokenizer": "tokenizer",
    "preparation": "preparation of images",
    "mark": "mark or key",
    "search": "search (--search)",
}


def strata_edges(effect: Floats, strata: Strata = "flatness", least: int = LEAST) -> tuple[float, ...]:
    """Edges between strata of at least `least` null images each, decided by the null images alone.

    >>> strata_edges(np.array([1.0] * 300 + [5.0] * 300))
    (1.5,)
    """
    edges: list[float] = []
    left = 0.0
    for edge in EDGES if strata == "flatness" else ():
        if np.sum((effect >= left) & (effect < edge)) >= least:
            edges.append(edge)
            left = edge
    while edges and np.sum(effect >= edges[-1]) < least:
        edges.pop()
    return tuple(edges)


def write_calibration(path: str | Path, calibration: Calibration) -> None:
    """Write to `path`: npz, or JSON where the name ends in .json; equal calibrations give equal bytes."""
    target = Path(path)
    said = {
        "format": FORMAT,
        "edges": list(calibration.edges),
        "conditions": dict(calibration.conditions),
        "suspicious": calibration.suspicious,
    }
    arrays = {
        "statistic": calibration.statistic.astype(np.float64),
        "effect": calibration.effect.astype(np.float64),
        "frequencies": calibration.frequencies.astype(np.int64),
    }
    if target.suffix == ".json":
        data = pretty_json({**said, **{name: values.tolist() for name, values in arrays.items()}})
    elif target.suffix == ".npz":
        buffer = io.BytesIO()
        np.savez(buffer, said=np.frombuffer(canonical_json(said), np.uint8), **arrays)  # type: ignore[arg-type]
        data = buffer.getvalue()
    else:
        raise EvalkitError(f"{target}: a calibration is an .npz or a .json file; give such a name")
    try:
        write_bytes(target, data)
    except OSError as error:
        raise EvalkitError(f"{target} cannot be written ({error.strerror}); give a file in a folder of yours") from None


def read_calibration(path: str | Path) -> Calibration:
    """The calibration at `path`; raises `EvalkitError` where it is none."""
    file = Path(path).expanduser()
    try:
        said = _read(file)
        if said["format"] != FORMAT:
            raise EvalkitError(
                f"{file} has format {said['format']}; this evalkit reads format {FORMAT}. Update evalkit"
            )
        calibration = Calibration(
            np.asarray(said["statistic"], np.float64),
            np.asarray(said["effect"], np.float64),
            tuple(float(edge) for edge in said["edges"]),
            np.asarray(said["frequencies"], np.int64),
            dict(said["conditions"]),
            int(said["suspicious"]),
        )
        if calibration.statistic.shape != calibration.effect.shape or calibration.frequencies.ndim != 1:
            raise ValueError
    except OSError as error:
        raise EvalkitError(f"{file} cannot be read ({error.strerror or error}); {HINT}") from None
    except (ValueError, KeyError, TypeError, EOFError):
        raise EvalkitError(f"{file} is no calibration; {HINT}") from None
    return calibration


def _read(file: Path) -> dict[str, Any]:
    if file.suffix == ".json":
        found: dict[str, Any] = parse_json(file.read_bytes(), str(file))
        return found
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return {**parse_json(arrays["said"].tobytes(), str(file)), **{name: arrays[name] for name in _ARRAYS}}
    except Exception as error:  # zipfile and numpy raise many kinds for damaged files
        if isinstance(error, OSError) and error.errno:
            raise
        raise ValueError from None


_ARRAYS: Sequence[str] = ("statistic", "effect", "frequencies")


def _difference(then: Any, now: Any) -> str:
    if isinstance(then, dict) and isinstance(now, dict):
        parts = [
            f"{k} {then.get(k)}, the detector has {now.get(k)}" for k in {**then, **now} if then.get(k) != now.get(k)
        ]
        return _short("; ".join(parts))
    return f"{_short(then)}; the detector has {_short(now)}"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 160 else text[:157] + "…"


def conditions_of(mark: Mark | None, tokenizer: Tokenizer, views: Sequence[View]) -> dict[str, Any]:
    """What a calibration and the detector that uses it must have in common; of a key its id alone."""
    return {
        "mark": None if mark is None else mark.as_dict(),
        "tokenizer": tokenizer_identity(tokenizer),
        "preparation": preparation_id(tokenizer),
        "search": [view.name for view in views],
    }
