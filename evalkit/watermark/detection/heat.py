"""Heat maps of the images that speak most for a mark: which codes are green, and which were counted; for the eye only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from PIL import Image

from evalkit.images.encode import png_bytes
from evalkit.images.sample import Pixels
from evalkit.jsonio import pretty_json
from evalkit.runs.store import write_bytes
from evalkit.watermark.detection.grids import maps_of
from evalkit.watermark.detection.rows import marks_of

if TYPE_CHECKING:
    from evalkit.watermark.detection.job import DetectJob

Ints = npt.NDArray[np.int64]
FOLDER = "heat"
SIDES = (128, 64)  # px of a panel where there is one, and where there are several: what the page shows them at
# a green code that was counted, one that repeats; a red one, one that repeats; a cell that was not looked at
COLOURS = np.array([(26, 122, 76), (166, 214, 188), (196, 62, 48), (240, 190, 180), (205, 208, 212)], np.uint8)
COUNTED_GREEN, GREEN, COUNTED_RED, RED, UNSEEN = range(5)


def write_heat_maps(folder: Path, job: DetectJob) -> None:
    """heat/index.json and the PNG files of the images with the smallest p of the run that lies in `folder`, one a group."""
    names = ["id", "log10_p", "list_id", "key_id", "transform", "epoch", "group"]
    table = pq.read_table(folder / "samples.parquet", columns=names)
    log10 = np.nan_to_num(table["log10_p"].to_numpy(), nan=np.inf)
    group, shown = table["group"].to_pylist(), set()
    entries: list[dict[str, Any]] = []
    for place in np.argsort(log10, kind="stable").tolist():
        if len(entries) == job.request.heat_maps or not np.isfinite(log10[place]):
            break
        if group[place] in shown:  # a copy of an image that is there already
            continue
        entry = _one(folder, job, len(entries), place, table.slice(place, 1).to_pylist()[0])
        if entry is not None:
            shown.add(group[place])
            entries.append(entry)
    write_bytes(folder / FOLDER / "index.json", pretty_json(entries))


def kinds(green: npt.NDArray[np.bool_], units: Ints, known: npt.NDArray[np.bool_]) -> Ints:
    """What each code [N] is: counted green, green again, counted red, red again, or unseen (an index of `COLOURS`)."""
    _, first = np.unique(units, return_index=True)
    counted = np.zeros(len(units), dtype=bool)
    counted[first] = True
    return np.where(~known, UNSEEN, np.where(green, np.where(counted, 0, 1), np.where(counted, 2, 3)))


def panels(kind: Ints, grid: tuple[int, int] | None, scales: tuple[int, ...], side: int | None = None) -> list[Pixels]:
    """A panel uint8 [H, W, 3] for each map of codes; codes without a place fill rows in their order."""
    maps = maps_of(len(kind), grid, scales) or [_rows(len(kind))]
    side = side or SIDES[len(maps) > 1]
    found, start = [], 0
    for rows, columns in maps:
        cells = np.full(rows * columns, UNSEEN)
        part = kind[start : start + rows * columns]
        cells[: len(part)] = part
        start += len(part)
        times = max(1, -(-side // max(rows, columns)))
        picture = COLOURS[cells.reshape(rows, columns)].repeat(times, 0).repeat(times, 1)
        found.append(_ruled(picture, times))
    return found


def _one(folder: Path, job: DetectJob, rank: int, place: int, row: dict[str, Any]) -> dict[str, Any] | None:
    """Files of one image, and their entry; None where it cannot be read any more."""
    view = job.views.index(row["transform"])
    picture, codes = job.reader.picture(place), job.scanner.codes_of(place, view)
    if picture is None or codes is None:
        return None
    if view:
        picture, _ = job.request.views[view - 1].look(picture)
    members = marks_of(job.request.mark)
    mark = next(m for m in members if (m.key.id, str(m.as_dict().get("epoch", ""))) == (row["key_id"], row["epoch"]))
    job.reader.learn_layout()
    green: npt.NDArray[np.bool_] = mark.colours(codes, row["list_id"])
    known = codes >= 0
    if codes.ndim > 1:  # of a code of bits, whether most of them are green
        green = np.array(green.mean(1) >= 0.5, dtype=np.bool_)
        known = np.array(known.all(1), dtype=np.bool_)
    kind = kinds(green, _one_number_each(mark.units(codes)), known)
    files = []
    for number, panel in enumerate(panels(kind, job.reader.grid, job.reader.scales or ())):
        files.append(f"{FOLDER}/{rank:03d}-{number:02d}.png")
        write_bytes(folder / files[-1], png_bytes(panel, compress=9))
    name = f"{FOLDER}/{rank:03d}-picture.png"
    small = Image.fromarray(picture)
    small.thumbnail((512, 512))
    write_bytes(folder / name, png_bytes(np.asarray(small), compress=9))
    shares = {
        each: int((kind == number).sum()) for number, each in enumerate(("green", "green_again", "red", "red_again"))
    }
    return {"id": row["id"], "picture": name, "panels": files, **shares}


def _one_number_each(units: Ints) -> Ints:
    """Units as one number a code, also where a code has several."""
    if units.ndim == 1:
        return units
    _, numbers = np.unique(units, axis=0, return_inverse=True)
    return np.asarray(numbers).reshape(-1)


def _rows(count: int) -> tuple[int, int]:
    columns = int(np.ceil(count**0.5))
    return -(-count // columns), columns


def _ruled(picture: Pixels, times: int) -> Pixels:
    """Thin lines between cells that are large enough for them."""
    if times >= 8:
        picture[::times] = 255
        picture[:, ::times] = 255
    return picture


__all__ = ["COLOURS", "kinds", "panels", "write_heat_maps"]
