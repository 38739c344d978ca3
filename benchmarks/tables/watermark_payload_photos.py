"""Messages in photographs after edits, read by the template's place: presence, wrong bits, wrong messages.

    python benchmarks/tables/watermark_payload_photos.py --photos 6:8 --held FOLDER --rows ROWS.csv

Leaves watermark-payload-photos.csv beside this script, of all rows so far. Photographs (those of watermark_peers.py; from the
seventh on they chose no setting) are marked at their own size through world-vq:128 at 40 dB, with a message by places, 256 of
them, and another message for each photograph and layout. Presence: exact p at most 1e-3 by the default search. The
message is read in the view of the smaller p, in every image, also where no presence was found.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from watermark_peers import photographs, write

from evalkit.images import open_images
from evalkit.images.sample import Pixels
from evalkit.tokenizers.base import Tokenizer
from evalkit.tokenizers.registry import load_tokenizer
from evalkit.watermark.attacks.spelling import Options, read_attacks
from evalkit.watermark.detection.cache import CodeCache
from evalkit.watermark.detection.reader import Reader
from evalkit.watermark.detection.search import TEMPLATED, prices, read_search
from evalkit.watermark.detection.views import View
from evalkit.watermark.embed.nudge import Nudge
from evalkit.watermark.keys import Key
from evalkit.watermark.methods import MarkSpec, mark_for
from evalkit.watermark.methods.payload import PayloadMark
from evalkit.watermark.robustness import TokenMark

OUT = Path(__file__).parent
LAYOUTS, KEY, ALPHA = (8, 16, 32), Key(bytes(range(40, 72))), 1e-3
VIEWS = (View(), *read_search(TEMPLATED, 8))
EDITS = ("png", "jpeg:75", "jpeg:50", "resize:0.5", "crop:0.9:centre", "crop:0.9:corner", "shift:7:5", "flip")


def seen(image: Pixels, tokenizer: Tokenizer, mark: PayloadMark) -> tuple[float, int]:
    """(log10 p at its price, message) of an image."""
    with tempfile.TemporaryDirectory() as folder:
        Image.fromarray(image).save(Path(folder) / "a.bmp")
        reader = Reader(open_images(folder), tokenizer, CodeCache(":memory:"))
        reader.seek([mark.key])
        seen = dict(reader.views(0, VIEWS))
    codes = np.stack(list(seen.values()))
    price = dict(zip(VIEWS, np.log(prices(VIEWS[1:])), strict=True))
    log_p = mark.score(codes).log_p + np.array([price[view] for view in seen])
    best = int(log_p.argmin())
    return min(0.0, float(log_p[best] / np.log(10))), mark.read(codes[best])[0]


def measured(name: str, photo: Pixels, tokenizer: Tokenizer, seed: int) -> Iterator[dict[str, Any]]:
    """A row for each layout and edit of one photograph."""
    rng = np.random.default_rng(seed)
    for bits in LAYOUTS:
        message = int(rng.integers(0, 2**bits))
        spec = MarkSpec("payload", layout=f"id:{bits}", carrier="places", message=f"id={message}")
        mark: Any = mark_for(spec, KEY, tokenizer)
        marked = TokenMark(mark, tokenizer, nudge=Nudge()).mark([photo], ["a"])[0]
        for edit in EDITS:
            (attack,) = read_attacks([edit], Options())
            log10_p, read = seen(attack.apply(marked, 0), tokenizer, mark)
            wrong = (read ^ message).bit_count() / bits
            yield {"photo": name, "bits": bits, "edit": edit, "log10_p": round(log10_p, 3), "bits_wrong": wrong}


def table(rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """A row for each layout and edit."""
    for bits, edit in dict.fromkeys((int(row["bits"]), row["edit"]) for row in rows):
        mine = [row for row in rows if (int(row["bits"]), row["edit"]) == (bits, edit)]
        wrong = np.array([float(row["bits_wrong"]) for row in mine])
        logs = np.array([float(row["log10_p"]) for row in mine])
        found = logs <= np.log10(ALPHA) + 1e-9
        yield {
            "bits": bits, "edit": edit, "images": len(mine), "presence_found": int(found.sum()),
            "median_log10_p": round(float(np.median(logs)), 1), "bit_error": round(float(wrong.mean()), 4),
            "messages_wrong": int((wrong > 0).sum()), "wrong_where_found": int((wrong[found] > 0).sum()),
        }  # fmt: skip


def main() -> None:
    """Measure some photographs, and write what all pieces say after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", default="6:100", help="which, as FIRST:LAST")
    parser.add_argument("--held", help="a folder of more photographs")
    parser.add_argument("--rows", type=Path, default=Path("watermark-payload-photos-rows.csv"))
    asked = parser.parse_args()
    first, last = map(int, asked.photos.split(":"))
    done: list[dict[str, Any]] = list(csv.DictReader(asked.rows.open(newline=""))) if asked.rows.exists() else []
    tokenizer = load_tokenizer("world-vq:128", device="cpu")
    for at, (name, _, photo) in list(enumerate(photographs(asked.held)))[first:last]:
        if name not in {row["photo"] for row in done}:
            done += measured(name, photo, tokenizer, at)
            write(asked.rows, done)
            write(OUT / "watermark-payload-photos.csv", list(table(done)))
            print(name, flush=True)


if __name__ == "__main__":
    main()
