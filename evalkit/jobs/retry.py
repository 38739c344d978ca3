"""`--retry-failed`: the shards that hold failed samples are work again, in a finished run and in an unfinished one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from evalkit.errors import EvalkitError
from evalkit.jobs.progress import Progress
from evalkit.jobs.shard import Shard, Sources
from evalkit.jobs.spec import Spec, apart, different
from evalkit.jobs.task import Task
from evalkit.jsonio import parse_json
from evalkit.runs.durable import sha256_of
from evalkit.runs.shards import ABOUT, FILES
from evalkit.runs.store import FRESH, PLAN, RunStore, of_content, read_run
from evalkit.text import counted


def retry(task: Task, spec: Spec, store: RunStore, told: Progress) -> None:
    """Make work again of the shards with samples that failed, or whose inputs hold something else now.

    Nothing happens to a sealed run where nothing failed. What follows from all rows, exhibits among it, is made anew.
    Raises `EvalkitError` where the folder holds a run that differs in more than the content of its inputs.
    """
    plan = store.path / PLAN
    if not plan.exists():
        return
    changed = _changed(parse_json(plan.read_bytes(), str(plan)), spec.plan(), store)
    vouched = store.kept() if store.sealed else None
    failed = failures(read_run(store.path).samples) if store.sealed else 0
    if vouched is not None and not failed:
        return
    good = _good(task, spec, store, changed, vouched)
    if vouched is not None:
        kept = sum(shard.size for shard in task.shards(spec) if shard.key in good)
        told.note(f"{counted(failed, 'sample')} failed and will be tried again; of the others {kept:,} are kept")
        store.unseal(_stale(task, store, good))
    if good != store.keys() & {shard.key for shard in task.shards(spec)} or vouched is not None:
        for key in store.keys() - good:
            store.drop(key)
    store.take_over(spec.plan())


def changed_sources(task: Task, spec: Spec, store: RunStore) -> list[str]:
    """Ids of what the finished shards were read from and that holds something else now; none where nobody can say."""
    sources = task.sources(spec)
    if sources is None:
        return []
    if store.sealed:
        before, shards = _read([read_run(store.path).samples], []), task.shards(spec)
    else:
        shards = [shard for shard in task.shards(spec) if store.has(shard.key)]
        parts = store.parts([shard.key for shard in shards])
        before = _read(list(parts.tables()), list(parts.facts()))
    now = {source for shard in shards for source in sources.of(shard)}
    return sorted({name for name, _ in before ^ now})


def failures(rows: pa.Table) -> int:
    """How many rows say why their sample failed."""
    return rows.num_rows - rows["error"].null_count if "error" in rows.column_names else 0


def _good(
    task: Task, spec: Spec, store: RunStore, changed: Sequence[str], vouched: Mapping[str, str] | None
) -> set[str]:
    """The keys of finished shards that stay."""
    sources = task.sources(spec)
    known = () if sources is None else tuple(f"inputs.{role}.digest" for role in sources.roles)
    if any(name not in (*known, "parameters.asked") for name in changed):
        return set()
    shards = [shard for shard in task.shards(spec) if store.has(shard.key)]
    if vouched is not None:
        shards = [each for each in shards if sha256_of(store.shards / each.key / ABOUT) == vouched.get(each.key)]
    return {shard.key for shard in shards if _stays(store, shard, sources)}


def _stays(store: RunStore, shard: Shard, sources: Sources | None) -> bool:
    """Whether no sample of a finished shard failed, and all were read from what is there now."""
    parts = store.parts([shard.key])
    tables, facts = list(parts.tables()), list(parts.facts())
    if any(map(failures, tables)):
        return False
    return sources is None or _read(tables, facts) == sources.of(shard)


def _read(tables: Sequence[pa.Table], facts: Sequence[Mapping[str, Any]]) -> set[tuple[str, str]]:
    """(id, sha256) of what a finished shard was read from."""
    told = [(str(id), str(sha256)) for each in facts for id, sha256 in each.get("sources", ())]
    if told:
        return set(told)
    found: set[tuple[str, str]] = set()
    for rows in tables:
        name = "source_sha256" if "source_sha256" in rows.column_names else "sha256"
        mine = rows.filter(pc.is_valid(rows[name])).select(["id", name]) if name in rows.column_names else rows[:0]
        found |= set(zip(*mine.to_pydict().values(), strict=True)) if mine.num_rows else set()
    return found


def _stale(task: Task, store: RunStore, good: set[str]) -> list[str]:
    """Files of a sealed run that a fresh one may not have: all that it lists but those of the shards that stay."""
    listed = set(read_run(store.path).record["files"])
    mine = {
        str(name)
        for key in good
        for name in parse_json((store.shards / key / ABOUT).read_bytes(), ABOUT).get(FILES, {})
    }
    gone = {name for name in listed - mine if not name.startswith(f"{store.shards.name}/") and name != PLAN}
    return [*sorted(gone), *task.derived]


def _changed(before: Mapping[str, Any], now: Mapping[str, Any], store: RunStore) -> list[str]:
    """Names of what is other in the plan now; an error where that is more than the content of inputs."""
    names = different(before, now)
    if not all(map(of_content, names)):
        raise EvalkitError(f"{store.path} holds another run ({apart(before, now)}); {FRESH}")
    return names
