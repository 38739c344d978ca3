"""An input that failed and came back: `--retry-failed` ends with the bytes of a run that never saw it fail."""

import pytest
from helpers.verbs import RUNS, call, files, photos

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


@pytest.mark.parametrize("verb", EVERY)
def test_an_input_that_came_back_is_done_again_in_the_finished_run(verb, place):
    assert call(RUNS[verb](place, place / "calm")).code == 0
    back, arguments = lost(place), RUNS[verb](place, place / "out")
    assert call(arguments).code == 1
    back()
    done = call([*arguments, "--retry-failed"])
    assert done.code == 0, done.said
    assert files(place / "out") == files(place / "calm")
    assert call([*arguments, "--retry-failed"]).code == 0


def test_an_input_that_came_back_is_done_again_in_an_unfinished_run(place, monkeypatch):
    back, arguments = lost(place), RUNS["tokenizer"](place, place / "out")
    with monkeypatch.context() as patch:
        patch.setattr(RunStore, "seal", lambda *_: (_ for _ in ()).throw(MemoryError()))
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
