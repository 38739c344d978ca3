"""Views of small made-up runs, opened from disk; a page that says a word or asks a network fails its test."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image


def write_run(folder, name, rows, columns, images=None):
    folder.mkdir(parents=True)
    pq.write_table(pa.table(columns), folder / "samples.parquet")
    (folder / "results.json").write_text("[]")
    record = {"evalkit": "0.1.0", "task": "generate", "model": {"name": name}, "data": {"name": "drawn", "n": rows}}
    (folder / "record.json").write_text(json.dumps({**record, "created": "2026-11-23T10:00:00Z", "protocols": []}))
    if images is not None:
        (folder / "images").mkdir(exist_ok=True)
        (folder / "images" / "index.json").write_text(json.dumps(images))
    return folder


def image(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


class Tab:
    """A page of `evalkit view` in a tab of the browser, by what a reader does there."""

    def __init__(self, page):
        self.page, self.run, self.wait, self.key = page, page.run, page.wait, page.key

    @property
    def count(self):
        return self.run("document.getElementById('count').textContent")

    @property
    def titles(self):
        return self.run("[...document.querySelectorAll('.tile .asked')].map((n) => n.textContent)")

    @property
    def ids(self):
        return self.run("[...document.querySelectorAll('.row .cell:nth-child(2)')].map((n) => n.textContent)")

    def choose(self, label, value):
        self.run(f"""(() => {{
            const label = [...document.querySelectorAll("#tools label")].find((l) => l.firstChild.textContent === {label!r});
            const field = label.querySelector("select, input");
            field.value = {value!r};
            field.dispatchEvent(new Event(field.tagName === "SELECT" ? "change" : "input"));
        }})()""")

    def press(self, text, within="body"):
        self.run(f"[...document.querySelectorAll('{within} button')].find((b) => b.textContent === {text!r}).click()")


@pytest.fixture
def show(browser):
    made = []

    def shown(page, hash="", **more):
        tab = browser.page(**more)
        made.append(tab)
        tab.open(page.as_uri() + hash)
        tab.wait("document.getElementById('count').textContent")
        return Tab(tab)

    yield shown
    for tab in made:
        assert tab.said == []
        assert tab.outside == []
        assert tab.run("window.hit") is None


@pytest.fixture(scope="session")
def make():
    """make.run(…) and make.image(…)"""
    return Make


class Make:
    run = staticmethod(write_run)
    image = staticmethod(image)
