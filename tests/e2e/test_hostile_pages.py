"""The pages of a run in a real browser where every name of it would act if it were not taken for text."""

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from evalkit.pages import write_report
from evalkit.protocols import load_protocol
from evalkit.runs.store import Run
from evalkit.tasks.generate.page import page as sheet
from evalkit.tasks.generate.rows import table

HOSTILE = (
    "<img src=x onerror=\"window.hit='img'\">",
    "</script><script>window.hit='script'</script>",
    "</style></title><svg onload=\"window.hit='svg'\">",
    "'\" onmouseover=\"window.hit='attribute'\" x='",
    "<!-- <iframe srcdoc='<script>parent.hit=1</script>'>",
    "\u202emirror\u2066 \x00\x1b[31m\u2028",
)


@pytest.fixture
def run(tmp_path):
    names = ("original", "reconstruction", "0000000")
    (tmp_path / "images").mkdir()
    for name in names:
        noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / "images" / f"{name}.png")
    protocol = load_protocol("evalkit-1")
    record = {
        "command": list(HOSTILE),
        "model": {"name": "".join(HOSTILE), "title": HOSTILE[1], "weights_sha256": HOSTILE[0], "tokenizer": HOSTILE[2]},
        "data": {"name": HOSTILE[3], "n": len(HOSTILE), "digest": HOSTILE[4]},
        "protocols": [{**protocol.as_dict(), "sha256": HOSTILE[0]}],
        "timings": {"seconds": dict.fromkeys(HOSTILE, 1.0), "seconds_per_image": 1.0, "bound_by": HOSTILE[4]},
        "created": HOSTILE[0],
        "evalkit": HOSTILE[1],
        "sampler": {HOSTILE[2]: HOSTILE[0]},
        "seed": HOSTILE[5],
    }
    record["model"] |= {"device": HOSTILE[4], "dtype": HOSTILE[5]}
    return Run(tmp_path, record, [], pa.table({}), [])


def quiet(browser, page):
    tab = browser.page()
    tab.open(page.as_uri())
    assert tab.run("window.hit") is None
    assert tab.said == []
    assert tab.outside == []
    assert tab.run("document.querySelectorAll('iframe, img[src=x], [onload], [onerror], [onmouseover]').length") == 0
    shown = tab.run("document.body.textContent")
    for text in HOSTILE[:-1]:
        assert text in shown
    assert "\\u202emirror\\u2066 \\x00\\x1b[31m\\u2028" in shown
    return tab


def test_a_report_with_hostile_texts_does_nothing_of_its_own(run, browser, tmp_path):
    rows = [
        {"id": text, "protocol": "evalkit-1", "subset": text, "psnr": 20.0, "bpp": 1.0, "cer_truth": 0.5, "error": None}
        | {"text_truth": text, "text_original": text, "text_reconstruction": text[::-1]}
        for text in HOSTILE
    ]
    results = [
        {"task": text, "dataset": text, "metric": metric, "value": 2.0, "low": 1.0, "high": 3.0, "n": 3, "unit": text}
        | {"ci_method": text, "better": "higher", "protocol": "evalkit-1", "status": status, "reason": text}
        for text in HOSTILE
        for metric, status in (("psnr", "ok"), ("bpp", "ok"), (text, "ok"), (text, "unavailable"))
    ]
    pair = {which: f"images/{which}.png" for which in ("original", "reconstruction")}
    kept = [
        {"id": text, "protocol": "evalkit-1", "kind": kind, "rank": 1, "scores": {text: 1.0, "psnr": 2.0}, **pair}
        for text in HOSTILE
        for kind in ("worst", "text")
    ]
    whole = Run(run.path, run.record, results, pa.Table.from_pylist(rows), kept)
    for number, runs in enumerate(([whole], [whole, whole])):
        tab = quiet(browser, write_report(runs, tmp_path / f"{number}.html"))
        assert tab.run("document.scripts.length") == 1
        tab.run("document.querySelector('#worst button.open').click()")
        assert tab.run("document.querySelector('dialog').open")
        tab.run("document.querySelector('#worst select').dispatchEvent(new Event('change'))")
        assert tab.run("window.hit") is None


def test_a_contact_sheet_with_hostile_texts_does_nothing_of_its_own(run, browser):
    rows = [{"id": text, "prompt": text, "seed": 1, "file": "images/0000000.png"} for text in HOSTILE]
    rows += [{"id": text, "prompt": text, "error": text} for text in HOSTILE]
    page = run.path / "sheet.html"
    page.write_text(sheet(Run(run.path, run.record, [], table(rows), [])), encoding="utf-8", errors="surrogatepass")
    tab = quiet(browser, page)
    assert tab.run("document.scripts.length") == 0
    assert tab.run("[...document.images].every((image) => image.src.startsWith('data:'))")
