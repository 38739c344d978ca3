"""The embedded sample set: photographs, textures and rendered texts under free licences (sample/SOURCES.md)."""

from __future__ import annotations

from importlib.resources import files as package_files
from pathlib import Path

from evalkit.errors import EvalkitError
from evalkit.images.folder import FolderSet
from evalkit.images.kinds import kind_of_name
from evalkit.images.listing import Listing
from evalkit.images.metadata import read_rows

METADATA = "metadata.jsonl"


class SampleSet(FolderSet):
    """About thirty images that ship with the package; `subset` keeps one of its parts."""

    def __init__(self, subset: str | None = None) -> None:
        root = Path(str(package_files("evalkit.images") / "sample"))
        rows = read_rows([METADATA], lambda name: (root / name).read_bytes(), str(root))
        subsets = sorted({str(row["subset"]) for row in rows.values()})
        if subset is not None and subset not in subsets:
            raise EvalkitError(f"the sample set has no part {subset!r}; it has {', '.join(subsets)}")
        names = [name for name, row in rows.items() if subset in (None, row["subset"])]
        listing = Listing(images=[name for name in names if kind_of_name(name)], metadata=[METADATA])
        name = "sample" if subset is None else f"sample/{subset}"
        super().__init__(root, listing, spec=name, name=name)
