"""Attacks on a folder of images: one sub-folder an attack, a row per image, resumable, flat in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from evalkit.errors import EvalkitError
from evalkit.images import open_images
from evalkit.jobs.data import data_ref, told
from evalkit.jobs.engine_inline import run_task
from evalkit.jobs.live import hold
from evalkit.jobs.options import EngineOptions, check_apart
from evalkit.jobs.progress import Progress
from evalkit.jobs.shard import ShardOutput
from evalkit.jobs.spec import Spec
from evalkit.runs.store import Run, RunStore, read_run
from evalkit.runs.store_objects import open_store
from evalkit.watermark.attacks.base import Attack
from evalkit.watermark.attacks.task import ATTACK

VERSION = 1
BLOCK = 64  # images in memory at a time


@dataclass(frozen=True)
class AttackRun:
    """What a run left: its folder, the attacks, and every row (`id`, `attack`, `path` or `error`, `changed`, `psnr`, …)."""

    path: Path
    attacks: tuple[Attack, ...]
    rows: list[dict[str, Any]] = field(repr=False)

    @property
    def failed(self) -> list[dict[str, Any]]:
        """Rows of images that could not be read or attacked."""
        return [row for row in self.rows if row["error"] is not None]


def attack_folder(
    data: str | Path,
    attacks: Sequence[Attack],
    out: str | Path,
    *,
    seed: int = 0,
    limit: int | None = None,
    batch: int = 8,
    threads: int = 2,
    device: str = "auto",
    dtype: str = "float32",
    weights: Sequence[str] = (),
    command: Sequence[str] = (),
    progress: Progress | None = None,
    retry_failed: bool = False,
    engine: EngineOptions | None = None,
) -> AttackRun:
    """Write every image of `data` under every attack into `out/<attack>/`, with manifest.jsonl, as a sealed run.

    An image's seed depends on `seed` and its id alone. Called again on the same folder, attacks that are new, images that
    changed and those that failed are done, and the rest is kept; in an unfinished run `retry_failed` does these again.
    Raises `EvalkitError` where `out` lies within the data, or an attack's folder holds another one.
    """
    images, target = open_images(data), Path(out)
    check_apart(data, target)
    n = len(images) if limit is None else min(limit, len(images))
    here = {
        "attacks": {each.name: hold(each) for each in attacks},
        "batch_size": batch,
        "threads": threads,
        "dtype": dtype,
        "weights": list(weights),
        "data": told(images, progress or Progress()),
    }
    said = [{"record": each.record(), "folder": each.folder, "network": each.network} for each in attacks]
    inputs = {"data": data_ref(images, n, data)}
    spec = Spec(ATTACK.name, VERSION, {}, inputs, parameters={"attacks": said}, seed=seed, shard=BLOCK, here=here)
    store = open_store(target)
    if store.sealed:
        spec = _go_on(store, spec)
    run = run_task(
        ATTACK,
        spec,
        target,
        command=command,
        device=device,
        progress=progress,
        engine=engine,
        retry_failed=retry_failed,
    )
    names = {each.name for each in attacks}
    return AttackRun(target, tuple(attacks), [row for row in run.samples.to_pylist() if row["attack"] in names])


def _go_on(store: RunStore, spec: Spec) -> Spec:
    """The spec of a sealed run with what the wanted one adds; where something is left to do, the run becomes shards again."""
    run = read_run(store.path)
    if run.record["task"] != ATTACK.name:
        store.begin(spec.plan())  # says that it holds another run
    before = ATTACK.spec(run)
    merged = _merged(store.path, before, spec)
    if merged.plan() == run.record["plan"] and not _lost(run):
        return merged
    source = _digests(merged) if merged.inputs != before.inputs else None
    store.unseal()
    store.forget()
    store.take_over(merged.plan())
    names, n = [each["record"]["name"] for each in merged.parameters["attacks"]], merged.inputs["data"].n
    mine = {name: run.samples.filter(pc.equal(run.samples["attack"], name)) for name in names}
    for shard in ATTACK.shards(merged):
        rows = _kept(
            run.path, mine[names[shard.start // n]], range(shard.start % n, shard.start % n + shard.size), source
        )
        if rows is not None:
            store.put(shard.key, ShardOutput(rows))
    return merged


def _merged(folder: Path, before: Spec, spec: Spec) -> Spec:
    """The attacks of both; raises where one of them is another attack, or has another seed, than in the folder."""
    old = {each["record"]["name"]: each for each in before.parameters["attacks"]}
    new = {each["record"]["name"]: each for each in spec.plan()["parameters"]["attacks"]}
    if before.seed != spec.seed and new:
        raise EvalkitError(f"{folder} was made with another seed; give a fresh --out, or remove it")
    for name in old.keys() & new.keys():
        other = [key for key, value in new[name]["record"].items() if old[name]["record"].get(key) != value]
        if other:
            said = ", ".join(other)
            raise EvalkitError(
                f"{folder / old[name]['folder']} was made with another {said}; give a fresh --out, or remove it"
            )
    return replace(spec, parameters={"attacks": list({**old, **new}.values())})


def _lost(run: Run) -> bool:
    """Whether an image failed, or its file is gone."""
    if run.samples["error"].null_count < run.samples.num_rows:
        return True
    return any(not (run.path / path).is_file() for path in run.samples["path"].to_pylist())


def _digests(spec: Spec) -> dict[str, str | None]:
    images, n = open_images(str(spec.inputs["data"].source)), spec.inputs["data"].n
    return dict(zip(images.ids(), images.fingerprints(n), strict=False))


def _kept(folder: Path, mine: pa.Table, wanted: range, source: dict[str, str | None] | None) -> pa.Table | None:
    """The rows of a shard where all of them are done, their files there and their sources the same; else None."""
    if source is None:
        rows = mine.slice(wanted.start, len(wanted))
    else:
        ids = list(source)[wanted.start : wanted.stop]
        places = {id: place for place, id in enumerate(mine["id"].to_pylist())}
        if any(id not in places for id in ids):
            return None
        rows = mine.take([places[id] for id in ids])
        if any(source[row["id"]] != row["source_sha256"] for row in rows.to_pylist()):
            return None
    whole = rows.num_rows == len(wanted) and rows["error"].null_count == len(wanted)
    return rows if whole and all((folder / path).is_file() for path in rows["path"].to_pylist()) else None
