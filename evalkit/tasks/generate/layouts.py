"""Folders as other projects' scorers expect them, made of a finished run by hard links where the disk allows."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from evalkit.errors import EvalkitError
from evalkit.images.decode import decode_image
from evalkit.jsonio import parse_json
from evalkit.runs.store import Run
from evalkit.text import counted


def write_layout(run: Run, layout: str) -> Path:
    """Write the run's images as `layout` into a folder of that name in the run, and give its path back.

    `geneval`: NNNNN/samples/KKKK.png with metadata.jsonl in each prompt's folder. `wise`: <prompt id>.png of the first
    samples, and of each later one in a folder of its own (sample-01/). `npz50k`: samples.npz with arr_0, uint8
    [N, H, W, 3], as the ADM evaluator reads it. index.jsonl says of every image that was asked for where it lies, or why
    it does not.
    """
    if layout not in LAYOUTS:
        raise EvalkitError(f"there is no layout called {layout!r}; give one of {', '.join(LAYOUTS)}")
    rows = [row for row in run.samples.to_pylist() if row["error"] is None]
    if not rows:
        raise EvalkitError(
            f"{run.path} holds no image, so there is nothing to lay out as {layout}. Give --retry-failed"
        )
    folder = run.path / layout
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    places = LAYOUTS[layout](run, rows, folder)
    lines = [_index(row, places.get(row["id"])) for row in run.samples.to_pylist()]
    (folder / "index.jsonl").write_text("".join(lines), encoding="utf-8", errors="surrogatepass")
    return folder


def _index(row: dict[str, Any], place: str | None) -> str:
    said = {name: row[name] for name in ("id", "prompt_id", "sample", "file")}
    return json.dumps({**said, "place": place, "error": row["error"]}, ensure_ascii=False) + "\n"


def _geneval(run: Run, rows: list[dict[str, Any]], folder: Path) -> dict[str, str]:
    places: dict[str, str] = {}
    order = {prompt: number for number, prompt in enumerate(dict.fromkeys(run.samples["prompt_id"].to_pylist()))}
    for row in rows:
        place = folder / f"{order[row['prompt_id']]:05d}"
        (place / "samples").mkdir(parents=True, exist_ok=True)
        meta = {**parse_json(row["meta"] or "{}", "the meta of a row", surrogates=True), "prompt": row["prompt"]}
        (place / "metadata.jsonl").write_text(json.dumps(meta, ensure_ascii=False) + "\n", encoding="utf-8")
        image = place / "samples" / f"{row['sample']:04d}.png"
        _link(run.path / row["file"], image)
        places[row["id"]] = image.relative_to(folder).as_posix()
    return places


def _wise(run: Run, rows: list[dict[str, Any]], folder: Path) -> dict[str, str]:
    taken: dict[str, str] = {}
    places: dict[str, str] = {}
    for row in rows:
        name = f"{_safe(row['prompt_id'])}.png"
        other = taken.setdefault(name.lower(), row["prompt_id"])
        if other != row["prompt_id"]:
            raise EvalkitError(
                f"the prompts {other!r} and {row['prompt_id']!r} would both be {name} in the layout wise; rename one"
            )
        places[row["id"]] = f"sample-{row['sample']:02d}/{name}" if row["sample"] else name
    for row in rows:
        image = folder / places[row["id"]]
        image.parent.mkdir(exist_ok=True)
        _link(run.path / row["file"], image)
    return places


def _npz(run: Run, rows: list[dict[str, Any]], folder: Path) -> dict[str, str]:
    sizes = {(row["height"], row["width"]) for row in rows}
    if len(sizes) > 1:
        raise EvalkitError(f"npz50k holds images of one size; this run has {len(sizes)} sizes")
    ((height, width),) = sizes
    target = folder / "arr_0.npy"
    array = np.lib.format.open_memmap(target, mode="w+", dtype=np.uint8, shape=(len(rows), height, width, 3))
    for number, row in enumerate(rows):
        array[number] = decode_image((run.path / row["file"]).read_bytes())
    array.flush()
    import zipfile

    with zipfile.ZipFile(folder / "samples.npz", "w", allowZip64=True) as archive:
        archive.write(target, "arr_0.npy")
    target.unlink()
    return {row["id"]: f"samples.npz arr_0[{number}]" for number, row in enumerate(rows)}


def left_out(run: Run, layout: str) -> str:
    """How many images a layout lacks because they were not made, in one sentence; nothing where all of them are there."""
    failed = run.samples.num_rows - run.samples["error"].null_count
    if not failed:
        return ""
    return f"the layout {layout} lacks {counted(failed, 'image')} that could not be made; see {layout}/index.jsonl"


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name).lstrip(".") or "_"


LAYOUTS: dict[str, Callable[[Run, list[dict[str, Any]], Path], dict[str, str]]] = {
    "geneval": _geneval,
    "wise": _wise,
    "npz50k": _npz,
}
