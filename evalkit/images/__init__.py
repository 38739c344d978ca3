"""Where images come from: folders, globs, archives, arrays, hub data sets, and the embedded sample."""

from __future__ import annotations

from pathlib import Path

from evalkit.errors import EvalkitError
from evalkit.images.sample import ImageSet, Pixels, Sample, Unreadable

__all__ = ["ImageSet", "Pixels", "Sample", "Unreadable", "open_images"]

_KINDS = "a folder, a glob, a zip, an npz (arr_0, uint8 NHWC), hf:owner/repo/config/split, vtbench, or sample"


def open_images(spec: str | Path) -> ImageSet:
    """The image set that `spec` names: a folder, a glob, a .zip, an .npz, `hf:owner/repo/config/split`, or `sample`
    (`sample/photos`, `sample/text-easy`, …); `vtbench` is all of VTBench's data, `vtbench/task3-movie-posters` a part.

    Raises `EvalkitError` where nothing is there, or no image is in it.

    >>> len(open_images("sample/photos")) > 5
    True
    """
    found = _open(str(spec))
    if len(found) == 0:
        raise EvalkitError(f"there are no images in {str(spec)!r}; give {_KINDS}")
    return found


def _open(spec: str) -> ImageSet:
    from evalkit.images import archive, bundled, folder, hub, vtbench

    if spec == "sample" or spec.startswith("sample/"):
        return bundled.SampleSet(spec.partition("/")[2] or None)
    if spec == "vtbench" or spec.startswith("vtbench/"):
        return vtbench.vtbench(spec)
    if spec.startswith("hf:"):
        return hub.HubSet(spec)
    path = Path(spec).expanduser()
    if path.is_dir():
        return folder.FolderSet.of_folder(path)
    if path.is_file() and path.suffix.lower() == ".zip":
        return archive.ZipSet(path)
    if path.is_file() and path.suffix.lower() == ".npz":
        return archive.NpzSet(path)
    if path.is_file() and folder.is_image_name(path):
        return folder.FolderSet(path.parent, [path], spec=spec, name=path.stem)
    if any(c in spec for c in "*?["):
        return folder.FolderSet.of_glob(str(path))
    state = "is not a set of images" if path.exists() else "is not there"
    raise EvalkitError(f"{spec!r} {state}; give {_KINDS}")
