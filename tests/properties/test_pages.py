"""Whatever a prompt, a file or a model is called, pages show it as text: no element, attribute or character of it acts."""

import json
import re
from html.parser import HTMLParser
from importlib.resources import files

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from evalkit.pages import write_report
from evalkit.pages.view import write_view
from evalkit.protocols import load_protocol
from evalkit.runs.store import Run
from evalkit.tasks.generate.page import page as sheet
from evalkit.tasks.generate.rows import table
from evalkit.text import visible

SNIPPETS = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "' autofocus onfocus='alert(1)",
    "<!--",
    "-->",
    "]]>",
    "<?php",
    "&lt;b&gt;&#x3c;i&#62;&quot;",
    "{{ 7 * 7 }}{% for x in y %}{# #}",
    "</title><h1>",
    "<svg onload=alert(1)>",
    "javascript:alert(1)",
    "\u202eevil\u2066\u200f\u061c",
    "\x00\x07\x1b[31m\x7f\x85\u2028\u2029",
    "\ufeff\u200b\u00ad",
    "|/../..\\",
    "🏳️‍🌈 مرحبا ١٢٣ 你好",
    "=cmd|' /C calc'!A0",
    "%s%n{0}{x.__class__}",
    "a" * 3000,
)
COLUMN = st.lists(st.one_of(st.sampled_from(SNIPPETS), st.text(max_size=12)), max_size=3).map("".join)
COLUMN = COLUMN.map(lambda text: text.encode("utf-8", "ignore").decode())  # parquet holds no lone surrogates, JSON does
ANY = st.one_of(COLUMN, st.text(st.characters(codec=None), max_size=8), st.just("a\ud800b\udfff"))
FILE = st.one_of(st.just("images/0000000.png"), COLUMN)
SOME = settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
PARTS = (
    r"html|head|meta|title|style|script|body|a|header|main|footer|section|nav|p|h1|h2|h3|bdi|ul|ol|li|strong|span"
    r"|small|sup|abbr|table|caption|thead|tbody|tr|th|td|div|figure|figcaption|img|dl|dt|dd|details|summary|code|del|ins|b"
    r"|svg|g|path|rect|line|circle|polyline|polygon|text|tspan|desc"
)


class Page(HTMLParser):
    """What a page consists of."""

    def __init__(self, source):
        super().__init__(convert_charrefs=True)
        self.elements, self.shown, self.odd = [], [], []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, attrs))

    def handle_data(self, data):
        if self.lasttag not in ("style", "script"):
            self.shown.append(data)

    def handle_comment(self, data):
        self.odd.append(data)

    handle_pi = unknown_decl = handle_comment

    def count(self, tag):
        return sum(name == tag for name, _ in self.elements)


def acts(text):
    return [c for c in text if c != "\n" and visible(c) != c]


def check(source, scripts):
    page = Page(source)
    assert all(re.fullmatch(PARTS, tag) for tag, _ in page.elements)
    assert page.odd == []
    counts = {tag: page.count(tag) for tag in ("script", "style", "h1", "main")}
    assert counts == {"script": scripts, "style": 1, "h1": 1, "main": 1}
    for tag, attributes in page.elements:
        assert len({name for name, _ in attributes}) == len(attributes)
        for name, value in attributes:
            assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9-]*", name)
            assert not name.startswith("on")
            assert name not in ("srcdoc", "formaction", "autofocus")
            assert not acts(value or "")
            if name == "href":
                assert re.fullmatch(r"#[a-z0-9-]+", value)
            if name == "src":
                assert value.startswith("data:image/")
                assert tag == "img"
    assert not acts("".join(page.shown))
    return "".join(page.shown)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    rng = np.random.default_rng(0)
    (folder / "images").mkdir()
    for name in ("original", "reconstruction", "0000000"):
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(folder / "images" / f"{name}.png")
    return folder


@st.composite
def evaluations(draw):
    """A tokenizer run with every text that a reader of the page might meet."""
    ids = draw(st.lists(COLUMN, min_size=3, max_size=3))
    protocol = load_protocol("evalkit-1").as_dict()
    if draw(st.booleans()):
        protocol |= {"id": draw(COLUMN), "title": draw(ANY)}
    rows = [
        {
            "id": name,
            "protocol": protocol["id"],
            "subset": draw(COLUMN),
            "psnr": 20.0 + i,
            "ssim": 0.5,
            "bpp": 1.0,
            "text_truth": draw(COLUMN) if i else None,
            "text_original": draw(COLUMN),
            "text_reconstruction": draw(COLUMN),
            "cer_truth": 0.5,
            "cer_original": 0.25,
            "error": draw(COLUMN) if i == 2 else None,
        }
        for i, name in enumerate(ids)
    ]
    metrics = ["psnr", "bpp", "cer_truth", draw(ANY)]
    task, dataset, unit = draw(ANY), draw(ANY), draw(ANY)
    results = [
        {"task": task, "dataset": dataset, "metric": metric, "value": 1.5 + i, "low": 1.0, "high": 9.0 + i, "n": 3}
        | {"ci_method": draw(ANY), "unit": unit, "better": "higher", "protocol": protocol["id"], "status": "ok"}
        | {"reason": None}
        for i, metric in enumerate(metrics)
    ]
    results.append({**results[0], "metric": draw(ANY), "status": "unavailable", "reason": draw(ANY), "value": None})
    record = {
        "evalkit": draw(ANY),
        "task": "tokenizer",
        "command": [draw(ANY), draw(ANY)],
        "created": draw(ANY),
        "model": {"name": draw(ANY), "title": draw(ANY), "weights_sha256": draw(ANY), "card": {"family": draw(ANY)}},
        "data": {"spec": draw(ANY), "name": draw(ANY), "n": 3, "digest": "d"},
        "protocols": [{**protocol, "sha256": draw(ANY)}],
        "judges": {"weights": {draw(ANY): draw(ANY)}},
        "environment": {
            "python": draw(ANY),
            "gpu": draw(ANY),
            "packages": {draw(ANY): draw(ANY)},
            "git": {"commit": draw(ANY)},
        },
        "timings": {"seconds": {draw(ANY): 1.0}, "images_per_second": 2.0, "bound_by": draw(ANY)},
    }
    pair = {name: f"images/{name}.png" for name in ("original", "reconstruction")}
    shared = {"protocol": protocol["id"], "rank": 1, "scores": {"psnr": 20.0, draw(ANY): 1.0}, **pair}
    kept = [{"id": name, "kind": kind, **shared} for name in ids[:2] for kind in ("worst", "text")]
    return record, results, rows, kept


def run_of(home, parts):
    record, results, rows, kept = parts
    return Run(home, record, results, pa.Table.from_pylist(rows), kept)


@SOME
@given(parts=evaluations())
def test_a_report_shows_every_text_as_text(home, tmp_path, parts):
    shown = check(write_report([run_of(home, parts)], tmp_path / "report.html").read_text(encoding="utf-8"), scripts=1)
    assert visible(parts[0]["model"]["name"]) in shown


@settings(SOME, max_examples=8)
@given(several=st.lists(evaluations(), min_size=2, max_size=4))
def test_a_comparison_shows_every_text_as_text(home, tmp_path, several):
    page = write_report([run_of(home, parts) for parts in several], tmp_path / "comparison.html")
    check(page.read_text(encoding="utf-8"), scripts=1)


@st.composite
def generations(draw):
    """A generation: prompts, ids, errors, names."""
    asked = [(draw(COLUMN), draw(COLUMN)) for _ in range(3)]
    rows = [{"id": name, "prompt": prompt, "seed": 1, "file": draw(FILE)} for name, prompt in asked[:2]]
    rows.append({"id": asked[2][0], "prompt": asked[2][1], "error": draw(COLUMN)})
    if draw(st.booleans()):
        rows.append({"id": "class", "class_id": 7, "seed": 1, "file": "images/0000000.png"})
    names = {
        "name": draw(ANY),
        "weights_sha256": draw(ANY),
        "tokenizer": draw(ANY),
        "device": draw(ANY),
        "dtype": draw(ANY),
    }
    record = {
        "evalkit": draw(ANY),
        "command": [draw(ANY)],
        "created": draw(ANY),
        "model": names,
        "data": {"name": draw(ANY), "digest": draw(ANY)},
        "sampler": {draw(ANY): draw(ANY)},
        "seed": draw(ANY),
        "timings": {"seconds_per_image": 1.0, "bound_by": draw(ANY)},
    }
    return record, rows


@SOME
@given(parts=generations())
def test_a_contact_sheet_shows_every_text_as_text(home, parts):
    record, rows = parts
    shown = check(sheet(Run(home, record, [], table(rows), [])), scripts=0)
    for row in rows[:2]:
        assert visible(row["prompt"]) in shown


@settings(SOME, max_examples=25)
@given(name=ANY, rows=st.lists(st.tuples(COLUMN, COLUMN, COLUMN), min_size=1, max_size=4), label=COLUMN)
def test_a_view_holds_every_text_as_it_is_and_its_files_are_nothing_but_data(tmp_path, name, rows, label):
    name = name.encode("utf-8", "replace").decode()  # half a surrogate pair in a record is refused in words
    run = tmp_path / "run"
    run.mkdir(exist_ok=True)
    labelled = {f"x{label}": [note for _, _, note in rows]}
    columns = {"id": [a for a, _, _ in rows], "prompt": [b for _, b, _ in rows], **labelled}
    pq.write_table(pa.table(columns), run / "samples.parquet")
    (run / "results.json").write_text("[]")
    (run / "record.json").write_text(json.dumps({"model": {"name": name}, "data": {"name": name}}))
    page = write_view([run], tmp_path / "view")
    assert page.read_bytes() == (files("evalkit.pages.view") / "page" / "index.html").read_bytes()
    (data,) = re.findall(r"\Aview\.data\[0\] = (.*);\n\Z", (page.parent / "data" / "0.js").read_text(encoding="ascii"))
    found = {each["name"]: each["values"] for each in json.loads(data)["columns"]}
    assert found == columns
    (said,) = re.findall(r"\Aview\.runs = (.*);\n\Z", (page.parent / "data" / "runs.js").read_text(encoding="ascii"))
    assert json.loads(said)[0]["name"] == (name or "run")
