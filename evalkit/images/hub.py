"""Data sets of the hub, streamed through `datasets`: hf:owner/repo/config/split."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.images.loader import read_ahead, sample_from_bytes
from evalkit.images.sample import ImageSet, Sample, Unreadable

TEXT_COLUMNS = ("text", "ground_truth_text", "label_text")
Open = Callable[[str, str | None, str], Any]


class HubSet(ImageSet):
    """Rows of a hub data set's image column; the id is the row number. Nothing but the asked rows is fetched."""

    def __init__(self, spec: str, open_stream: Open | None = None) -> None:
        self.spec = spec
        parts = spec.removeprefix("hf:").strip("/").split("/")
        if len(parts) not in (3, 4):
            raise EvalkitError(f"{spec!r} is not hf:owner/repo/config/split (or hf:owner/repo/split)")
        self._repo, self._config, self._split = "/".join(parts[:2]), parts[2] if len(parts) == 4 else None, parts[-1]
        self.name = "/".join(parts[1:])
        try:
            self._stream = (open_stream or _open_stream)(self._repo, self._config, self._split)
            self._image, self._text = _columns(self._stream)
            self._count = _length(self._stream)
        except EvalkitError:
            raise
        except Exception as error:  # network, gate, unknown name: the hub raises many kinds
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise EvalkitError(
                f"the data set {spec} cannot be opened ({reason}); check the name and the network, or give a folder"
            ) from None

    def ids(self) -> Sequence[str]:
        """Row numbers with eight digits."""
        return [f"{i:08d}" for i in range(self._count)]

    def fingerprint(self, index: int) -> str:
        """The data set's own fingerprint where it states one."""
        return str(getattr(self._stream, "_fingerprint", "") or self._repo)

    def read(self, start: int, stop: int, *, threads: int = 2) -> Iterator[Sample | Unreadable]:
        """Rows `start` to `stop`, decoded ahead."""
        rows = list(self._stream.skip(start).take(min(stop, self._count) - start))

        def load(index: int) -> Sample | Unreadable:
            row = rows[index - start]
            meta = {"text": row[self._text]} if self._text and row.get(self._text) is not None else {}
            return sample_from_bytes(f"{index:08d}", lambda: _bytes(row[self._image]), meta)

        return read_ahead(load, start, start + len(rows), threads)


def _open_stream(repo: str, config: str | None, split: str) -> Any:
    import datasets

    return datasets.load_dataset(repo, config, split=split, streaming=True)


def _columns(stream: Any) -> tuple[str, str | None]:
    import datasets

    features = stream.features or {}
    images = [name for name, kind in features.items() if isinstance(kind, datasets.Image)]
    if not images:
        raise EvalkitError(f"the data set has no image column; its columns are {', '.join(features) or 'unknown'}")
    stream_text = next((name for name in TEXT_COLUMNS if name in features), None)
    return images[0], stream_text


def _length(stream: Any) -> int:
    info = getattr(stream, "info", None)
    split = (getattr(info, "splits", None) or {}).get(str(stream.split)) if info else None
    if split is not None and split.num_examples:
        return int(split.num_examples)
    return sum(1 for _ in stream)


def _bytes(cell: Any) -> bytes:
    if isinstance(cell, dict):
        if cell.get("bytes"):
            return bytes(cell["bytes"])
        with open(cell["path"], "rb") as stream:
            return stream.read()
    import io

    buffer = io.BytesIO()
    cell.save(buffer, format="PNG")
    return buffer.getvalue()
