"""Is `evalkit view` fluent over 10,000 images? Writing it, opening it, and every frame of scrolling, filtering, sorting.

python benchmarks/speed/view.py [SAMPLES]

Chromium draws without a graphics card here. `work_ms` is what the page's own code takes for a frame of scrolling, and for
one filter or order until the list is drawn again; `frame_ms` is from one frame to the next while 200 px are scrolled in each.
"""

from __future__ import annotations

import importlib.util
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from common import write
from PIL import Image

from evalkit.pages.view import write_view

SCROLL = """
(async (step, frames) => {
  const scroller = document.getElementById("samples");
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const render = view.List.prototype.render;
  const work = [];
  view.List.prototype.render = function () {
    const start = performance.now();
    render.call(this);
    work.push(performance.now() - start);
  };
  scroller.scrollTop = 0;
  const gaps = [];
  let last = await frame();
  for (let i = 0; i < frames; i++) {
    scroller.scrollTop += step;
    const now = await frame();
    gaps.push(now - last);
    last = now;
  }
  view.List.prototype.render = render;
  return { gaps, work };
})
"""
ACT = """
(async (label, value) => {
  const labels = [...document.querySelectorAll("#tools label")];
  const field = labels.find((each) => each.firstChild.textContent === label).querySelector("input, select");
  const start = performance.now();
  field.value = value;
  field.dispatchEvent(new Event(field.tagName === "SELECT" ? "change" : "input"));
  document.getElementById("samples").getBoundingClientRect();
  return performance.now() - start;
})
"""


def make_run(folder: Path, samples: int) -> Path:
    """A generation with as many 256 px images as samples, and ten scores each."""
    rng = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    for i in range(samples):
        small = Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
        small.resize((256, 256), Image.Resampling.BICUBIC).save(folder / "images" / f"{i:07d}.jpg", quality=88)
    columns: dict[str, Any] = {"id": [f"{i:06d}" for i in range(samples)]}
    columns["prompt"] = [f"a photo of scene {i * 7919 % samples}, drawn in style {i % 40}" for i in range(samples)]
    columns["file"] = [f"images/{i:07d}.jpg" for i in range(samples)]
    columns |= {f"score_{k}": rng.normal(size=samples) for k in range(10)}
    pq.write_table(pa.table(columns), folder / "samples.parquet")
    (folder / "results.json").write_text("[]")
    (folder / "record.json").write_text(json.dumps({"model": {"name": "benchmark"}, "data": {"name": "scenes"}}))
    return folder


def measure(page: Path, browser: Any, look: str) -> list[dict[str, Any]]:
    """Opening, scrolling slowly and fast, filtering and sorting in one look."""
    rows: list[dict[str, Any]] = []

    def add(work: str, work_ms: list[float], frame_ms: list[float] | None = None) -> None:
        rows.append(
            {
                "look": look,
                "work": work,
                "work_ms_median": _ms(statistics.median(work_ms)),
                "work_ms_worst": _ms(max(work_ms)),
            }
        )
        rows[-1] |= {"frame_ms_median": _ms(statistics.median(frame_ms)) if frame_ms else ""}
        rows[-1] |= {"frame_ms_p95": _ms(sorted(frame_ms)[int(0.95 * len(frame_ms))]) if frame_ms else ""}
        rows[-1] |= {"repeats": len(frame_ms or work_ms)}

    opened = []
    for _ in range(3):
        tab = browser.page()
        start = time.perf_counter()
        tab.open(f"{page.as_uri()}#look={look}")
        tab.wait("document.getElementById('count').textContent")
        opened.append((time.perf_counter() - start) * 1e3)
    add("open", opened)
    time.sleep(1)
    for name, step in (("scroll 200 px a frame", 200), ("scroll 3,000 px a frame", 3000)):
        found = tab.run(f"{SCROLL}({step}, 150)")
        add(name, found["work"], found["gaps"])
    add("filter by words", [tab.run(f"{ACT}('Search', 'scene {i}')") for i in range(1, 6)])
    add("take the filter off", [tab.run(f"{ACT}('Search', '')")])
    add("order by a number", [tab.run(f"{ACT}('Order', 'score_{i}')") for i in range(1, 6)])
    add(
        "order by prompt, first time and again",
        [tab.run(f"{ACT}('Order', '{name}')") for name in ("prompt", "", "prompt")],
    )
    return rows


def main() -> None:
    """Measure and write results/view.csv."""
    samples = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    driver = _driver()
    with tempfile.TemporaryDirectory() as home:
        run = make_run(Path(home) / "run", samples)
        start = time.perf_counter()
        page = write_view([run], Path(home) / "view")
        wrote = (time.perf_counter() - start) * 1e3
        browser = driver.Browser(Path(home) / "profile")
        rows = [{"look": "", "work": "write the view", "work_ms_median": _ms(wrote), "work_ms_worst": _ms(wrote)}]
        rows[0] |= {"frame_ms_median": "", "frame_ms_p95": "", "repeats": 1}
        for look in ("gallery", "table"):
            rows += measure(page, browser, look)
        browser.close()
    write("view", [{"samples": samples, **row} for row in rows])


def _ms(value: float) -> float:
    return round(value, 2)


def _driver() -> ModuleType:
    """The browser of the tests."""
    path = Path(__file__).parents[2] / "tests" / "e2e" / "conftest.py"
    spec = importlib.util.spec_from_file_location("browser_of_the_tests", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
