"""GenEval and editing scores against outputs of the official code, where a folder of such outputs is at hand.

`EVALKIT_GOLDENS` names it: `metrics/geneval_*.json`, `metrics/geneval_rules.jsonl.gz`, `metrics/editing_and_judges.json`,
and `fill.py`, `metrics/metrics_rules.py`, which make the inputs. Small copies are checked in tests/unit/tasks/probe.
"""

import gzip
import hashlib
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from evalkit.metrics.boxes import overlap, relations
from evalkit.tasks.probe.editing.background import region_scores
from evalkit.tasks.probe.editing.regions import piebench_region
from evalkit.tasks.probe.evidence.read import read_evidence
from evalkit.tasks.probe.geneval.crops import crop
from evalkit.tasks.probe.geneval.summary import official_text
from evalkit.tasks.probe.rows import ProbeRow
from evalkit.tasks.probe.suite import SUITES

FOLDER = Path(os.environ.get("EVALKIT_GOLDENS", "."))
METRICS = FOLDER / "metrics"
RULES = METRICS / "geneval_rules.jsonl.gz"

pytestmark = pytest.mark.skipif(
    "EVALKIT_GOLDENS" not in os.environ or not RULES.is_file(), reason="EVALKIT_GOLDENS names no folder with metrics/"
)


def stored(name):
    return json.loads((METRICS / name).read_text())


@pytest.fixture(scope="module")
def inputs():
    """The functions that make the images: `image` and `blur`."""
    paths = [str(FOLDER), str(METRICS)]
    sys.path[:0] = paths
    try:
        import fill
        import metrics_rules

        return fill.image, metrics_rules.blur
    finally:
        for path in paths:
            sys.path.remove(path)


def test_the_rules_keep_judge_and_reason_as_the_official_code_does():
    geneval = SUITES.get("geneval")()
    cases = [json.loads(line) for line in gzip.decompress(RULES.read_bytes()).splitlines()]
    evidence = read_evidence(RULES)
    rows = geneval.rules(evidence)
    assert len(rows) == len(cases)
    for row, case in zip(rows, cases, strict=True):
        kept = {name: [case["d"][name][place] for place in places] for name, places in case["k"].items()}
        assert row.details == kept
        assert list(row.details) == list(case["k"])
        assert (row.score == 1, row.reason) == (case["ok"], case["why"])
    plain = [row for row, image in zip(rows, evidence.images, strict=True) if not image.options]
    assert official_text(plain) == stored("geneval_summary.json")["cases"]["stdout"]


def test_summaries_are_the_official_texts():
    golden, prompts = stored("geneval_summary.json"), SUITES.get("geneval")().prompts()
    bits = golden["full"]["bits"]
    full = [ProbeRow("", p.id, s, p.tag, float(bits[4 * i + s])) for i, p in enumerate(prompts) for s in range(4)]
    partial = [full[place] for place in golden["partial"]["index"]]
    assert official_text(full) == golden["full"]["stdout"]
    assert official_text(partial) == golden["partial"]["stdout"]
    assert official_text(partial[:3]) == golden["one"]["stdout"]


def test_geometry_is_the_official_one():
    golden = stored("geneval_geometry.json")
    for a, b, slack, expected in golden["relative_position"]["rows"]:
        assert list(relations(a, b, slack)) == expected
    for a, b, expected in golden["compute_iou"]["rows"]:
        assert overlap(a, b) == pytest.approx(expected, abs=1e-6)


def test_crops_have_the_official_bytes(inputs):
    for row in stored("geneval_crops.json")["rows"]:
        (height, width), rule, options = row["size"], row["ellipse"], row["options"]
        yy, xx = np.mgrid[0:height, 0:width].astype(np.float64)
        mask = ((yy - rule["cy"]) / rule["ry"]) ** 2 + ((xx - rule["cx"]) / rule["rx"]) ** 2 <= 1 if rule else None
        image = inputs[0](height, width, row["image_seed"])
        background, cut = options.get("bgcolor", "#999"), options.get("crop", "1") == "1"
        out = crop(image, tuple(row["box"]), mask, background=background, cut=cut)
        assert hashlib.sha256(out.tobytes()).hexdigest() == row["sha256"]


def test_backgrounds_are_the_calculator_s(inputs):
    image, blur = inputs
    for row in stored("editing_and_judges.json")["background"]["rows"]:
        height, width = row["hw"]
        left, top, right, bottom = row["box"]
        if row["rle_head"][0] != top * width + left:
            top, left, bottom, right = row["box"]
        source = image(height, width, row["image_seed"])
        edited = blur(source)
        edited[top:bottom, left:right] = 255 - edited[top:bottom, left:right]
        plain = np.zeros((height, width), bool)
        plain[top:bottom, left:right] = True
        runs = [n for y in range(top, bottom) for n in (y * width + left, right - left)]
        for region, key in (
            (plain, "smartedit_raw_mask"),
            (piebench_region(runs, height, width), "piebench_decoded_mask"),
        ):
            kept, changed = region_scores(source, edited, ~region), region_scores(source, edited, region)
            got = [kept.psnr, kept.ssim, kept.mse, changed.psnr, changed.mse]
            names = (
                "psnr_unedit",
                "ssim_unedit",
                "mse_unedit",
                "psnr_edit",
                "mse_edit",
            )
            assert got == pytest.approx([row[key][name] for name in names], rel=1e-4)
