"""Where images come from: folders, globs, archives, arrays, hub data sets, and the embedded sample."""

from __future__ import annotations

import zipfile
from pathlib import Path

from evalkit.errors import EvalkitError
from evalkit.images.sample import ImageSet, Pixels, Sample, Unreadable, content_digest

__all__ = ["ImageSet", "Pixels", "Sample", "Unreadable", "content_digest", "open_images"]

_KINDS = "a folder, a glob, a zip, an npz (arr_0, uint8 NHWC), s3://…, hf:owner/repo/config/split, vtbench, or sample"


def open_images(spec: str | Path) -> ImageSet:
    """The image set that `spec` names: a folder, a glob, a .zip, an .npz, an address of a store (`s3://bucket/photos`),
    `hf:owner/repo/config/split`, or `sample` (`sample/photos`, `sample/text-easy`, …); `vtbench` is all of VTBench's
    data, `vtbench/task3-movie-posters` a part; `tokbench:FOLDER` the annotated words of TokBench.

    Raises `EvalkitError` where nothing is there, or no image is in it.

    >>> len(open_images("sample/photos")) > 5
    True
    """
    try:
        found = _open(str(spec))
    except (OSError, ValueError) as error:  # a name that the system refuses, a folder that may not be entered
        if isinstance(error, EvalkitError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise EvalkitError(f"{str(spec)[:80]!r} cannot be opened ({reason}); give {_KINDS}") from None
    if len(found) == 0:
        left_out = "".join(f" ({each})" for each in found.remarks())
        raise EvalkitError(f"there are no images in {str(spec)!r}{left_out}; give {_KINDS}")
    return found


def _of_file(path: Path, spec: str) -> ImageSet:
    """An image, or an archive under another name, told by its bytes."""
    from evalkit.images import archive, folder

    if zipfile.is_zipfile(path):
        return archive.ZipSet(path)
    found = folder.FolderSet.of_file(path, spec)
    if not len(found):
        raise EvalkitError(f"{spec!r} is not a set of images; give {_KINDS}")
    return found


def _open(spec: str) -> ImageSet:
    from evalkit.images import archive, arrays, bundled, folder, hub, objects, tokbench, vtbench
    from evalkit.weights.object_stores import is_url, local

    if spec == "sample" or spec.startswith("sample/"):
        return bundled.SampleSet(spec.partition("/")[2] or None)
    if spec == "vtbench" or spec.startswith("vtbench/"):
        return vtbench.vtbench(spec)
    if spec.startswith("tokbench:"):
        return tokbench.tokbench(spec)
    if spec.startswith("hf:"):
        return hub.HubSet(spec)
    if is_url(spec) and not spec.lower().endswith((".zip", ".npz")):
        return objects.ObjectSet(spec)
    path = local(spec)
    if path.is_dir():
        return folder.FolderSet.of_folder(path)
    if path.is_file() and path.suffix.lower() == ".zip":
        return archive.ZipSet(path)
    if path.is_file() and path.suffix.lower() == ".npz":
        return arrays.NpzSet(path)
    if path.is_file():
        return _of_file(path, spec)
    if any(c in spec for c in "*?["):
        return folder.FolderSet.of_glob(str(path))
    state = "is not a set of images" if path.exists() else "is not there"
    raise EvalkitError(f"{spec!r} {state}; give {_KINDS}")
