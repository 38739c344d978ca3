"""Scores of decoy keys beside the rows of a detection: planned, made by workers, kept in the run, compared with the key."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evalkit.errors import EvalkitError
from evalkit.jsonio import canonical_json
from evalkit.runs.shards import Parts
from evalkit.watermark.decoys.lean import BLOCK, SHARED, blocks
from evalkit.watermark.decoys.ranks import TIE, Ranked, ranked
from evalkit.watermark.detection.rows import LN10
from evalkit.watermark.methods.plain import members
from evalkit.watermark.spec import DRAWING, NUMBERS

FILE = "decoys.bin.z"
NAME = "decoys"  # of the arrays of a shard
MOST, LEAST, LISTS = 999, 199, 8000  # decoy keys where nobody says how many: at most, at least, and lists in all
DRAWN = 499  # lists in all of methods that draw codes by the key: each secret number is made for one list alone
READ, VIEWS = (
    99,
    20,
)  # decoys of messages, each of which reads the whole image, and views in which that is worth its time
FORMER = 3  # decimals that plans compare which say none; of these, images that cannot be called count too
MANY = 3999  # decoy keys that may be asked for: their square is held in memory
ALIKE = ("method", "gamma", "context", "pattern", "cap", "clusters", "kind", "seeded", "layers", "layout", "carrier")
Scores = npt.NDArray[Any]


def has_decoys(said: Mapping[str, Any]) -> bool:
    """Whether a mark, as `Mark.as_dict` says it, has decoys: of several all are of one method and share."""
    every = members(said)
    return all(each["method"] in NUMBERS and each.get(name) == every[0].get(name) for each in every for name in ALIKE)


def usual_decoys(said: Mapping[str, Any], views: int) -> int:
    """How many decoy keys decide where nobody says; none for messages in many views.

    >>> usual_decoys({"method": "payload"}, 1), usual_decoys({"method": "payload"}, 1600)
    (99, 0)
    """
    slow = members(said)[0].get("method") == "payload" and views > VIEWS
    return usual_count(said) if has_decoys(said) and not slow else 0


def usual_count(said: Mapping[str, Any]) -> int:
    """How many decoy keys are taken where nobody says: fewer for large pools.

    >>> usual_count({"method": "lbw", "lists": 64})
    199
    """
    every = members(said)
    if every[0].get("method") == "payload":
        return READ
    lists = sum(each.get("lists") or 1 for each in every)
    most = DRAWN if every[0].get("method") in DRAWING else LISTS
    return int(min(MOST, max(LEAST, most // lists)))


def planned_decoys(said: Mapping[str, Any], keys: int, seed: int) -> dict[str, Any]:
    """What a plan says of decoys: their number, and the seed that mark and run draw them from. No key is in it.

    Nor do the images decide: one that came back and is done again meets the same decoys.
    """
    public = [{name: value for name, value in each.items() if name != "key_id"} for each in members(said)]
    text = canonical_json({"marks": public, "seed": seed})
    rule = {"even": True, "shared": SHARED, "digits": TIE, "tail": True}
    return {"keys": keys, "seed": hashlib.sha256(text).hexdigest()[:32], **rule}


def of_folder(
    parts: Parts, alpha: float, asked: Mapping[str, Any], log_floor: npt.NDArray[np.float64], *, searched: bool = False
) -> Ranked:
    """The real key of the rows among the decoys of the arrays, by the rule of the plan's time, which `asked` says.

    `log_floor` [n]: of the images that have scores. After a search the arrays hold the real key, too, as the last.
    """

    def together() -> Iterator[Scores]:
        if searched:
            yield from (block.astype(np.int64) for block in blocks(_decoys(parts), BLOCK))
            return
        greens = blocks(_greens(parts), BLOCK)
        for mine, theirs in zip(greens, blocks(_decoys(parts), BLOCK), strict=True):
            yield np.concatenate([theirs.astype(np.int64), mine[:, None]], axis=1)

    floor, digits = (log_floor, asked["digits"]) if "digits" in asked else (None, FORMER)
    even, shared = asked.get("even", False), asked.get("shared", 0.0)
    tail = asked.get("tail", False)
    return ranked(together, alpha, floor, even=even, shared=shared, digits=digits, tail=tail)


def _greens(parts: Parts) -> Iterator[Scores]:
    for table in parts.tables():
        own = table["evidence"] if "evidence" in table.column_names else table["green"]
        yield pc.coalesce(own, table["green"]).drop_null().to_numpy().astype(np.int64)


def _decoys(parts: Parts) -> Iterator[Scores]:
    for arrays in parts.arrays():
        if NAME in arrays:
            yield arrays[NAME]


def file_pieces(parts: Parts) -> Iterator[bytes]:
    """The scores of all images, row by row as whole numbers of 2 or 4 bytes (little-endian), deflated; a shard at a time.

    After a search they are those of `contest.Contest.settled`, the real key's last.
    """
    squeeze = zlib.compressobj(1)
    for rows in _decoys(parts):
        yield squeeze.compress(np.ascontiguousarray(rows.astype(f"<u{rows.dtype.itemsize}")).tobytes())
    yield squeeze.flush()


def read_scores(data: bytes, images: int, keys: int) -> Scores:
    """What `file_pieces` wrote; raises `EvalkitError` where it holds something else."""
    cells = images * keys
    try:
        plain = zlib.decompressobj().decompress(data, 4 * cells + 1)
    except zlib.error:
        plain = b""
    size, left = divmod(len(plain), cells)
    if left or size not in (2, 4):
        raise EvalkitError(f"{FILE} of the run does not hold {images:,} times {keys:,} scores. Run the detection again")
    return np.frombuffer(plain, f"<u{size}").reshape(images, keys)


def said_of(decoys: Ranked, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What the record says of the decoys."""
    mean, low, high = decoys.interval()
    return {
        **asked,
        "level": decoys.level,
        "false_calls": {"mean": mean, "low": low, "high": high},
        "folder_p": decoys.folder_p,
        "mean_p": decoys.mean_p,
        "mean_score": decoys.mean,
    }


def row_columns(decoys: Ranked | None, log_p: Any, good: npt.NDArray[np.int64], n: int) -> dict[str, npt.NDArray[Any]]:
    """Full columns [n] for the rows, NaN and -1 where nothing was scored; `log_p`: of the good images."""
    found = {name: np.full(n, np.nan) for name in ("log10_p_decoys", "lean")}
    found["decoys_above"] = np.full(n, -1)
    if decoys is not None:
        found["log10_p_decoys"][good], found["lean"][good] = log_p / LN10, decoys.lean
        found["decoys_above"][good] = decoys.above
    return found


def as_arrow(columns: Mapping[str, npt.NDArray[Any]], here: slice) -> dict[str, pa.Array]:
    """A piece of `row_columns` as columns of samples.parquet."""
    above = columns["decoys_above"][here]
    return {
        **{name: pa.array(columns[name][here], pa.float64(), from_pandas=True) for name in ("log10_p_decoys", "lean")},
        "decoys_above": pa.array(above, pa.int32(), mask=above < 0),
    }
