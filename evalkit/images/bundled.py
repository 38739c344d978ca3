"""The embedded sample set: photographs, textures and rendered texts under free licences (sample/SOURCES.md)."""

from __future__ import annotations

from importlib.resources import files as package_files
from pathlib import Path

from evalkit.errors import EvalkitError
from evalkit.images.folder import FolderSet, is_image_name, read_metadata


class SampleSet(FolderSet):
    """About thirty images that ship with the package; `subset` keeps one of its parts."""

    def __init__(self, subset: str | None = None) -> None:
        root = Path(str(package_files("evalkit.images") / "sample"))
        meta = read_metadata(root)
        subsets = sorted({str(row["subset"]) for row in meta.values()})
        if subset is not None and subset not in subsets:
            raise EvalkitError(f"the sample set has no part {subset!r}; it has {', '.join(subsets)}")
        names = [name for name, row in meta.items() if subset in (None, row["subset"])]
        files = [root / name for name in names if is_image_name(name)]
        name = "sample" if subset is None else f"sample/{subset}"
        super().__init__(root, files, spec=name, name=name)

    def fingerprint(self, index: int) -> str:
        """Size of the file: times differ between installations, images do not."""
        return str(self.file(index).stat().st_size)
