"""The page of a probe: the answer first, images with what was seen, filters without a script, nothing from outside."""

import re
from dataclasses import replace

import pytest
from helpers.drawn import drawn

from evalkit.jobs.options import RunOptions
from evalkit.tasks.probe import probe
from evalkit.tasks.probe.gallery import MOST, gallery_positions
from evalkit.tasks.probe.page import page


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    options = RunOptions(out=folder / "run", limit=120, device="cpu")
    return probe("world", drawn(folder / "<b>mine", 120, moved=30), options=options)


def test_the_answer_comes_first_with_its_interval_and_coverage(run):
    html = page(run)
    head = html[: html.index("<main>")]
    assert "Does what it is told in" in head
    assert "95\u202f% interval" in head
    assert "Coverage 100 %: 120 of 120 images" in head
    assert "&lt;b&gt;mine" in head
    assert "<b>mine" not in html


def test_at_most_96_images_are_shown_with_boxes_verdicts_and_reasons(run):
    html = page(run)
    assert html.count("<figure>") == html.count("data:image/webp") == MOST
    assert html.count('class="boxes"') == MOST
    assert "expected" in html
    assert len(list((run.path / "gallery").iterdir())) == MOST


def test_right_and_wrong_images_of_every_task_are_among_the_shown(run):
    rows = run.samples.take(gallery_positions(run.samples, 24)).to_pylist()
    assert len({row["task"] for row in rows}) == 6
    every = {(row["task"], row["score"]) for row in run.samples.to_pylist()}
    assert {(row["task"], row["score"]) for row in rows} == every


def test_filters_need_no_script_and_every_chip_has_its_rule(run):
    html = page(run)
    assert "<script" not in html
    policy = re.search(r'content="(default-src[^"]+)"', html).group(1)
    assert "script-src" not in policy
    for name in re.findall(r'<label for="([^"]+)">', html):
        assert f'id="{name}"' in html
        if not name.endswith("-all"):
            assert f"#{name}:checked ~ .found > li:not(.{name})" in html


def test_a_page_of_evidence_draws_boxes_without_images(run, tmp_path):
    again = probe("world", evidence=run.path, options=RunOptions(out=tmp_path / "run", limit=120))
    html = page(again)
    assert "it holds no image" in html
    assert "data:image" not in html
    assert html.count("<rect") == page(run).count("<rect")


def test_what_is_hostile_in_rows_stays_text(run):
    at = run.samples.column_names.index("prompt")
    bad = ["<script>alert(1)</script>\u202e"] * run.samples.num_rows
    html = page(replace(run, samples=run.samples.set_column(at, "prompt", [bad])))
    assert "<script" not in html
    assert "\\u202e" in html
