"""How fast marks are looked for: statistics of 100,000 images under 1,024 lists, the detector beside the tokenizer's own
encoding, and detection from the cache of codes.

Statistics: CPU and wall seconds and peak memory of a process of its own, beside the same counts by plain numpy (a gather
and a sum an image, measured on fewer images). Detector: `detect_mark` over PNG files of
256 px with llamagen-vq16's network (random weights; speed is the same), against the network's encode time alone.
Cache: `detect_mark` with another key over files whose codes are known.

Ratios and CPU seconds say more than wall seconds where the machine is shared; every row has both.

Run: python benchmarks/watermark.py [--threads 2] [--images 100000]  (writes benchmarks/tables/watermark-speed.csv)
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
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).resolve().parent / "speed"))

from common import machine, peak_mb

OUT = Path(__file__).parent / "tables" / "watermark-speed.csv"
VOCABULARY, LISTS, TOKENS = 16384, 1024, 256
PEERS = {"numpy, an image at a time": 200}  # images that they are measured on


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """(wall, CPU) seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def statistics(what: str, images: int, threads: int) -> dict[str, float]:
    """Seconds and peak memory of one candidate, in this process."""
    import torch

    from evalkit.watermark.keys import Key
    from evalkit.watermark.lists import Scheme, make_pool
    from evalkit.watermark.score import score_codes

    torch.set_num_threads(threads)
    lists = 1 if what == "evalkit, one list" else LISTS
    pool = make_pool(
        Key(bytes(32)), "speed", VOCABULARY, Scheme(0.5, lists, "balanced" if lists > 1 else "independent")
    )
    law = 1 / np.arange(1, VOCABULARY + 1) ** 0.5
    ends = np.cumsum(law / law.sum())
    draws = np.random.default_rng(0).random((images, TOKENS), dtype=np.float32)
    codes = np.minimum(np.searchsorted(ends, draws), VOCABULARY - 1).astype(np.uint16)
    del draws
    before = peak_mb()

    def plain() -> list[int]:
        return [int(pool.masks[:, np.unique(row)].sum(1).max()) for row in codes]

    candidates: Mapping[str, Callable[[], Any]] = {"numpy, an image at a time": plain}
    wall, cpu = timed(candidates.get(what, lambda: score_codes(codes, pool)))
    peak = peak_mb()
    return {"wall_s": wall, "cpu_s": cpu, "peak_mb": peak, "before_mb": before}


def pngs(folder: Path, count: int, side: int) -> Path:
    """Files of random soft images, no two alike."""
    from evalkit.images.encode import png_bytes

    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        cells = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        (folder / f"{number:06d}.png").write_bytes(png_bytes(cells.repeat(side // 8, 0).repeat(side // 8, 1)))
    return folder


def detector(count: int, threads: int) -> dict[str, float]:
    """The whole detector's seconds against those of encoding alone."""
    import torch

    from evalkit.jobs.options import RunOptions
    from evalkit.tokenizers.registry import TOKENIZERS, load_tokenizer
    from evalkit.watermark.detection import detect_mark
    from evalkit.watermark.keys import Key
    from evalkit.watermark.methods import MarkSpec, mark_for

    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as place:
        entry: Any = TOKENIZERS.get("llamagen-vq16")
        torch.manual_seed(0)
        torch.save({entry.cls.wrapping[0]: entry.cls.build(entry.config).state_dict()}, Path(place) / "random.pt")
        tokenizer = load_tokenizer("llamagen-vq16", Path(place) / "random.pt", "cpu")
        data = pngs(Path(place) / "data", count, 256)
        mark = mark_for(MarkSpec("lbw", lists=64), Key(bytes(32)), tokenizer)
        x = torch.rand(4, 3, 256, 256)
        tokenizer.encode(x)
        alone, whole = [], []
        for turn in range(3):  # in turn, so that other work on the machine hits both
            with torch.inference_mode():
                alone.append(timed(lambda: [tokenizer.encode(x) for _ in range(count // 4)]))
            options = RunOptions(out=Path(place) / f"run{turn}", batch_size=4, keep="none")
            whole.append(timed(lambda o=options: detect_mark(data, mark, tokenizer, decoys=0, cache=False, options=o)))
    a, b = (np.median(np.array(each), axis=0) for each in (alone, whole))
    return {"pictures": count, "wall_s": b[0], "cpu_s": b[1], "encode_wall_s": a[0], "encode_cpu_s": a[1],
            "times_encode_wall": b[0] / a[0], "times_encode_cpu": b[1] / a[1]}  # fmt: skip


def cached(count: int, threads: int) -> dict[str, float]:
    """Images a second with another key over files whose codes are known."""
    import torch

    from evalkit.jobs.options import RunOptions
    from evalkit.tokenizers.registry import load_tokenizer
    from evalkit.watermark.detection import detect_mark
    from evalkit.watermark.keys import Key
    from evalkit.watermark.methods import MarkSpec, mark_for

    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as place:
        tokenizer = load_tokenizer("world-vq", device="cpu")
        data = pngs(Path(place) / "data", count, 64)
        times = []
        for number in range(4):
            mark = mark_for(MarkSpec("lbw"), Key(bytes([number] * 32)), tokenizer)
            options = RunOptions(out=Path(place) / f"run{number}", batch_size=64, keep="none")
            times.append(
                timed(
                    lambda m=mark, o=options: detect_mark(
                        data, m, tokenizer, decoys=0, cache=Path(place) / "c.sqlite", options=o
                    )
                )
            )
    wall, cpu = np.median(np.array(times[1:]), axis=0)
    return {"pictures": count, "wall_s": wall, "cpu_s": cpu, "per_second": count / wall, "per_cpu_second": count / cpu}


def alone(kind: str, *arguments: Any, threads: int) -> dict[str, float]:
    """A measurement in a process of its own."""
    command = [sys.executable, __file__, "--one", json.dumps([kind, *arguments, threads])]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure and write after every row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        kind, *rest = json.loads(given.one)
        print(json.dumps({"statistics": statistics, "detector": detector, "cached": cached}[kind](*rest)))
        return
    rows: list[dict[str, Any]] = []

    def keep(work: str, candidate: str, images: int, found: Mapping[str, float]) -> None:
        row: dict[str, Any] = {"machine": machine(), "threads": given.threads, "work": work, "candidate": candidate}
        row |= {"pictures": images, "load_1_min": round(os.getloadavg()[0], 1)}
        row |= {name: found.get(name, "") for name in FIELDS}
        rows.append(row)
        print({name: value for name, value in row.items() if value != ""}, flush=True)
        with OUT.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows({k: f"{v:.4g}" if isinstance(v, float) else v for k, v in each.items()} for each in rows)

    work = f"statistics, {LISTS} lists x {TOKENS} codes"
    for name, count in {"evalkit": given.images, **PEERS}.items():
        found = alone("statistics", name, count, threads=given.threads)
        scale = 100_000 / count
        keep(
            work,
            name,
            count,
            {**found, "wall_s_100000": found["wall_s"] * scale, "cpu_s_100000": found["cpu_s"] * scale},
        )
    found = alone("statistics", "evalkit, one list", given.images, threads=given.threads)
    keep(
        f"statistics, one list x {TOKENS} codes",
        "evalkit",
        given.images,
        {**found, "per_second": given.images / found["wall_s"]},
    )
    found = alone("cached", 20_000, threads=given.threads)
    keep("detection from the cache, one key", "evalkit", 20_000, found)
    found = alone("detector", 8, threads=given.threads)
    keep("detector beside encoding, 64 lists", "evalkit", 8, found)


FIELDS = (
    "wall_s", "cpu_s", "peak_mb", "before_mb", "wall_s_100000", "cpu_s_100000", "per_second", "per_cpu_second",
    "encode_wall_s", "encode_cpu_s", "times_encode_wall", "times_encode_cpu",
)  # fmt: skip

if __name__ == "__main__":
    main()
