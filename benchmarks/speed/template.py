"""What does looking for a template cost, in images that have none and whose codes nobody knows?

    python benchmarks/speed/template.py

Photographs of the sample set in two turns as JPEG files of their own size (300 to 512 pixels) and as PNG files of 1,024,
unmarked. CPU time an image on one thread, in turns: decoding, preparing and encoding alone; a detection without a search;
one by the template; a service with the template on its ring. The tokenizers are world-vq:128, one of the smallest networks
there are, and llamagen-vq16 with random weights (one photograph; speed is the same). `times`: of decoding and encoding alone.
"""

from __future__ import annotations

import io
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import write
from PIL import Image

from evalkit.images import open_images
from evalkit.images.decode import decode_with_source
from evalkit.tokenizers.base import Tokenizer
from evalkit.tokenizers.registry import TOKENIZERS, load_tokenizer
from evalkit.watermark.detection.cache import CodeCache
from evalkit.watermark.detection.layout import batch_of, stacked
from evalkit.watermark.detection.reader import Reader
from evalkit.watermark.detection.scan import Scanner
from evalkit.watermark.detection.search import read_search
from evalkit.watermark.identity import prepared, tokenizer_identity
from evalkit.watermark.keys import new_key
from evalkit.watermark.methods import MarkSpec, mark_for
from evalkit.watermark.service.bench import Models
from evalkit.watermark.service.engine import Engine, Settings, Upload
from evalkit.watermark.service.ring import Entry, Ring
from evalkit.watermark.service.ring_file import write_ring

ALONE, LARGE, ROUNDS = "decode and encode alone", 1024, 3


def tokenizers(folder: Path) -> Iterator[tuple[Tokenizer, tuple[str, ...], int]]:
    """(tokenizer, its --weights, how many images)."""
    yield load_tokenizer("world-vq:128", device="cpu"), (), 18
    entry: Any = TOKENIZERS.get("llamagen-vq16")
    torch.manual_seed(0)
    torch.save({entry.cls.wrapping[0]: entry.cls.build(entry.config).state_dict()}, folder / "random.pt")
    yield load_tokenizer("llamagen-vq16", folder / "random.pt", "cpu"), (str(folder / "random.pt"),), 1


def photographs(folder: Path, count: int) -> dict[str, Path]:
    """Folders of files by what is in them."""
    found = {}
    for name, kind in (("JPEG of 300 to 512 px", "jpeg"), (f"PNG of {LARGE} px", "png")):
        home = found[name] = folder / f"{kind}-{count}"
        home.mkdir()
        for number in range(count):
            (sample,) = open_images("sample/photos").read(number // 2, number // 2 + 1)
            image = Image.fromarray(np.ascontiguousarray(np.rot90(sample.image, number % 2)))  # type: ignore[union-attr]
            if kind == "png":
                image = image.resize((LARGE, LARGE), Image.Resampling.BICUBIC)
            buffer = io.BytesIO()
            image.save(buffer, kind)
            (home / f"{number}.{kind}").write_bytes(buffer.getvalue())
    return found


def candidates(
    folder: Path, home: Path, tokenizer: Tokenizer, weights: tuple[str, ...]
) -> dict[str, Callable[[], Any]]:
    """What is measured, each over all files of `folder`."""
    files = [path.read_bytes() for path in sorted(folder.iterdir())]
    batch, key = batch_of(tokenizer, "auto"), new_key(home / f"{folder.name}.key")
    mark = mark_for(MarkSpec("places"), key, tokenizer)
    entry = Entry("k", key.id, str(key.source), MarkSpec("places"), tokenizer_identity(tokenizer), search="template")
    write_ring(home / f"{folder.name}.ring", Ring((entry,)))
    settings = Settings(models=Models("cpu", weights=weights), cache=":memory:", threads=1)
    engine = Engine(home / f"{folder.name}.ring", settings)

    def alone() -> None:
        for start in range(0, len(files), batch):
            part = files[start : start + batch]
            tokenizer.encode(stacked([prepared(decode_with_source(each)[0], tokenizer) for each in part]))

    def detect(search: str) -> None:
        images = open_images(folder)
        reader = Reader(images, tokenizer, CodeCache(":memory:"), batch_size=batch, threads=1)
        Scanner(reader, mark, read_search(search, 8)).scan(range(len(images)))

    return {
        ALONE: alone,
        "detect": lambda: detect("none"),
        "detect by the template": lambda: detect("template"),
        "service by the template": lambda: engine.look([Upload(each) for each in files]),
    }


def measured(work: dict[str, Callable[[], Any]], images: int, rounds: int) -> dict[str, float]:
    """Median CPU milliseconds an image of each, in turns; the first round is not counted."""
    spent: dict[str, list[float]] = {name: [] for name in work}
    for round_ in range(rounds + 1):
        for name, call in work.items():
            begun = time.process_time()
            call()
            if round_:
                spent[name].append((time.process_time() - begun) / images * 1e3)
    return {name: statistics.median(each) for name, each in spent.items()}


def main() -> None:
    """Measure, and write results/template.csv."""
    torch.set_num_threads(1)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for tokenizer, weights, count in tokenizers(Path(folder)):
            for name, files in photographs(Path(folder), count).items():
                rounds = ROUNDS if count > 1 else 1
                found = measured(candidates(files, Path(folder), tokenizer, weights), count, rounds)
                rows += [
                    {
                        "tokenizer": tokenizer.name, "files": name, "images": count, "rounds": rounds, "work": work,
                        "cpu_ms_an_image": round(value, 2), "times": round(value / found[ALONE], 2),
                    }
                    for work, value in found.items()
                ]  # fmt: skip
    write("template", rows)


if __name__ == "__main__":
    main()
