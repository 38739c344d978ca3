"""What encoders found in images, kept by content: rules are applied again without the network.

A piece of evidence has four keys: the sha256 of the pixels, the encoder with its version, the sha256 of its weights, and
the preprocessing. Where the weights are unknown (an endpoint), evidence is kept for this process only.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from evalkit.encoders.base import Encoder, ImageEncoder
from evalkit.encoders.database import Database
from evalkit.encoders.evidence_objects import SHARED, Key, SharedEvidence
from evalkit.errors import BadData, EvalkitError
from evalkit.images.sample import Pixels
from evalkit.jsonio import loose_json
from evalkit.weights.download import kept_folder
from evalkit.whole_files import whole

E = TypeVar("E")
VERSION = 1
MANY = 200  # keys in one query
IN_MEMORY = 50_000  # pieces of evidence of this process
COLUMNS = ("pixels", "encoder", "weights", "preprocessing", "evidence")
KEY = ", ".join(COLUMNS[:4])
TABLES = """
create table if not exists evidence (
    pixels text, encoder text, weights text, preprocessing text, evidence text not null,
    primary key (pixels, encoder, weights, preprocessing)
);
"""


class EvidenceCache:
    """Evidence as JSON text by its four keys; in one SQLite file, or in memory (`path` None).

    `shared`: where other machines keep theirs, asked for what is not here.
    """

    def __init__(self, path: str | Path | None = None, shared: SharedEvidence | None = None) -> None:
        """Raises `EvalkitError` where the file is no cache, or cannot be written."""
        self._shared = shared
        self._near: OrderedDict[Key, str] = OrderedDict()
        self._db = None if path is None else _database(path)

    @classmethod
    def shared(cls) -> EvidenceCache:
        """The user's own (evidence.sqlite in EVALKIT_CACHE or ~/.cache/evalkit), in memory where it cannot be used.

        EVALKIT_EVIDENCE names a place in an object store that several machines share.
        """
        url = os.environ.get(SHARED)
        among = SharedEvidence(url) if url else None
        try:
            return cls(kept_folder() / "evidence.sqlite", among)
        except EvalkitError:
            return cls(None, among)

    @property
    def lasting(self) -> bool:
        """Whether a file keeps what is put; else it is in memory, and little of it."""
        return self._db is not None

    def get(self, keys: Sequence[Key]) -> dict[Key, str]:
        """What is known of the keys."""
        found = {key: self._near[key] for key in keys if key in self._near}
        far = [key for key in dict.fromkeys(keys) if key not in found and key[2]] if self._db else []
        for start in range(0, len(far), MANY):
            part = far[start : start + MANY]
            marks = ", ".join(["(?, ?, ?, ?)"] * len(part))
            query = f"select * from evidence where ({KEY}) in (values {marks})"
            for *known, text in self._rows(query, [each for key in part for each in key]):
                found[tuple(known)] = text
        if self._shared is not None:
            others = self._shared.get([key for key in dict.fromkeys(keys) if key not in found and key[2]])
            self._keep(others)
            found |= others
        return found

    def put(self, evidence: dict[Key, str]) -> None:
        """Keep evidence; what cannot be written stays with this process."""
        self._keep(evidence)
        if self._shared is not None:
            self._shared.put({key: text for key, text in evidence.items() if key[2]})

    def _keep(self, evidence: dict[Key, str]) -> None:
        kept = [(*key, text) for key, text in evidence.items() if key[2]] if self._db else []
        try:
            if self._db and kept:
                self._db.write([("insert or replace into evidence values (?, ?, ?, ?, ?)", kept)])
        except EvalkitError:  # a full disk costs the cache, not the run
            self._db, kept = None, []
        for key, text in evidence.items():
            if not kept or not key[2]:
                self._near[key] = text
                if len(self._near) > IN_MEMORY:
                    self._near.popitem(last=False)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Everything that the file holds, by key: pixels, encoder, weights, preprocessing, evidence (JSON data)."""
        last: tuple[Any, ...] = ("", "", "", "")
        query = f"select * from evidence where ({KEY}) > (?, ?, ?, ?) order by {KEY} limit {MANY}"
        while part := self._rows(query, last):
            last = part[-1][:4]
            yield from ({**dict(zip(COLUMNS, row, strict=True)), "evidence": _held(row[4])} for row in part)

    def export(self, path: Path) -> int:
        """Write every row to a new `.jsonl` or `.parquet` file (evidence as JSON text there); how many there were."""
        if path.suffix not in (".jsonl", ".parquet") or path.exists():
            state = "is there already" if path.exists() else "is neither .jsonl nor .parquet"
            raise EvalkitError(f"{path} {state}; give the name of a new .jsonl or .parquet file")
        found = list(self.rows())
        if path.suffix == ".jsonl":
            with whole(path) as new:
                new.write_text("".join(json.dumps(row) + "\n" for row in found), encoding="utf-8")
        else:
            schema = pa.schema([(name, pa.string()) for name in COLUMNS])
            texts = [{**row, "evidence": json.dumps(row["evidence"])} for row in found]
            with whole(path) as new, new.open("wb") as stream:  # pyarrow takes some paths for addresses
                pq.write_table(pa.Table.from_pylist(texts, schema), stream)
        return len(found)

    def _rows(self, query: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        try:
            return self._db.rows(query, values) if self._db else []
        except EvalkitError:  # a cache that breaks knows nothing any more
            self._db = None
            return []


def evidence_of(
    encoder: ImageEncoder[E],
    images: Sequence[Pixels],
    cache: EvidenceCache,
    *,
    preprocessing: str = "",
    prepare: Callable[[Pixels], Pixels] | None = None,
) -> list[E]:
    """The evidence of each image: from the cache, or by the encoder now.

    `prepare`: what is done to an image before the encoder sees it; `preprocessing` names it, and all its settings.
    """
    keys = [evidence_key(encoder, image, preprocessing) for image in images]
    known = cache.get(keys)
    missing = {key: image for key, image in zip(keys, images, strict=True) if key not in known}
    seen = [prepare(image) if prepare else image for image in missing.values()]
    fresh = dict(zip(missing, encoder(seen), strict=True)) if missing else {}
    cache.put({key: json.dumps(encoder.pack(each)) for key, each in fresh.items()})
    return [fresh[key] if key in fresh else encoder.unpack(_held(known[key])) for key in keys]


def _held(text: str) -> Any:
    """What the cache holds; features may be NaN, which other readers of JSON refuse."""
    try:
        return loose_json(text)
    except BadData:
        raise EvalkitError("the cache of evidence is damaged. Remove its file, evidence.sqlite") from None


def evidence_key(encoder: Encoder, image: Pixels, preprocessing: str = "") -> Key:
    """What a piece of evidence is kept by."""
    return pixels_sha256(image), f"{encoder.id} {encoder.version}", encoder.weights_sha256 or "", preprocessing


def pixels_sha256(image: Pixels) -> str:
    """sha256 over the sides and the bytes of a uint8 [H, W, 3] image, in hexadecimal digits."""
    digest = hashlib.sha256(f"{'x'.join(map(str, image.shape))} {image.dtype}\n".encode())
    digest.update(image.tobytes())
    return digest.hexdigest()


def _database(path: str | Path) -> Database:
    return Database(
        path,
        TABLES,
        version=VERSION,
        what="an evidence cache",
        remedy="give another file",
        table="evidence",
        key=KEY,
    )
