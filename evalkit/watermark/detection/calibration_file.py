"""Calibrations as files: npz or JSON, equal calibrations in equal bytes."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evalkit.errors import DAMAGED, EvalkitError
from evalkit.jsonio import canonical_json, parse_json, pretty_json
from evalkit.metrics.npz import arrays_of
from evalkit.runs.durable import write_bytes
from evalkit.runs.plain import open_plain, read_plain
from evalkit.watermark.detection.calibration import HINT, Calibration
from evalkit.weights.object_stores import url_of

FORMAT = 1
SUFFIXES = (".npz", ".json")
_ARRAYS: Sequence[str] = ("statistic", "effect", "frequencies")


def check_name(path: str | Path) -> None:
    """Raise `EvalkitError` unless the name ends as a calibration's does."""
    if Path(path).suffix not in SUFFIXES:
        raise EvalkitError(f"{path}: a calibration is an .npz or a .json file; give such a name")
    if url_of(Path(path)) is not None:
        raise EvalkitError(
            f"{url_of(Path(path))} lies in an object store, and a calibration is a file. Give a path here"
        )


def calibration_bytes(calibration: Calibration, suffix: str = ".npz") -> bytes:
    """The content of a file with this suffix."""
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
    if suffix == ".json":
        return pretty_json({**said, **{name: values.tolist() for name, values in arrays.items()}})
    buffer = io.BytesIO()
    np.savez(buffer, said=np.frombuffer(canonical_json(said), np.uint8), **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def write_calibration(path: str | Path, calibration: Calibration) -> None:
    """Write to `path`: npz, or JSON where the name ends in .json; raises `EvalkitError` for other names."""
    check_name(path)
    target = Path(path)
    try:
        write_bytes(target, calibration_bytes(calibration, target.suffix))
    except OSError as error:
        raise EvalkitError(f"{target} cannot be written ({error.strerror}); give a file in a folder of yours") from None


def calibration_digest(path: str | Path) -> str:
    """sha256 of the file; raises `EvalkitError` where it cannot be read."""
    try:
        return hashlib.sha256(read_plain(Path(path).expanduser())).hexdigest()
    except OSError as error:
        raise EvalkitError(f"{path} cannot be read ({error.strerror or error}); {HINT}") from None


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
    except DAMAGED:
        raise EvalkitError(f"{file} is no calibration; {HINT}") from None
    return calibration


def _read(file: Path) -> dict[str, Any]:
    if file.suffix == ".json":
        found: dict[str, Any] = parse_json(read_plain(file), str(file))
        return found
    open_plain(file).close()  # a file that is not there, or may not be read, is said as such
    try:
        arrays = arrays_of(file, HINT)
    except EvalkitError:
        raise ValueError from None
    return {**parse_json(arrays["said"].tobytes(), str(file)), **{name: arrays[name] for name in _ARRAYS}}
