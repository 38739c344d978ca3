"""Folders as other projects' scorers expect them, made of a finished run by hard links where the disk allows."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from evalkit.errors import EvalkitError
from evalkit.runs.store import Run
from evalkit.text import counted


def write_layout(run: Run, layout: str) -> Path:
    """Write the run's pictures as `layout` into a folder of that name in the run, and give its path back.

    `geneval`: NNNNN/samples/KKKK.png with metadata.jsonl in each prompt's folder. `wise`: <prompt id>.png, first sample.
    `npz50k`: samples.npz with arr_0, uint8 [N, H, W, 3], as the ADM evaluator reads it.
    """
    if layout not in LAYOUTS:
        raise EvalkitError(f"there is no layout called {layout!r}; give one of {', '.join(LAYOUTS)}")
    rows = [row for row in run.samples.to_pylist() if row["error"] is None]
    if not rows:
        raise EvalkitError(f"{run.path} holds no image, so there is nothing to lay out as {layout}")
    folder = run.path / layout
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    LAYOUTS[layout](run, rows, folder)
    return folder


def _geneval(run: Run, rows: list[dict[str, Any]], folder: Path) -> None:
    order = {prompt: number for number, prompt in enumerate(dict.fromkeys(run.samples["prompt_id"].to_pylist()))}
    for row in rows:
        place = folder / f"{order[row['prompt_id']]:05d}"
        (place / "samples").mkdir(parents=True, exist_ok=True)
        meta = {**json.loads(row["meta"] or "{}"), "prompt": row["prompt"]}
        (place / "metadata.jsonl").write_text(json.dumps(meta, ensure_ascii=False) + "\n", encoding="utf-8")
        _link(run.path / row["file"], place / "samples" / f"{row['sample']:04d}.png")


def _wise(run: Run, rows: list[dict[str, Any]], folder: Path) -> None:
    taken: dict[str, str] = {}
    files: list[tuple[str, str]] = []
    for row in (each for each in rows if each["sample"] == 0):
        name = f"{_safe(row['prompt_id'])}.png"
        other = taken.setdefault(name.lower(), row["prompt_id"])
        if other != row["prompt_id"]:
            raise EvalkitError(
                f"the prompts {other!r} and {row['prompt_id']!r} would both be {name} in the layout wise; rename one"
            )
        files.append((row["file"], name))
    for file, name in files:
        _link(run.path / file, folder / name)


def _npz(run: Run, rows: list[dict[str, Any]], folder: Path) -> None:
    sizes = {(row["height"], row["width"]) for row in rows}
    if len(sizes) > 1:
        raise EvalkitError(f"npz50k holds images of one size; this run has {len(sizes)} sizes")
    ((height, width),) = sizes
    target = folder / "arr_0.npy"
    array = np.lib.format.open_memmap(target, mode="w+", dtype=np.uint8, shape=(len(rows), height, width, 3))
    for number, row in enumerate(rows):
        array[number] = np.asarray(Image.open(run.path / row["file"]))
    array.flush()
    import zipfile

    with zipfile.ZipFile(folder / "samples.npz", "w", allowZip64=True) as archive:
        archive.write(target, "arr_0.npy")
    target.unlink()


def left_out(run: Run, layout: str) -> str:
    """What of the run is not in a layout, in one sentence; nothing where all of it is.

    `wise` takes the first sample of each prompt; no layout holds an image that was not made.
    """
    failed = run.samples.num_rows - run.samples["error"].null_count
    later = sum(
        row["error"] is None and row["sample"] > 0 for row in run.samples.select(["error", "sample"]).to_pylist()
    )
    parts = [counted(failed, "image") + " not made"] if failed else []
    parts += [counted(later, "image") + " beyond the first of a prompt"] if later and layout == "wise" else []
    return f"the layout {layout} leaves out {' and '.join(parts)}" if parts else ""


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name).lstrip(".") or "_"


LAYOUTS: dict[str, Callable[[Run, list[dict[str, Any]], Path], None]] = {
    "geneval": _geneval,
    "wise": _wise,
    "npz50k": _npz,
}
