"""`--retry-failed`: samples that failed are work again, in a finished run and in an unfinished one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from evalkit.errors import EvalkitError
from evalkit.jobs.progress import Progress
from evalkit.jobs.spec import Spec, different
from evalkit.jobs.task import Task
from evalkit.jsonio import parse_json
from evalkit.runs.store import FRESH, PLAN, RunStore, of_content, read_run
from evalkit.text import counted


def retry(task: Task, spec: Spec, store: RunStore, told: Progress) -> None:
    """Make work again of what failed in the run of `store`; nothing happens where nothing failed.

    What the task can take over from a sealed run is kept, and the finished shards of an unfinished one that hold no
    failed sample. An input whose content is another now (a file that came back) is read again from its first sample.
    Raises `EvalkitError` where the folder holds a run that differs in more than the content of its inputs.
    """
    if store.sealed:
        run = read_run(store.path)
        n = failures(run.samples)
        if n == 0:
            return
        same = _same_inputs(run.record["plan"], spec.plan(), store)
        kept = task.kept(run, spec) if same else {}
        others = sum(each.rows.num_rows for each in kept.values())
        told.note(f"{counted(n, 'sample')} failed and will be tried again; of the others {others:,} are kept")
        listed = {Path(name).parts[0] for name in run.record["files"]}
        store.unseal(spec.plan(), kept, stale=task.derived if kept else sorted(listed))
    elif (store.path / PLAN).exists():
        plan_file = store.path / PLAN
        same = _same_inputs(parse_json(plan_file.read_bytes(), str(plan_file)), spec.plan(), store)
        first = {shard.key for shard in task.shards(spec)}
        good = {key for key in first if same and store.has(key) and _whole(store, key)}
        if good != store.keys() & first:  # exhibits follow from all rows
            for key in store.keys() - good:
                store.drop(key)
        store.take_over(spec.plan())


def failures(rows: pa.Table) -> int:
    """How many rows say why their sample failed."""
    return rows.num_rows - rows["error"].null_count if "error" in rows.column_names else 0


def _whole(store: RunStore, key: str) -> bool:
    return all(failures(rows) == 0 for rows in store.parts([key]).tables())


def _same_inputs(before: Mapping[str, Any], now: Mapping[str, Any], store: RunStore) -> bool:
    """Whether both plans are equal; False where only the content of inputs differs, an error where more does."""
    others = [name for name in different(before, now) if not of_content(name)]
    if others:
        raise EvalkitError(f"{store.path} holds another run (other {', '.join(others[:6])}); {FRESH}")
    return before == now
