"""The images that are looked at, as plain data: a reference with their digest, and the set behind it, opened by a worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from evalkit.errors import EvalkitError
from evalkit.images import content_digest, open_images
from evalkit.images.sample import ImageSet
from evalkit.jobs.data import data_ref
from evalkit.jobs.live import held, hold, is_live
from evalkit.jobs.spec import DataRef, Spec


@dataclass(frozen=True)
class Looked:
    """An image set while a run is planned: its reference, the set, and `about`, what only the record says of it."""

    ref: DataRef
    images: ImageSet
    about: dict[str, Any]


def looked_at(data: str | Path | ImageSet, limit: int | None) -> Looked:
    """The first `limit` images of `data` (all where it is None); raises `EvalkitError` where there are none."""
    images = data if isinstance(data, ImageSet) else open_images(data)
    n = len(images) if limit is None else min(limit, len(images))
    if not n:
        raise EvalkitError("there is nothing to look at: the image set is empty. Give a set that holds images")
    source = hold(images) if isinstance(data, ImageSet) else str(data)
    about = {"spec": images.spec, "record": images.as_record(), "remarks": images.remarks()}
    return Looked(data_ref(images, n, source), images, about)


def opened_images(ref: DataRef) -> tuple[ImageSet, Sequence[str]]:
    """(the set behind a reference, the state of each source); raises `EvalkitError` where they are others now."""
    if ref.source is None:
        raise EvalkitError(f"nothing says where the images {ref.name} lie. Give the run's own images")
    if is_live(ref.source):
        images: ImageSet = held(ref.source)
        return images, images.fingerprints(ref.n)
    images = open_images(ref.source)
    states = images.fingerprints(min(ref.n, len(images)))
    if content_digest(zip(images.ids(), states, strict=False)) != ref.digest:
        raise EvalkitError(f"the images {ref.source} have changed since the run was planned. Give a fresh --out")
    return images, states


def data_said(spec: Spec, rows: pa.Table, *, unreadable: int, duplicates: int) -> dict[str, Any]:
    """What the record says of the data; `rows` have id and sha256, so its digest is of what was really read."""
    data, told = spec.inputs["data"], spec.here.get("data", {})
    return {
        "spec": told.get("spec"),
        "name": data.name,
        "n": data.n,
        "digest": content_digest(zip(rows["id"].to_pylist(), rows["sha256"].to_pylist(), strict=True)),
        **told.get("record", {}),
        "unreadable": unreadable,
        "duplicates": duplicates,
    }
