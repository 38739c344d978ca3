"""Data sets of the hub, streamed through `datasets` at a fixed revision: hf:owner/repo/config/split."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.images.loader import one_line, read_ahead, sample_from_bytes
from evalkit.images.rows import RowStream, bytes_of
from evalkit.images.sample import MISSING, Admit, ImageSet, Load, Sample, Unreadable

TEXT_COLUMNS = ("text", "ground_truth_text", "label_text")
Open = Callable[[str, str | None, str], Any]


class HubSet(ImageSet):
    """Rows of a hub data set's image column; the id is the row number. Images are decoded from their bytes, and rows
    are read once in ascending order.

    `hf:owner/repo@REVISION/config/split` asks for a revision; else the newest is resolved and kept to. Where a data set
    has no revision (a local folder), its rows are hashed instead.
    """

    def __init__(self, spec: str, open_stream: Open | None = None) -> None:
        self.spec = spec
        parts = spec.removeprefix("hf:").strip("/").split("/")
        if len(parts) not in (3, 4):
            raise EvalkitError(
                f"{spec!r} names no split of a data set; give hf:owner/repo/config/split or hf:owner/repo/split"
            )
        name, _, wanted = parts[1].partition("@")
        self._repo, self._config, self._split = f"{parts[0]}/{name}", parts[2] if len(parts) == 4 else None, parts[-1]
        self.name = "/".join([name, *parts[2:]])
        try:
            if open_stream is None:
                self.revision = _revision(self._repo, wanted or None)
                open_stream = partial(_open_stream, revision=self.revision or wanted or None)
            stream = open_stream(self._repo, self._config, self._split)
            self._image, self._text = _columns(stream)
            self._rows = RowStream(_undecoded(stream, self._image), self._cells, spec)
            self._hashes: list[str] | None = None
            self._texts: list[str | None] = []
            count = _stated_length(stream)
            self._count = self._hash_rows(None) if count is None else count
        except EvalkitError:
            raise
        except Exception as error:  # network, gate, unknown name: the hub raises many kinds
            raise EvalkitError(
                f"the data set {spec} cannot be opened ({one_line(error)[:200]}); check the name and the network, or "
                "give a folder"
            ) from None

    def ids(self) -> Sequence[str]:
        """Row numbers with eight digits."""
        return [f"{i:08d}" for i in range(self._count)]

    def fingerprint(self, index: int) -> str:
        """The row of the revision, or the sha256 of its image where there is no revision."""
        if self.revision is not None:
            return f"{self._repo}@{self.revision}/{self._config}/{self._split} {index}"
        if self._hashes is None or len(self._hashes) <= index:
            self._hash_rows(self._count)
        return (self._hashes or [])[index]

    def fingerprints(self, count: int | None = None) -> list[str]:
        """Those of the first rows; without a revision all of them are hashed in one pass."""
        count = self._count if count is None else count
        if self.revision is not None:
            return [self.fingerprint(index) for index in range(count)]
        if self._hashes is None or len(self._hashes) < count:
            self._hash_rows(count)
        return [*(self._hashes or [])[:count]]

    def known(self, index: int) -> Mapping[str, Any]:
        """The text of a row without a revision; of a revision the fingerprint says it all."""
        if self.revision is not None:
            return {}
        self.fingerprint(index)
        return {"text": self._texts[index]} if index < len(self._texts) else {}

    def read(self, start: int, stop: int, *, threads: int = 2) -> Iterator[Sample | Unreadable]:
        """Rows `start` to `stop`, decoded ahead; ranges that follow each other are one pass over the stream."""
        return read_ahead(self.loads(start, stop), threads)

    def loads(self, start: int, stop: int) -> Iterator[Load]:
        """One for each row, which is pulled from the stream when its turn comes."""
        for index in range(start, min(stop, self._count)):
            yield partial(self._load, index, self._rows.row(index))

    def _load(self, index: int, row: tuple[Any, Any] | None, admit: Admit) -> Sample | Unreadable:
        id = f"{index:08d}"
        if row is None:
            return Unreadable(id, f"the data set ends before this row; it states {self._count}")
        cell, text = row
        known = {} if text is None else {"text": str(text)}
        return sample_from_bytes(id, lambda: bytes_of(cell, local=self.revision is None), lambda: known, admit)

    def _cells(self, row: Any) -> tuple[Any, Any]:
        return row[self._image], row.get(self._text) if self._text else None

    def _hash_rows(self, count: int | None) -> int:
        """Hash the images of the first `count` rows, or of all, and give their number."""
        found: list[str] = []
        self._texts = []
        for cell, text in self._rows.once(count):
            self._texts.append(None if text is None else str(text))
            try:
                found.append(hashlib.sha256(bytes_of(cell, local=self.revision is None)).hexdigest())
            except Exception:  # a row that cannot be read has no content; reading it says why
                found.append(MISSING)
        self._hashes = found + [MISSING] * ((count or 0) - len(found))
        return len(found)


def _revision(repo: str, wanted: str | None) -> str | None:
    """The commit that the hub resolves, None for a local folder or without the network."""
    if Path(repo).exists():
        return None
    import huggingface_hub

    try:
        found = huggingface_hub.HfApi().dataset_info(repo, revision=wanted, timeout=20).sha
        return str(found) if found else None
    except Exception:  # opening the data set says why it cannot be had
        return None


def _open_stream(repo: str, config: str | None, split: str, *, revision: str | None) -> Any:
    import datasets

    return datasets.load_dataset(repo, config, split=split, streaming=True, revision=revision)


def _columns(stream: Any) -> tuple[str, str | None]:
    import datasets

    features = stream.features or {}
    images = [name for name, kind in features.items() if isinstance(kind, datasets.Image)]
    if not images:
        raise EvalkitError(f"the data set has no image column; its columns are {', '.join(features) or 'unknown'}")
    stream_text = next((name for name in TEXT_COLUMNS if name in features), None)
    return images[0], stream_text


def _undecoded(stream: Any, column: str) -> Any:
    """The stream with images as bytes: one damaged row must not end the iteration."""
    import datasets

    return stream.cast_column(column, datasets.Image(decode=False))


def _stated_length(stream: Any) -> int | None:
    info = getattr(stream, "info", None)
    split = (getattr(info, "splits", None) or {}).get(str(stream.split)) if info else None
    return int(split.num_examples) if split is not None and split.num_examples else None
