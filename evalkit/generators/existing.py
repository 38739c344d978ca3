"""`folder:PATH`: images that exist already take the place of a generator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.generators.base import Request
from evalkit.generators.external import ExternalGenerator, RequestFailed
from evalkit.generators.registry import Entry, Source
from evalkit.images.listing import list_folder


class FolderGenerator(ExternalGenerator):
    """Finds the image of prompt P, sample K as P-KK.*, P_K.*, P/K.* or P/samples/KKKK.* (GenEval); sample 0 also as P.*"""

    tries = 1
    deterministic = True
    device = "none"

    def __init__(self, name: str, folder: str) -> None:
        self.name, self.root = name, Path(folder).expanduser()
        if not self.root.is_dir():
            raise EvalkitError(f"folder:{folder} is no folder; give --model folder:PATH with the images in it")
        self.files: dict[str, list[Path]] = {}
        for name in sorted(list_folder(self.root).images):
            self.files.setdefault(Path(name).with_suffix("").as_posix(), []).append(self.root / name)
        if not self.files:
            raise EvalkitError(f"folder:{folder} holds no image")

    @classmethod
    def load(cls, source: Source) -> FolderGenerator:
        """The runner of the folder that the name holds."""
        return cls(source.name, source.config)

    def ask(self, request: Request) -> tuple[bytes, dict[str, Any]]:
        """The file's bytes."""
        prompt, _, number = request.id.rpartition("-")
        k = int(number)
        names = [request.id, f"{prompt}_{k}", f"{prompt}/{k}", f"{prompt}/{k:04d}", f"{prompt}/samples/{k:04d}"]
        names += [prompt] if k == 0 else []
        several = next((self.files[name] for name in names if name in self.files), None)
        if several is None:
            wanted = ", ".join(f"{name}.*" for name in names)
            raise RequestFailed(f"{self.root.name} has no image for {request.id}; looked for {wanted}", final=True)
        found, *others = several
        if others:
            raise RequestFailed(f"{found.name} and {others[0].name} are both of {request.id}; keep one", final=True)
        return found.read_bytes(), {"source": found.relative_to(self.root).as_posix()}


def entry(name: str, folder: str) -> Entry:
    """The entry of `folder:FOLDER`."""
    return Entry(name, FolderGenerator, folder, None, None)
