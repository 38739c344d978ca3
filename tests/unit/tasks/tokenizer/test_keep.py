"""Kept images: each is made again once, even where it is among the worst and among the texts."""

import pytest

from evalkit.jobs.options import RunOptions
from evalkit.tasks.tokenizer import evaluate_tokenizer, worker


@pytest.fixture(autouse=True)
def _offline(monkeypatch):
    monkeypatch.setenv("EVALKIT_OFFLINE", "1")


def test_a_image_that_is_kept_twice_is_made_once(tmp_path, monkeypatch):
    made = []
    real = worker.made_again

    def counted(forward, feed, read):
        made.append(read.id)
        return real(forward, feed, read)

    monkeypatch.setattr(worker, "made_again", counted)
    options = RunOptions(out=tmp_path / "run", limit=2, keep="worst", device="cpu")
    (run,) = evaluate_tokenizer("jpeg-q10", "sample/text-easy", tasks=["reconstruction", "text"], options=options)
    assert len(made) == len(set(made)) == 2
    kinds = [(entry["kind"], entry["id"]) for entry in run.images]
    assert [kind for kind, _ in kinds] == ["worst", "worst", "text", "text"]
    pixels = {}
    for entry in run.images:
        pixels.setdefault(entry["id"], set()).add((run.path / entry["reconstruction"]).read_bytes())
    assert all(len(each) == 1 for each in pixels.values())
