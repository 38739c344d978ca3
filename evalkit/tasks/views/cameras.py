"""The file of cameras: JSON lines with `id`, `intrinsics` and `pose` of each view."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from evalkit.errors import EvalkitError
from evalkit.jsonio import read_json_lines
from evalkit.metrics.tsed import Array, Camera

FIELDS = "id, intrinsics (3 x 3, in pixels) and pose (3 x 4 or 4 x 4, world to camera)"


def read_cameras(path: Path) -> dict[str, Camera]:
    """Cameras by id of the view; raises `EvalkitError` where a line is wrong, or a view has two."""
    if not path.is_file():
        raise EvalkitError(f"{path} is not there. Give JSON lines with {FIELDS}")
    found: dict[str, Camera] = {}
    for number, row in read_json_lines(path):
        id = row.get("id") if isinstance(row, dict) else None
        camera = _camera(row) if isinstance(id, str) else None
        if not isinstance(id, str) or camera is None:
            raise EvalkitError(f"line {number} of {path} is no camera. Give {FIELDS}")
        if id in found:
            raise EvalkitError(f"{path} holds {id} twice. Give one line a view")
        found[id] = camera
    return found


def camera_of(cameras: Mapping[str, Camera], id: str) -> Camera | None:
    """The camera of a view, by its id or by its id without ending."""
    return cameras.get(id, cameras.get(str(PurePosixPath(id).with_suffix(""))))


def _camera(row: Mapping[str, Any]) -> Camera | None:
    intrinsics, pose = (_matrix(row.get(name)) for name in ("intrinsics", "pose"))
    if intrinsics is None or pose is None or intrinsics.shape != (3, 3) or pose.shape not in ((3, 4), (4, 4)):
        return None
    turn = pose[:3, :3]
    whole = abs(np.linalg.det(intrinsics)) > 0 and np.allclose(turn @ turn.T, np.eye(3), atol=1e-3)
    return Camera(intrinsics, pose[:3]) if whole else None


def _matrix(value: object) -> Array | None:
    try:
        found = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        return None
    return found if found.ndim == 2 and np.isfinite(found).all() else None
