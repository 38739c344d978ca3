"""TokBench's data: folders of images, with the boxes, texts and ratios of their words in files of annotations.

Layout as in its repository (wjf5203/TokBench a77070c, eval.sh): annotations/text_SET.json with images/text_data/SET, and
annotations/face_meta.json with images/face_data. A folder of one's own states the same in metadata.jsonl: lists `words` of
objects with `text`, `box` (left, top, right, bottom in pixels) and perhaps `ratio`, and `faces` with `kps` (five landmarks)
and `ratio`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evalkit.errors import DAMAGED, EvalkitError
from evalkit.images.folder import FolderSet
from evalkit.images.joined import JoinedSet
from evalkit.images.listing import list_folder
from evalkit.images.sample import ImageSet
from evalkit.jsonio import parse_json

SETS = ("ic13", "ic15", "tt", "textocr", "cord", "sroie", "infograph", "docvqa")


class AnnotatedSet(FolderSet):
    """A folder whose images have annotations by file name: `words` or `faces`, as `key` says."""

    def __init__(self, root: Path, said: Mapping[str, list[dict[str, Any]]], key: str, *, spec: str, name: str) -> None:
        self._said, self._key = said, key
        super().__init__(root, list_folder(root), spec=spec, name=name)

    def _meta_of(self, id: str) -> Mapping[str, Any]:
        return {**super()._meta_of(id), self._key: self._said.get(id, [])}


def tokbench(spec: str) -> ImageSet:
    """`tokbench:FOLDER`: the sets of words and of faces that lie in FOLDER. Raises `EvalkitError` where none does."""
    root = Path(spec.partition(":")[2]).expanduser()
    members: list[tuple[str, ImageSet, Mapping[str, Any]]] = []
    for name in SETS:
        images, file = root / "images" / "text_data" / name, root / "annotations" / f"text_{name}.json"
        if images.is_dir() and file.is_file():
            words = AnnotatedSet(images, _words(file), "words", spec=spec, name=name)
            members.append((name, words, {"subset": name}))
    images, file = root / "images" / "face_data", root / "annotations" / "face_meta.json"
    if images.is_dir() and file.is_file():
        members.append(
            ("face", AnnotatedSet(images, _faces(file), "faces", spec=spec, name="face"), {"subset": "face"})
        )
    if not members:
        raise EvalkitError(f"{root} holds no annotations/text_ic13.json with its images. Give the folder of TokBench")
    return JoinedSet(spec, "TokBench", members)


def _words(file: Path) -> dict[str, list[dict[str, Any]]]:
    try:
        rows = parse_json(file.read_bytes(), file.name)
        return {str(row["file_name"]): [_word(each) for each in row["annotations"]] for row in rows}
    except (OSError, *DAMAGED) as error:
        raise EvalkitError(f"{file} is no annotation of TokBench ({error}). Give the official file") from None


def _faces(file: Path) -> dict[str, list[dict[str, Any]]]:
    try:
        rows = parse_json(file.read_bytes(), file.name)
        return {
            str(row["image_name"]): [{"kps": list(face["kps"]), "ratio": float(face["ratio"])} for face in row["faces"]]
            for row in rows
        }
    except (OSError, *DAMAGED) as error:
        raise EvalkitError(f"{file} is no annotation of TokBench ({error}). Give the official file") from None


def _word(said: Mapping[str, Any]) -> dict[str, Any]:
    box = [float(each) for each in said["bbox"]]
    return {"text": str(said["rec"]), "box": box, "ratio": float(said["ratio"])}
