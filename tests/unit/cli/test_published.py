from pathlib import Path

import pyarrow as pa

from evalkit.cli.published import compare_published, published_table
from evalkit.runs.store import Run


def run(model, metric="psnr", protocol="evalkit-1", value=20.0):
    record = {"model": {"name": model}, "data": {"n": 28, "name": "sample"}}
    results = [{"metric": metric, "protocol": protocol, "value": value}]
    return Run(Path("r"), record, results, pa.table({}), [])


def verdicts(*runs):
    return {(c.model, c.published.metric): c for c in compare_published(runs)}


def test_only_equal_protocols_may_be_compared_and_the_data_is_named():
    other = verdicts(run("llamagen-vq16"))["llamagen-vq16", "psnr"]
    assert other.measured == 20.0
    assert other.verdict.startswith("no: measured under another protocol; give --protocol llamagen-2024")
    same = verdicts(run("llamagen-vq16", protocol="llamagen-2024"))["llamagen-vq16", "psnr"]
    assert same.verdict.startswith("same protocol; only on the same data")
    assert "28 images of sample" in same.verdict


def test_what_was_not_measured_is_not_compared():
    missing = verdicts(run("llamagen-vq16"))["llamagen-vq16", "fid"]
    assert missing.measured is None
    assert "did not measure" in missing.verdict


def test_protocols_that_evalkit_does_not_have_are_named_so():
    found = verdicts(run("llamagen-vq16-t2i", metric="fid"))["llamagen-vq16-t2i", "fid"]
    assert "not one that evalkit reproduces" in found.verdict


def test_the_table_is_empty_where_nothing_is_published():
    assert published_table([run("jpeg-lm")]) is None
    assert published_table([run("llamagen-vq16")]).row_count == 3
