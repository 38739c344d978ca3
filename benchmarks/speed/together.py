"""What decoy keys cost where images come together: messages of an image, and forms of known images in a service.

    python benchmarks/speed/together.py

CPU milliseconds on one thread. `message`: the presence of a message under 99 decoys in one image (codes of a Zipf law).
`form`: 60 images whose codes are known, four keys (as in serve.py), judged one by one and together by decoys, an image.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import write
from serve import BATCH, a_ring, some_images

from evalkit.watermark.decoys.families import decoys_of
from evalkit.watermark.detection.decoy_scores import READ
from evalkit.watermark.keys import Key
from evalkit.watermark.methods import MarkSpec, build_mark
from evalkit.watermark.service.engine import Engine, Settings, Upload

MESSAGES = (
    (16, "places", 64, 256),
    (32, "places", 256, 512),
    (64, "codes", 400, 8192),
)  # bits, carrier, codes, vocabulary
IMAGES, ROUNDS = 4, 5


def spent(work: Callable[[], Any], images: int) -> float:
    """Median CPU milliseconds an image; the first round is not counted."""
    seconds = []
    for _ in range(ROUNDS + 1):
        begun = time.process_time()
        work()
        seconds.append(time.process_time() - begun)
    return round(statistics.median(seconds[1:]) / images * 1e3, 2)


def message(bits: int, carrier: str, codes: int, vocabulary: int) -> float:
    """Scores of an image under all decoys."""
    law = 1 / np.arange(1, vocabulary + 1) ** 1.2
    drawn = np.random.default_rng(bits).choice(vocabulary, (IMAGES, codes), p=law / law.sum())
    mark = build_mark(MarkSpec("payload", layout=f"id:{bits}", carrier=carrier), Key(bytes(32)), "speed@x", vocabulary)
    decoys = decoys_of(mark, READ, "speed")
    return spent(lambda: decoys.scores(drawn), IMAGES)


def form(folder: Path, *, decoys: bool) -> float:
    """An engine that knows the images."""
    engine = Engine(folder / "ring", Settings(cache=str(folder / "codes"), decoys=decoys, threads=1))
    uploads = [Upload(data) for data in some_images()[:BATCH]]
    found = spent(lambda: engine.look(uploads, together=True), BATCH)
    engine.close()
    return found


def main() -> None:
    """Measure, and write results/together.csv."""
    torch.set_num_threads(1)
    rows = []
    for bits, carrier, codes, vocabulary in MESSAGES:
        what = f"message of {bits} bits in {codes} {carrier}, {READ} decoys"
        rows.append({"work": what, "cpu_ms_an_image": message(bits, carrier, codes, vocabulary)})
    with tempfile.TemporaryDirectory() as folder:
        a_ring(Path(folder))
        for decoys in (False, True):
            what = f"form of {BATCH} known images, 4 keys, {'decoys' if decoys else 'one by one'}"
            rows.append({"work": what, "cpu_ms_an_image": form(Path(folder), decoys=decoys)})
    write("together", rows)


if __name__ == "__main__":
    main()
