"""Decoy keys over images whose codes are known: seconds and peak memory of a process of its own, for two sizes of folder.

`keys`: 500 decoys of one list over 16,384 codes, 256 codes an image, scored and ranked as a detection does it, a shard of
2,048 images at a time. `detect`: the whole of `detect_mark` with 500 decoys over files of 64 px (world-vq) that the cache
knows. CPU seconds say more than wall seconds where the machine is shared.

python benchmarks/speed/decoys.py [--images 20000] [--threads 2] [--work keys]  (rows of that work in results/decoys.csv)
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from common import machine, peak_mb, write

KEYS, SHARD, VOCABULARY, TOKENS = 500, 2048, 16384, 256


def measured(work: Any, before: float) -> dict[str, float]:
    """Wall and CPU seconds, and the peak of memory, in MB."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    peak = peak_mb()
    return {
        "wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu, "peak_mb": peak, "before_mb": before
    }  # fmt: skip


def keys(images: int, threads: int) -> dict[str, float]:
    """Scores and ranks alone."""
    from evalkit.watermark.decoys.families import decoys_of
    from evalkit.watermark.decoys.ranks import ranked
    from evalkit.watermark.keys import Key
    from evalkit.watermark.methods import MarkSpec, build_mark

    mark = build_mark(MarkSpec("lbw"), Key(bytes(range(32))), "speed@x", VOCABULARY)
    law = 1 / np.arange(1, VOCABULARY + 1) ** 0.5
    ends = np.cumsum(law / law.sum())

    def codes(start: int) -> Any:
        draws = np.random.default_rng(start).random((min(SHARD, images - start), TOKENS), dtype=np.float32)
        return np.minimum(np.searchsorted(ends, draws), VOCABULARY - 1)

    with tempfile.TemporaryDirectory() as place:
        starts = range(0, images, SHARD)
        for start in starts:  # the cache, which is there already
            np.save(Path(place) / f"codes-{start}.npy", codes(start).astype(np.uint16))

        def stored() -> Iterator[Any]:
            for start in starts:
                yield np.load(Path(place) / f"scores-{start}.npy")

        def work() -> None:
            decoys = decoys_of(mark, KEYS, "speed")
            for start in starts:
                some = np.load(Path(place) / f"codes-{start}.npy").astype(np.int64)
                scores = np.concatenate([decoys.scores(some), mark.score(some).green[:, None]], axis=1)
                np.save(Path(place) / f"scores-{start}.npy", scores.astype(np.uint16))
            ranked(stored, 0.01)

        return measured(work, peak_mb())


def detect(images: int, threads: int) -> dict[str, float]:
    """The whole detection, of files whose codes the cache knows."""
    import torch

    from evalkit.images.encode import png_bytes
    from evalkit.jobs.options import RunOptions
    from evalkit.tokenizers.registry import load_tokenizer
    from evalkit.watermark.detection import detect_mark
    from evalkit.watermark.keys import Key
    from evalkit.watermark.methods import MarkSpec, mark_for

    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as place:
        data, rng = Path(place) / "data", np.random.default_rng(0)
        data.mkdir()
        for number in range(images):
            cells = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
            (data / f"{number:06d}.png").write_bytes(png_bytes(cells))
        tokenizer = load_tokenizer("world-vq", device="cpu")

        def look(number: int, decoys: int) -> None:
            mark = mark_for(MarkSpec("lbw"), Key(bytes([number] * 31) + b"x"), tokenizer)
            options = RunOptions(out=Path(place) / f"run{number}", batch_size=64, keep="none")
            detect_mark(data, mark, tokenizer, decoys=decoys, cache=Path(place) / "c.sqlite", options=options)

        look(0, 0)
        return measured(lambda: look(1, KEYS), peak_mb())


def main() -> None:
    """Measure each size in a process of its own, and write results/decoys.csv."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--work", choices=("keys", "detect"), action="append")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        kind, *rest = json.loads(given.one)
        print(json.dumps({"keys": keys, "detect": detect}[kind](*rest)))
        return
    wanted, threads = given.work or ["keys", "detect"], given.threads
    with (Path(__file__).parent / "results" / "decoys.csv").open() as stream:
        rows: list[dict[str, Any]] = [each for each in csv.DictReader(stream) if each["work"] not in wanted]
    for kind in wanted:
        for images in (given.images, 3 * given.images) if kind == "keys" else (given.images,):
            command = [sys.executable, __file__, "--one", json.dumps([kind, images, threads])]
            environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
            done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
            found = json.loads(done.stdout.splitlines()[-1])
            load = round(os.getloadavg()[0], 1)
            rows.append({"machine": machine(), "threads": threads, "work": kind, "keys": KEYS, "images": images,
                         "load_1_min": load, **{name: round(value, 2) for name, value in found.items()}})  # fmt: skip
    write("decoys", rows)


if __name__ == "__main__":
    main()
