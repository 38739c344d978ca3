"""An input that failed and came back: `--retry-failed` ends with the bytes of a run that never saw it fail."""

import pytest
from helpers.verbs import RUNS, call, files, photos

from evalkit.jobs.engine_inline import Inline
from evalkit.jobs.spec import Spec
from evalkit.runs.store import RunStore

FAST = ("tokenizer", "detect", "embed", "attack")
VERBS = ("tokenizer", "score", "embed", "detect", "calibrate", "attack", "robustness")
EVERY = [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in VERBS]


@pytest.fixture
def place(tmp_path):
    photos(tmp_path / "data")
    assert call(["watermark", "keygen", str(tmp_path / "my.key")]).code == 0
    return tmp_path


def lost(place):
    """One image is a broken link now; gives what brings it back."""
    image = place / "data" / "1.png"
    kept = image.read_bytes()
    image.unlink()
    image.symlink_to(place / "nowhere")

    def back():
        image.unlink()
        image.write_bytes(kept)

    return back


def done_by_one(monkeypatch):
    """Shards hold one sample; gives the list of those that a worker does, without exhibits."""
    plain, mapped, seen = Spec.__init__, Inline.map, []

    def one(self, *args, **named):
        plain(self, *args, **{**named, "shard": 1})

    def map_(self, task, spec, shards, store, progress):
        seen.extend(each.key for each in shards if each.exhibit is None)
        mapped(self, task, spec, shards, store, progress)

    monkeypatch.setattr(Spec, "__init__", one)
    monkeypatch.setattr(Inline, "map", map_)
    return seen


@pytest.mark.parametrize("verb", EVERY)
def test_an_input_that_came_back_is_done_again_in_the_finished_run(verb, place, monkeypatch):
    seen = done_by_one(monkeypatch)
    assert call(RUNS[verb](place, place / "calm")).code == 0
    first = len(seen)
    back, arguments = lost(place), RUNS[verb](place, place / "out")
    assert call(arguments).code == 1
    back()
    seen.clear()
    done = call([*arguments, "--retry-failed"])
    assert done.code == 0, done.said
    assert files(place / "out") == files(place / "calm")
    assert len(seen) == first // 3, seen  # of three images one
    assert call([*arguments, "--retry-failed"]).code == 0


def test_an_input_that_came_back_is_done_again_in_an_unfinished_run(place, monkeypatch):
    back, arguments = lost(place), RUNS["tokenizer"](place, place / "out")
    with monkeypatch.context() as patch:
        patch.setattr(RunStore, "seal", lambda *_, **__: (_ for _ in ()).throw(MemoryError()))
        assert call(arguments).code == 2
    back()
    refused = call(arguments)
    assert refused.code == 2
    assert "or --retry-failed where a failed input came back" in refused.said
    assert call([*arguments, "--retry-failed"]).code == 0
    assert call(RUNS["tokenizer"](place, place / "calm")).code == 0
    assert files(place / "out") == files(place / "calm")


def test_a_run_of_other_settings_is_not_taken_for_a_retry(place):
    back, arguments = lost(place), RUNS["tokenizer"](place, place / "out")
    assert call(arguments).code == 1
    back()
    done = call([*arguments, "--retry-failed", "--limit", "2"])
    assert done.code == 2
    assert "holds another run" in done.said
    assert call([*arguments, "--retry-failed", "--seed", "1"]).code == 2
