"""`watermark_robustness`: images are marked, attacked and tested, marked and unmarked alike; the same call resumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.images import open_images
from evalkit.images.sample import ImageSet, Sample
from evalkit.jobs.data import data_ref, told
from evalkit.jobs.engine_inline import run_task
from evalkit.jobs.live import hold
from evalkit.jobs.options import EngineOptions, check_apart
from evalkit.jobs.progress import Progress
from evalkit.jobs.spec import DataRef, Spec
from evalkit.jsonio import parse_json
from evalkit.runs.store_objects import open_store
from evalkit.watermark.attacks.base import Attack
from evalkit.watermark.identity import PREPARE
from evalkit.watermark.robustness.blocks import SIZE
from evalkit.watermark.robustness.contenders import Contender
from evalkit.watermark.robustness.more import with_more
from evalkit.watermark.robustness.opening import contender_said, contender_sources, tokenizer_refs
from evalkit.watermark.robustness.quality import lpips_ref
from evalkit.watermark.robustness.rows import LPIPS, UNMARKED, folder_name, reason_of
from evalkit.watermark.robustness.summary import LEVELS
from evalkit.watermark.robustness.task import JSON, ROBUSTNESS

VERSION = 1


@dataclass(frozen=True)
class RobustnessRun:
    """What a run left: its folder, a row for each contender and attack, what marking cost, and who could not take part."""

    path: Path
    rows: list[dict[str, Any]]
    embedding: list[dict[str, Any]]
    absent: dict[str, str] = field(default_factory=dict)  # contender: reason
    failed: dict[str, str] = field(default_factory=dict)  # image or attack: reason


def watermark_robustness(
    data: str | Path,
    contenders: Sequence[Contender],
    attacks: Sequence[Attack],
    out: str | Path,
    *,
    side: int,
    marked: str | Path | None = None,
    limit: int | None = None,
    seed: int = 0,
    levels: Sequence[float] = LEVELS,
    absent: Mapping[str, str] | None = None,
    device: str = "auto",
    dtype: str = "float32",
    weights: Sequence[str] = (),
    command: Sequence[str] = (),
    progress: Progress | None = None,
    retry_failed: bool = False,
    engine: EngineOptions | None = None,
) -> RobustnessRun:
    """Mark the images of `data` with every contender, attack marked and unmarked ones alike, and test all of them.

    All work on the same squares of `side` pixels. `marked`: images that carry the first contender's mark already (made so
    by a generator), instead of marking `data` with it. `device`, `dtype`, `weights`: of attacks that hold networks, where
    another process makes them. Leaves a sealed run with robustness.csv, robustness.json and report.html; called again on
    the same folder, attacks that are new and those that failed are done. Raises `EvalkitError` where `out` lies within
    the data or holds another run, or no image can be read.
    """
    target = Path(out)
    check_apart(data, target)
    _check_names(contenders)
    sets = {role: open_images(each) for role, each in (("data", data), ("marked", marked)) if each is not None}
    model, reason = lpips_ref()
    planned, failed = _planned(attacks)
    here = {
        **_sources(contenders, attacks),
        **{role: told(images, progress or Progress()) for role, images in sets.items()},
        "absent": dict(absent or {}),
        "failed": failed,
        "lpips_unavailable": reason,
        "dtype": dtype,
        "weights": list(weights),
    }
    said = [contender_said(each, given=marked is not None and number == 0) for number, each in enumerate(contenders)]
    measured = {"side": side, "prepare": PREPARE, "levels": [float(level) for level in levels]}
    spec = Spec(
        ROBUSTNESS.name,
        VERSION,
        {**tokenizer_refs(contenders), **({} if model is None else {LPIPS: model})},
        {role: _ref(images, limit, marked if role == "marked" else data) for role, images in sets.items()},
        parameters={"contenders": said, "attacks": planned, **measured},
        seed=seed,
        shard=SIZE,
        here=here,
    )
    store = open_store(target)
    if store.sealed and not retry_failed:
        spec = with_more(store, spec)
    elif not store.sealed:
        _check_readable(sets["data"], spec.inputs["data"].n, data)
    run = run_task(
        ROBUSTNESS,
        spec,
        target,
        command=command,
        device=device,
        progress=progress,
        engine=engine,
        retry_failed=retry_failed,
    )
    said = parse_json((run.path / JSON).read_bytes(), JSON)
    return RobustnessRun(run.path, said["rows"], said["embedding"], said["absent"], said["failed"])


def _sources(contenders: Sequence[Contender], attacks: Sequence[Attack]) -> dict[str, Any]:
    """Objects of this process by name, and what another one makes them from."""
    return {
        "contenders": {each.name: contender_sources(each) for each in contenders},
        "attacks": {each.name: hold(each) for each in attacks},
    }


def _planned(attacks: Sequence[Attack]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """What a plan says of attacks, and why it can say nothing of some (weights that are not here)."""
    planned, failed = [], {}
    for each in attacks:
        try:
            planned.append({"record": each.record(), "folder": each.folder, "network": each.network})
        except EvalkitError as error:
            failed[each.name] = reason_of(error)
    return planned, failed


def _check_names(contenders: Sequence[Contender]) -> None:
    """Contenders have folders of their own."""
    names = [each.name for each in contenders]
    if len({UNMARKED, *map(folder_name, names)}) <= len(names):
        raise EvalkitError(f"two contenders have one name: {', '.join(names)}")


def _check_readable(images: ImageSet, n: int, data: str | Path) -> None:
    if not any(isinstance(each, Sample) for at in range(n) for each in images.read(at, at + 1, threads=1)):
        raise EvalkitError(f"{data} holds no readable image. Give a folder with images")


def _ref(images: ImageSet, limit: int | None, source: str | Path | None) -> DataRef:
    return data_ref(images, min(limit or len(images), len(images)), source)
