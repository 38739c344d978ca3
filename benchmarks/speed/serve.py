"""How many images does `evalkit watermark serve` answer about, and how long does a client wait?

python benchmarks/speed/serve.py

600 images of 256 px, a ring of four keys (three of LBW with 64 lists, one of places) on world-vq, every answer in the
audit log on the disk. The server is a process of its own; `images_a_cpu_second` counts its CPU time alone (all threads),
so that it says what one core answers, busy machine or not. `cold` images are decoded and encoded, `cached`
ones are known by their digest. Waiting times are of whole requests as a client sees them, in ms. The last rows compare
the engine with decoding and encoding alone, taking turns; CPU seconds, because other work runs on the machine.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from common import write

from evalkit.images.decode import decode_with_source
from evalkit.images.encode import png_bytes
from evalkit.tokenizers.registry import load_tokenizer
from evalkit.watermark.detection.layout import stacked
from evalkit.watermark.identity import prepared, tokenizer_identity
from evalkit.watermark.keys import new_key
from evalkit.watermark.service.engine import MOST_PIXELS, Engine, Settings, Upload
from evalkit.watermark.service.ring import Entry, Ring
from evalkit.watermark.service.ring_file import write_ring
from evalkit.watermark.spec import MarkSpec

IMAGES, BATCH, ROUNDS = 600, 60, 2
PROGRAM = """
import sys
from evalkit.watermark.service.engine import Settings
from evalkit.watermark.service.server import Address, Allowed, serve
ring, log, cache = sys.argv[1:]
serve(ring, log, Settings(cache=cache), Address(port=0), Allowed(1e9, 10**6), lambda url: print(url, flush=True))
"""


def some_images() -> list[bytes]:
    """PNG files of smooth noise, which compress like photographs."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (IMAGES, 34, 34, 3)).astype(np.float32)
    fine = [np.kron(each, np.ones((8, 8, 1), np.float32))[:256, :256] for each in coarse]
    return [png_bytes((each + rng.normal(0, 4, each.shape)).clip(0, 255).astype(np.uint8)) for each in fine]


def a_ring(folder: Path) -> Path:
    """Four keys and their entries."""
    identity = tokenizer_identity(load_tokenizer("world-vq"))
    specs = [*(MarkSpec(lists=64) for _ in range(3)), MarkSpec("places")]
    keys = [new_key(folder / f"{number}.key") for number in range(len(specs))]
    entries = (
        Entry(f"k{n}", key.id, f"{n}.key", spec, identity)
        for n, (key, spec) in enumerate(zip(keys, specs, strict=True))
    )
    write_ring(folder / "ring", Ring(tuple(entries)))
    return folder / "ring"


def cpu_seconds(process: int) -> float:
    """CPU time of a process so far, all its threads."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def asked(url: str, files: Sequence[bytes]) -> list[float]:
    """Seconds that each image took, one after the other on one connection."""
    connection, waits = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc), []
    for data in files:
        begun = time.perf_counter()
        connection.request("POST", "/v1/image", data)
        answer = connection.getresponse()
        if answer.status != 200 or "verdict" not in json.loads(answer.read()):
            raise SystemExit(f"the service answers {answer.status}")
        waits.append(time.perf_counter() - begun)
    return waits


def batches(url: str, files: Sequence[bytes]) -> list[float]:
    """Seconds that each form of images took."""
    connection, waits = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc), []
    head = b'--XX\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    for start in range(0, len(files), BATCH):
        body = b"".join(head + data + b"\r\n" for data in files[start : start + BATCH]) + b"--XX--\r\n"
        begun = time.perf_counter()
        connection.request("POST", "/v1/images", body, {"content-type": "multipart/form-data; boundary=XX"})
        if connection.getresponse().read().count(b'"verdict"') < BATCH:
            raise SystemExit("the service did not answer about all images")
        waits.append(time.perf_counter() - begun)
    return waits


def clients(count: int) -> Callable[[str, Sequence[bytes]], list[float]]:
    """`asked` by several clients at a time, each with its share of the files."""

    def all_of_them(url: str, files: Sequence[bytes]) -> list[float]:
        with ThreadPoolExecutor(count) as pool:
            parts = pool.map(lambda number: asked(url, files[number::count]), range(count))
            return [wait for part in parts for wait in part]

    return all_of_them


def served(folder: Path, files: Sequence[bytes]) -> list[dict[str, Any]]:
    """Rows of the service: first cold, then everything known."""
    given = [str(each) for each in (a_ring(folder), folder / "log", folder / "codes.sqlite")]
    server = subprocess.Popen([sys.executable, "-c", PROGRAM, *given], stdout=subprocess.PIPE, text=True)
    url = (server.stdout.readline() if server.stdout else "").strip()
    asked(url, [png_bytes(np.zeros((256, 256, 3), np.uint8))])  # everything is loaded
    rows = []
    work = {"cold, 1 client": asked, "cached, 1 client": asked, "cached, 8 clients": clients(8)}
    for name, how in {**work, f"cached, forms of {BATCH} images": batches}.items():
        cpu, begun = cpu_seconds(server.pid), time.perf_counter()
        waits = how(url, files)
        wall, cpu = time.perf_counter() - begun, cpu_seconds(server.pid) - cpu
        p50, p99 = (round(float(np.percentile(waits, q)) * 1e3, 1) for q in (50, 99))
        rates = {"images_a_second": round(len(files) / wall, 1), "images_a_cpu_second": round(len(files) / cpu, 1)}
        rows.append({"work": name, "images": len(files), **rates, "p50_ms": p50, "p99_ms": p99})
    server.terminate()
    server.wait()
    return rows


def compared(folder: Path, files: Sequence[bytes]) -> list[dict[str, Any]]:
    """CPU seconds of the engine on unknown images, and of decoding and encoding alone."""
    engine = Engine(folder / "ring", Settings(cache=":memory:", threads=1))
    tokenizer = engine.bench.coders[0].tokenizer

    def alone(part: Sequence[bytes]) -> None:
        images = [prepared(decode_with_source(data, max_pixels=MOST_PIXELS)[0], tokenizer) for data in part]
        tokenizer.encode(stacked(images))

    work: dict[str, Callable[[Sequence[bytes]], object]] = {
        "decode and encode alone": alone,
        "engine, cold": lambda part: engine.look([Upload(data) for data in part]),
    }
    seconds = dict.fromkeys(work, 0.0)
    for _ in range(ROUNDS):
        for name, call in work.items():
            begun = time.process_time()
            for start in range(0, IMAGES, 16):
                call(files[start : start + 16])
            seconds[name] += time.process_time() - begun
    engine.close()
    rates = {name: round(ROUNDS * IMAGES / spent, 1) for name, spent in seconds.items()}
    return [{"work": name, "images": ROUNDS * IMAGES, "images_a_cpu_second": rate} for name, rate in rates.items()]


def main() -> None:
    """Both tables as one CSV."""
    files = some_images()
    with tempfile.TemporaryDirectory() as folder:
        rows = served(Path(folder), files)
        rows += [{name: row.get(name, "") for name in rows[0]} for row in compared(Path(folder), files)]
    write("serve", rows)


if __name__ == "__main__":
    main()
