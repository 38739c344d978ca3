"""Heat maps of the images that speak most for a mark: which codes are green, and which were counted; for the eye only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from PIL import Image, ImageDraw

from evalkit.images.encode import png_bytes
from evalkit.images.sample import Pixels
from evalkit.jsonio import parse_json, pretty_json
from evalkit.watermark.detection.grids import maps_of
from evalkit.watermark.detection.scan import Scanner
from evalkit.watermark.mark import Mark, coloured, marks_of

Ints = npt.NDArray[np.int64]
FOLDER = "heat"
INDEX = f"{FOLDER}/index.json"
SIDES = (128, 64)  # px of a panel where there is one, and where there are several: what the page shows them at
LEAST = 5  # px of a cell that shows its shape
# a green code that was counted, one that repeats; a red one, one that repeats; a cell that was not looked at
COLOURS = np.array([(26, 122, 76), (166, 214, 188), (196, 62, 48), (240, 190, 180), (205, 208, 212)], np.uint8)
COUNTED_GREEN, GREEN, COUNTED_RED, RED, UNSEEN = range(5)


def shown(samples: pa.Table, most: int) -> list[dict[str, Any]]:
    """The images with the smallest p, one a group: their place among all images, and list, key, epoch and view found."""
    names = ["id", "log10_p", "list_id", "key_id", "transform", "epoch", "group"]
    names += [name for name in ("regions", "region_share", "gaps") if name in samples.column_names]
    table = samples.select(names)
    log10 = np.nan_to_num(table["log10_p"].to_numpy(), nan=np.inf)
    if "region_share" in names:  # what has marked parts comes before what has none
        log10 = np.where(np.nan_to_num(table["region_share"].to_numpy()) > 0, np.minimum(log10, -3.0), log10)
    group, seen = table["group"].to_pylist(), set()
    found: list[dict[str, Any]] = []
    for place in np.argsort(log10, kind="stable").tolist():
        if len(found) == most or not np.isfinite(log10[place]):
            break
        if group[place] not in seen:  # a copy of an image is not shown beside it
            seen.add(group[place])
            row = table.slice(place, 1).to_pylist()[0]
            found.append(
                {"place": place, "regions": row.get("regions"), "gaps": row.get("gaps")}
                | {name: row[name] for name in ("id", "list_id", "key_id", "transform", "epoch")}
            )
    return found


def heat_maps(scanner: Scanner, rows: Sequence[Mapping[str, Any]]) -> dict[str, bytes]:
    """heat/index.json and the PNG files of `rows`, as `shown` gives them; images that cannot be read any more are left out."""
    files: dict[str, bytes] = {}
    entries: list[dict[str, Any]] = []
    for row in rows:
        if (found := _one(scanner, len(entries), row)) is not None:
            entries.append(found[0])
            files |= found[1]
    return {**files, INDEX: pretty_json(entries)}


def kinds(green: npt.NDArray[np.bool_], units: Ints, known: npt.NDArray[np.bool_]) -> Ints:
    """What each code [N] is: counted green, green again, counted red, red again, or unseen (an index of `COLOURS`)."""
    _, first = np.unique(units, return_index=True)
    counted = np.zeros(len(units), dtype=bool)
    counted[first] = True
    return np.where(~known, UNSEEN, np.where(green, np.where(counted, 0, 1), np.where(counted, 2, 3)))


def panels(kind: Ints, grid: tuple[int, int] | None, scales: tuple[int, ...], side: int | None = None) -> list[Pixels]:
    """A panel uint8 [H, W, 3] for each map of codes; codes without a place fill rows in their order.

    Green cells carry a dot and red ones a stroke, so that the map reads without colours too.
    """
    maps = maps_of(len(kind), grid, scales) or [_rows(len(kind))]
    side = side or SIDES[len(maps) > 1]
    found, start = [], 0
    for rows, columns in maps:
        cells = np.full(rows * columns, UNSEEN)
        part = kind[start : start + rows * columns]
        cells[: len(part)] = part
        start += len(part)
        times = max(LEAST, -(-side // max(rows, columns)))
        drawn = _tiles(times)[cells.reshape(rows, columns)]
        found.append(drawn.swapaxes(1, 2).reshape(rows * times, columns * times, 3))
    return found


def _one(scanner: Scanner, rank: int, row: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, bytes]] | None:
    """An image's entry and its files; None where it cannot be read any more."""
    reader, views = scanner.reader, ["", *(view.name for view in scanner.views)]
    view = views.index(row["transform"])
    image, codes = reader.image(row["place"]), scanner.codes_of(row["place"], view)
    if image is None or codes is None:
        return None
    if view:
        image, _ = scanner.views[view - 1].look(image)
    reader.learn_layout()
    kind = _coloured(scanner.mark, codes, row)
    drawn = panels(kind, reader.grid, reader.scales or ())
    files = {
        f"{FOLDER}/{rank:03d}-{number:02d}.png": png_bytes(panel, compress=9) for number, panel in enumerate(drawn)
    }
    small = outlined(image, row.get("regions"), row.get("gaps"))
    small.thumbnail((512, 512))
    name = f"{FOLDER}/{rank:03d}-image.png"
    counts = {
        each: int((kind == number).sum()) for number, each in enumerate(("green", "green_again", "red", "red_again"))
    }
    entry = {"id": row["id"], "image": name, "panels": list(files), **counts}
    return entry, {**files, name: png_bytes(np.asarray(small), compress=9)}


def outlined(image: Pixels, regions: str | None, gaps: str | None = None) -> Image.Image:
    """The image with a frame around each region that carries the mark, and a dark one with a cross around each gap."""
    found = Image.fromarray(image)
    drawer, (width, height) = ImageDraw.Draw(found), found.size
    line = max(2, width // 96)
    for said, colour in ((regions, (196, 62, 48)), (gaps, (20, 20, 20))):
        for each in parse_json(said.encode(), "regions") if said else []:
            left, top, right, bottom = each["box"]
            box = (left * width, top * height, right * width - 1, bottom * height - 1)
            drawer.rectangle(box, outline="white", width=2 * line)
            drawer.rectangle(box, outline=colour, width=line)
            if said is gaps:
                drawer.line(box, fill=colour, width=line)
                drawer.line((box[2], box[1], box[0], box[3]), fill=colour, width=line)
    return found


def _coloured(mark: Mark, codes: Ints, row: Mapping[str, Any]) -> Ints:
    """The kind of each code under the list that was found."""
    mine = next(
        m for m in marks_of(mark) if (m.key.id, str(m.as_dict().get("epoch", ""))) == (row["key_id"], row["epoch"])
    )
    green, units = coloured(mine, codes, row["list_id"])
    known: npt.NDArray[np.bool_] = np.asarray((codes >= 0).reshape(len(codes), -1).all(1), dtype=np.bool_)
    return kinds(green, units, known)


def _rows(count: int) -> tuple[int, int]:
    columns = int(np.ceil(count**0.5))
    return -(-count // columns), columns


def _tiles(side: int) -> Pixels:
    """The cell of each kind, uint8 [5, side, side, 3]: its colour, its shape, and a thin line where there is room."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    dot, stroke = x**2 + y**2 <= (side / 5) ** 2, np.abs(x - y) <= max(0.5, side / 12)
    tiles = np.broadcast_to(COLOURS[:, None, None], (len(COLOURS), side, side, 3)).copy()
    tiles[COUNTED_GREEN][dot] = tiles[COUNTED_RED][stroke] = 255
    tiles[GREEN][dot], tiles[RED][stroke] = COLOURS[COUNTED_GREEN], COLOURS[COUNTED_RED]
    if side >= 8:
        tiles[:, 0] = tiles[:, :, 0] = 255
    return tiles
