"""A run folder as `evalkit tokenizer` leaves it, made without a model, and the page over it, parsed."""

import json
from html.parser import HTMLParser

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from evalkit.pages import write_report
from evalkit.protocols import load_protocol
from evalkit.runs import read_run
from evalkit.runs.store import Result, results_json

VOID = {"meta", "img", "br", "input", "link", "hr"}


def result(metric, value, low, high, *, task="reconstruction", dataset="sample/photos", **more):
    better = "lower" if metric.startswith(("lpips", "cer", "wer", "fid", "bpp")) else "higher"
    fields = {"ci_method": "bootstrap", "n": 8, "unit": "dB" if metric == "psnr" else "", "protocol": "evalkit-1"}
    return Result(task, dataset, metric, value, low, high, **{**fields, "better": better, **more})


RESULTS = (
    result("psnr", 24.5, 23.1, 25.9),
    result("ssim", 0.81, 0.78, 0.84),
    result("bpp", 0.5, 0.45, 0.55, unit="bit/px"),
    result("lpips_alex", None, None, None, n=0, status="unavailable", reason="fetch alexnet.pth and pass --weights"),
    result("cer_truth", 0.12, 0.05, 0.2, task="text", dataset="sample/text-easy"),
)


def sample(index, **more):
    row = {
        "id": f"photos/{index:02d}.png",
        "protocol": "evalkit-1",
        "sha256": f"{index:064x}",
        "subset": "photos",
        "task": "reconstruction",
        "psnr": 20.0 + index,
        "ssim": 0.5 + index / 20,
        "bpp": 0.5,
        "text_truth": None,
        "text_original": None,
        "text_reconstruction": None,
        "cer_truth": None,
        "cer_original": None,
        "error": None,
    }
    return {**row, **more}


@pytest.fixture
def make_run(tmp_path):
    """make_run(name, results=…, samples=…, images=…, record=…, protocols=…) -> Run"""

    def make(
        name="jpeg-lm",
        *,
        folder=None,
        results=RESULTS,
        samples=None,
        images=3,
        texts=(),
        record=None,
        protocols=("evalkit-1",),
        side=32,
        noise=12,
        drop=(),
    ):
        path = tmp_path / (folder or name)
        (path / "images").mkdir(parents=True)
        rows = [sample(i) for i in range(8)] if samples is None else list(samples)
        table = pa.Table.from_pylist(rows).drop_columns([c for c in drop if c in rows[0]])
        pq.write_table(table, path / "samples.parquet")
        (path / "results.json").write_bytes(results_json(list(results)))
        rng = np.random.default_rng(5)
        entries = []
        for kind, ids in (("worst", [r["id"] for r in rows[:images]]), ("text", list(texts))):
            for rank, id in enumerate(ids, 1):
                original = rng.integers(0, 256, (side, side, 3), np.uint8)
                shift = rng.integers(-noise, noise + 1, original.shape)
                pair = {"original": original, "reconstruction": np.clip(original + shift, 0, 255).astype(np.uint8)}
                for which, pixels in pair.items():
                    Image.fromarray(pixels).save(path / "images" / f"{kind}-{rank:02d}-{which}.png", compress_level=1)
                files = {which: f"images/{kind}-{rank:02d}-{which}.png" for which in pair}
                scores = {"ssim": 0.7, "psnr": 21.5, "lpips_alex": None}
                entries.append(
                    {"id": id, "protocol": protocols[0], "kind": kind, "rank": rank, **files, "scores": scores}
                )
        (path / "images" / "index.json").write_text(json.dumps(entries))
        written = {
            "evalkit": "0.1.0",
            "task": "tokenizer",
            "command": ["evalkit", "tokenizer", "-m", name, "-d", "my photos"],
            "created": "2026-11-23T18:56:09Z",
            "model": {"name": name, "title": f"Title of {name}", "weights_sha256": "ab" * 32, "card": {"family": "x"}},
            "data": {"spec": "sample", "name": "sample", "n": len(rows), "digest": "cd" * 32, "unreadable": 0},
            "protocols": [{**load_protocol(p).as_dict(), "sha256": load_protocol(p).sha256} for p in protocols],
            "seed": 7,
            "environment": {"python": "3.11.7", "cpus": 2, "packages": {"torch": "2.15.0"}},
            "timings": {"seconds": {"decode": 1.5, "ocr": 4.0}, "images_per_second": 3.2, "bound_by": "ocr"},
        }
        (path / "record.json").write_text(json.dumps({**written, **(record or {})}))
        return read_run(path)

    return make


class Page(HTMLParser):
    """Elements with their attributes and text, in document order."""

    def __init__(self, source):
        super().__init__(convert_charrefs=True)
        self.source, self.open, self.elements, self.texts = source, [], [], []
        self.feed(source)
        self.close()
        if self.open:
            raise ValueError(f"never closed: {self.open}")

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        top = self.open.pop()
        if top[0] != tag:
            raise ValueError(f"</{tag}> closes <{top[0]}>")

    def handle_data(self, data):
        self.texts.append((tuple(tag for tag, _ in self.open), data))

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]

    def text(self, *without):
        skip = {"style", "script", *without}
        return " ".join("".join(data for tags, data in self.texts if not skip & set(tags)).split())

    def inside(self, tag):
        return [data for tags, data in self.texts if tag in tags]

    def within(self, tag):
        return "".join(self.inside(tag))


@pytest.fixture
def page_of(tmp_path):
    """page_of(run, …) -> Page"""

    def page(*runs, firsts=None):
        path = write_report(list(runs), tmp_path / "page" / "report.html", firsts)
        return Page(path.read_text(encoding="utf-8"))

    return page
