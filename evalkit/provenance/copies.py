"""Copies of a run's images with C2PA manifests; each proves by itself that it belongs to the run's samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evalkit.errors import DAMAGED, EvalkitError
from evalkit.images.c2pa import CREATED, Manifest, read_manifest, sign_image
from evalkit.images.credential import Credential
from evalkit.images.decode import decode_image
from evalkit.jobs.progress import Progress
from evalkit.provenance.merkle import Proof, leaves, proofs, proven_root, root
from evalkit.runs.plain import read_plain
from evalkit.runs.store import Run, read_run
from evalkit.runs.store_objects import open_store

FOLDER = "signed"
SAMPLE = "io.evalkit.sample"  # the assertion's label


@dataclass(frozen=True)
class Belonging:
    """What a signed copy says of its place: `root` over the samples of its run that its proof leads to."""

    id: str
    model: str
    root: str
    index: int
    count: int


def sign_images(run: Run, credential: Credential, progress: Progress | None = None) -> int:
    """Write a signed copy of every generated image to signed/ and list them in the record; gives their number.

    Pixels, and the images in images/, stay as they are; copies that are there already are left alone. Each manifest
    says "created by a model", id, seed and model, and holds the Merkle proof of its row. Raises `EvalkitError` where the
    run generated nothing.
    """
    rows = [row for row in run.samples.to_pylist() if row.get("file")] if run.record["task"] == "generate" else []
    if not rows:
        raise EvalkitError(f"{run.path} holds no generated image; C2PA manifests are for runs of `evalkit generate`")
    found, told = leaves(run.samples), progress or Progress()
    top = root(found).hex()
    told.start("signed copies", len(rows))
    try:
        for row, digest, proof in zip(run.samples.to_pylist(), found, proofs(found), strict=True):
            target = run.path / FOLDER / Path(row["file"]).name if row["file"] else None
            if target is None:
                continue
            if not target.exists():
                said = {"label": SAMPLE, "data": _said(run, row, digest, proof, top)}
                sign_image(run.path / row["file"], target, credential, (CREATED,), assertions=[said])
            told.advance(1)
    finally:
        told.finish()
    open_store(run.path).cover(FOLDER, renew=True)
    return len(rows)


def belonging(manifest: Manifest) -> Belonging | None:
    """What the manifest says of the image's run, None where it says nothing; raises `EvalkitError` where it is broken."""
    stated = [each for each in (manifest.content or {}).get("assertions", []) if each.get("label") == SAMPLE]
    if not stated:
        return None
    try:
        said = stated[0]["data"]
        proof = Proof(int(said["index"]), int(said["count"]), tuple(bytes.fromhex(each) for each in said["path"]))
        top = proven_root(bytes.fromhex(said["leaf"]), proof).hex()
        found = Belonging(str(said["id"]), str(said["model"]), top, proof.index, proof.count)
    except DAMAGED:
        raise EvalkitError(f"the assertion {SAMPLE} is not as evalkit writes it") from None
    if top != said["samplesRoot"]:
        raise EvalkitError("the proof in the image does not lead to the root that it names")
    return found


def check_in_run(image: Path, folder: Path) -> str | None:
    """Why the signed copy `image` is not one of the run in `folder`, None where it is: its row and its pixels agree."""
    run, said = read_run(folder), belonging(read_manifest(image))
    if said is None:
        return "its manifest names no run"
    if said.root != root(leaves(run.samples)).hex():
        return "it belongs to other samples"
    row = run.samples.slice(said.index, 1).to_pylist()[0]
    if row["id"] != said.id or not row.get("file"):
        return f"row {said.index} of the run is {row['id']}, not {said.id}"
    copy, kept = (decode_image(read_plain(each)) for each in (image, run.path / row["file"]))
    same = np.array_equal(copy, kept)
    return None if same else f"its pixels are not those of {row['file']}"


def _said(run: Run, row: Mapping[str, Any], digest: bytes, proof: Proof, top: str) -> dict[str, Any]:
    model = run.record["model"]
    return {
        "id": row["id"],
        "seed": row["seed"],
        "model": model["name"],
        "weights": model["weights_sha256"],
        "samplesRoot": top,
        "leaf": digest.hex(),
        "index": proof.index,
        "count": proof.count,
        "path": [each.hex() for each in proof.path],
    }
