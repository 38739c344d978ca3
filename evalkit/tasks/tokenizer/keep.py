"""Which image pairs stay with a run: none, the worst of each task, or all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from evalkit.images.encode import png_bytes
from evalkit.images.sample import Sample
from evalkit.jsonio import pretty_json
from evalkit.metrics.psnr import MSE
from evalkit.metrics.registry import METRICS
from evalkit.metrics.text_rates import CER_ORIGINAL, RECONSTRUCTION
from evalkit.runs.store import RunStore, write_bytes
from evalkit.tasks.tokenizer.forward import Forward
from evalkit.tasks.tokenizer.pixels import Feed, model_input, scored_original, scored_reconstructions

if TYPE_CHECKING:
    from evalkit.tasks.tokenizer.job import TokenizerJob

WORST, TEXTS = 12, 8


def keep_pictures(store: RunStore, keys: Sequence[str], samples: pa.Table, job: TokenizerJob) -> None:
    """Write images/ and images/index.json by the job's `keep`; the worst are made again, so nothing is stored meanwhile."""
    if job.options.keep == "none":
        return
    entries = _all(store, keys, samples) if job.options.keep == "all" else _worst(store.path, samples, job)
    write_bytes(store.path / "images" / "index.json", pretty_json(entries))


def _all(store: RunStore, keys: Sequence[str], samples: pa.Table) -> list[dict[str, Any]]:
    folder = store.path / "images"
    folder.mkdir(exist_ok=True)
    for file in store.shard_files(keys):
        if not (folder / file.name).exists():
            (folder / file.name).write_bytes(file.read_bytes())
    protocols = len(set(samples["protocol"].to_pylist()))
    rows = samples.select(["id", "protocol", "error", *_scores()]).to_pylist()
    entries = []
    for number, row in enumerate(rows):
        if row["error"] is None:
            stem = f"images/{number // protocols:08d}-{row['protocol']}"
            entries.append(_entry(row, "kept", number // protocols, stem))
    return entries


def _worst(folder: Path, samples: pa.Table, job: TokenizerJob) -> list[dict[str, Any]]:
    feed = job.feeds[0]
    mine = samples.filter(pc.equal(samples["protocol"], feed.protocol.id))
    mine = mine.append_column("position", pa.array(range(mine.num_rows), pa.int64()))
    mine = mine.filter(pc.is_null(mine["error"]))
    by_error = mine.sort_by([(MSE.name, "descending"), ("id", "ascending")]).slice(0, WORST).to_pylist()
    texts = mine.filter(pc.is_valid(mine[RECONSTRUCTION]))
    by_text = texts.sort_by([(CER_ORIGINAL.name, "descending"), ("id", "ascending")]).slice(0, TEXTS).to_pylist()
    entries = []
    positions = sorted({row["position"] for row in (*by_error, *by_text)})  # in order: a stream is read once more
    made = {position: _again(job, feed, position) for position in positions}  # an image can be among both
    for kind, rows in (("worst", by_error), ("text", by_text)):
        for rank, row in enumerate(rows, 1):
            pair = made[row["position"]]
            if pair is not None:
                stem = f"images/{kind}-{rank:02d}"
                for name, data in zip(("original", "reconstruction"), pair, strict=True):
                    write_bytes(folder / f"{stem}-{name}.png", data)
                entries.append(_entry(row, kind, rank, stem))
    return entries


def _again(job: TokenizerJob, feed: Feed, position: int) -> tuple[bytes, bytes] | None:
    sample = next(iter(job.images.read(position, position + 1, threads=1)))
    if not isinstance(sample, Sample):  # the file has changed since it was scored
        return None
    fed = model_input(sample.image, feed)
    again = Forward(job.model, frozenset(), batch_size=job.batch_size, seed=job.options.seed, timers=job.timers)
    (output,) = again([fed], feed)
    if output.picture is None:
        return None
    return png_bytes(scored_original(fed, feed)), png_bytes(scored_reconstructions(output.picture[None], feed)[0])


def _scores() -> list[str]:
    """The columns that are shown beside a kept pair."""
    return [metric.name for metric in METRICS.all() if "kept" in metric.shown]


def _entry(row: dict[str, Any], kind: str, rank: int, stem: str) -> dict[str, Any]:
    return {
        "id": row["id"],
        "protocol": row["protocol"],
        "kind": kind,
        "rank": rank,
        "original": f"{stem}-original.png",
        "reconstruction": f"{stem}-reconstruction.png",
        "scores": {name: row[name] if row[name] is None or abs(row[name]) < 1e300 else None for name in _scores()},
    }
