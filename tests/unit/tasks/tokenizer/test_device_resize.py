"""Images that are brought to a network's size on its device give the same run."""

from evalkit.encoders import pillow_filter
from evalkit.jobs.options import RunOptions
from evalkit.tasks.tokenizer import evaluate_tokenizer


def rows(out):
    options = RunOptions(out=out, limit=2, keep="none", device="cpu")
    (run,) = evaluate_tokenizer("world-vq", "sample/photos", tasks=["reconstruction"], options=options)
    return (run.path / "samples.parquet").read_bytes()


def test_a_run_that_resizes_on_the_device_leaves_the_same_rows(tmp_path, monkeypatch):
    plain, seen, passes = rows(tmp_path / "plain"), [], pillow_filter.passes
    monkeypatch.setenv(pillow_filter.SWITCH, "device")
    monkeypatch.setattr(pillow_filter, "LEAST", 1)
    monkeypatch.setattr(pillow_filter, "passes", lambda *given: seen.append(given[1]) or passes(*given))
    assert rows(tmp_path / "device") == plain
    assert seen
