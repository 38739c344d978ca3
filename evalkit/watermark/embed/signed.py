"""C2PA manifests for marked images: signed copies beside them, since a watermark comes first and a signature last."""

from __future__ import annotations

from pathlib import Path

from evalkit.images.c2pa import CREATED, OPENED, WATERMARKED, read_manifest, sign_image
from evalkit.images.credential import Credential
from evalkit.images.folder import FolderSet
from evalkit.images.sample import ImageSet
from evalkit.runs.store import Run
from evalkit.runs.store_objects import open_store
from evalkit.watermark.methods import read_mark

FOLDER = "signed"
ENHANCED = "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicallyEnhanced"
SOFT_BINDING = "io.evalkit.lbw.1"  # in no public list of algorithms


def sign_run(
    run: Run, credential: Credential, *, made_by_model: bool = False, originals: ImageSet | None = None
) -> Path:
    """Write a signed copy of every image of a marked run to signed/; copies that are there are left alone.

    The manifest says created by a model (or, for images marked afterwards, enhanced by an algorithm) and watermarked,
    with a soft binding that names method and key id: a hint that a mark is there, which carries no reference of its own.
    `made_by_model`: the caller states that a model made the images that were marked afterwards. `originals`: these images;
    a manifest that one of them holds is kept, as that of an ingredient.
    """
    found = read_mark(run.path)
    generated = made_by_model or found.embedding.get("how") == "in generation"
    parents = _with_manifests(originals)
    created = CREATED if generated else {"action": "c2pa.created", "digitalSourceType": ENHANCED}
    value = f"{found.spec.method}*{found.key_id}"
    binding = {"alg": SOFT_BINDING, "blocks": [{"scope": {}, "value": value}]}
    for row in run.samples.to_pylist():
        if row["error"] is not None or not row["file"]:
            continue
        source = run.path / row["file"]
        target = run.path / FOLDER / Path(row["file"]).relative_to("images")
        if not target.exists():
            sign_image(
                source,
                target,
                credential,
                (OPENED if row["id"] in parents else created, WATERMARKED),
                assertions=[{"label": "c2pa.soft-binding", "data": binding}],
                parent=parents.get(row["id"]),
            )
    open_store(run.path).cover(FOLDER, renew=True)
    return run.path / FOLDER


def _with_manifests(images: ImageSet | None) -> dict[str, Path]:
    """The files by id whose manifests hold; a broken one proves nothing, and is not carried on."""
    if not isinstance(images, FolderSet):
        return {}
    files = {id: images.file(number) for number, id in enumerate(images.ids())}
    return {id: file for id, file in files.items() if file.is_file() and read_manifest(file).state == "valid"}
