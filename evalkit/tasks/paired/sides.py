"""Which image of a run belongs to which of the baseline, and what both records say of their making."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.images.sample import ImageSet
from evalkit.jsonio import read_json_lines
from evalkit.metrics.generation import PEAK_MEMORY
from evalkit.runs.sealed import check_sealed
from evalkit.runs.store import RECORD, Run, read_run

MANIFEST = "manifest.jsonl"  # which holds the seconds of each image


@dataclass(frozen=True)
class Made:
    """One image of a side: its `position` in the set, and what the run that made it says of it (nothing of a folder)."""

    position: int
    prompt_id: str | None = None
    prompt: str | None = None
    seed: int | None = None
    seconds: float | None = None
    evaluations: int | None = None


def side_of(images: ImageSet, source: str, n: int | None = None) -> dict[str, Made]:
    """The first `n` images by what pairs them: the id of the request, or of a folder the path without its ending.

    Raises `EvalkitError` where two images have one name.
    """
    run = run_behind(source)
    ids = list(images.ids()[:n])
    rows = {} if run is None else _rows(run)
    found: dict[str, Made] = {}
    for position, id in enumerate(ids):
        row = rows.get(id, {})
        key = str(row.get("id") or PurePosixPath(id).with_suffix(""))
        if key in found:
            raise EvalkitError(f"{source} holds two images called {key}. Give a folder in which names differ")
        told = {name: row.get(name) for name in ("prompt_id", "prompt", "seed", "seconds", "evaluations")}
        found[key] = Made(position, **told)
    return found


def run_behind(source: str) -> Run | None:
    """The run of `evalkit generate` whose images lie in the folder `source`; None where no run does."""
    folder = Path(source).parent
    if not (folder / RECORD).is_file():
        return None
    run = read_run(folder)
    return run if {"id", "file", "seed"} <= set(run.samples.column_names) else None


def cost_of(run: Run | None) -> dict[str, Any]:
    """What a record says of the machine and the memory of a generation; empty for a mere folder."""
    if run is None:
        return {}
    record = run.record
    model, where = record.get("model") or {}, record.get("environment") or {}
    return {
        "device": model.get("device"),
        "machine": [where.get(name) for name in ("gpu", "machine", "cpus")],
        "rows": model.get("rows"),
        "acceleration": (record.get("acceleration") or {}).get("kind"),
        "memory": (record.get("memory") or {}).get(PEAK_MEMORY.name),
        "memory_of": (record.get("memory") or {}).get("peak_memory_of"),
    }


def check_pairs(mine: Mapping[str, Made], other: Mapping[str, Made], names: tuple[str, str]) -> None:
    """Raises `EvalkitError` unless both sides share images, and those that were drawn share prompts and seeds."""
    common = [key for key in mine if key in other]
    if not common:
        raise EvalkitError(
            f"{names[0]} and {names[1]} share no image: their ids differ. Give two runs of the same prompts, or folders "
            "with equal file names"
        )
    for word in ("prompt", "seed"):
        unlike = [key for key in common if getattr(mine[key], word) != getattr(other[key], word)]
        known = [key for key in unlike if None not in (getattr(mine[key], word), getattr(other[key], word))]
        if known:
            raise EvalkitError(
                f"{known[0]} was drawn with another {word} in {names[1]} than in {names[0]}. "
                f"Make both runs with the same --prompts, --samples and --seed"
            )


def _rows(run: Run) -> dict[str, dict[str, Any]]:
    """Rows by the image's name below `images/`, with the seconds that the manifest holds."""
    check_sealed(run.path, run.record, (MANIFEST,))
    seconds = _seconds(run.path / MANIFEST)
    rows = [row for row in run.samples.to_pylist() if row["file"]]
    return {
        str(PurePosixPath(row["file"]).relative_to("images")): {**row, "seconds": seconds.get(row["id"])}
        for row in rows
    }


def _seconds(path: Path) -> dict[str, float | None]:
    if not path.is_file():
        return {}
    found: dict[str, float | None] = {}
    for _, row in read_json_lines(path):
        value = row.get("seconds")
        found[str(row.get("id"))] = float(value) if isinstance(value, int | float) and value > 0 else None
    return found
