"""A leaderboard is signed with its runs, and every standing follows from them."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from evalkit.errors import EvalkitError
from evalkit.jobs.options import RunOptions
from evalkit.jsonio import pretty_json
from evalkit.leaderboard.make import make_leaderboard
from evalkit.provenance.verify import Depth, verify_run
from evalkit.tasks.tokenizer import evaluate_tokenizer


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp("made")
    images = tmp_path / "pictures"
    images.mkdir()
    for number in range(4):
        pixels = np.random.default_rng(number).integers(0, 255, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(images / f"{number}.png")
    for name in ("jpeg-q75", "webp-q75"):
        options = RunOptions(out=tmp_path / name, keep="none")
        evaluate_tokenizer(name, images, tasks=["reconstruction"], options=options)
    make_leaderboard([tmp_path / "jpeg-q75", tmp_path / "webp-q75"], tmp_path / "board")
    return tmp_path


@pytest.fixture
def home(made, tmp_path):
    """A copy that a test may spoil."""
    return shutil.copytree(made, tmp_path / "home")


@pytest.fixture
def key():
    ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    return ed25519.Ed25519PrivateKey.from_private_bytes(b"\1" * 32)


def test_a_signed_leaderboard_names_its_runs_and_reaches_level_3(home, key):
    from evalkit.provenance.sign import parents_of, sign_run

    for name in ("jpeg-q75", "webp-q75", "board"):
        sign_run(home / name, key)
    assert {parent.name for parent in parents_of(home / "board")} == {"jpeg-q75", "webp-q75"}
    verdict = verify_run(home / "board", Depth(key=key.public_key(), parents=home))
    assert (verdict.level, verdict.failures) == (3, ())
    assert {parent.run for parent in verdict.parents} == {"jpeg-q75", "webp-q75"}


def test_without_a_signature_the_standings_are_still_recomputed(home):
    verdict = verify_run(home / "board")
    assert (verdict.level, verdict.failures) == (0, ())
    assert verdict.steps[3].status == "passed"


@pytest.mark.parametrize("field", ["value", "low", "rank", "tier", "rank_interval"])
def test_a_standing_that_does_not_follow_is_found(field, home):
    path = home / "board" / "leaderboard.json"
    said = json.loads(path.read_bytes())
    standing = said["boards"][0]["standings"][0]
    standing[field] = [1, 9] if field == "rank_interval" else standing[field] + 1
    path.write_bytes(pretty_json(said))
    (failure,) = verify_run(home / "board").failures
    assert failure.file == "leaderboard.json"
    assert f": {field} is" in failure.reason


def test_a_standing_that_was_left_out_or_made_up_is_found(home):
    path = home / "board" / "leaderboard.json"
    said = json.loads(path.read_bytes())
    gone = said["boards"][0]["standings"].pop()
    path.write_bytes(pretty_json(said))
    assert "is missing" in str(verify_run(home / "board").failures)
    said["boards"][0]["standings"] += [gone, {**gone, "system": "dream"}]
    path.write_bytes(pretty_json(said))
    (failure,) = verify_run(home / "board").failures
    assert "of dream: it follows from no run" in failure.reason


def test_a_board_whose_runs_have_gone_or_changed_is_not_signed_and_not_recomputed(home, key):
    from evalkit.provenance.sign import sign_run

    (home / "webp-q75").rename(home / "moved")
    with pytest.raises(EvalkitError, match="make the leaderboard again"):
        sign_run(home / "board", key)
    verdict = verify_run(home / "board")
    assert verdict.failures == ()
    assert verdict.steps[3].status == "not reached"


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"parents": 5}', b"[" * 100_000, b'{"parents": [{}]}'])
def test_what_is_no_leaderboard_fails_at_level_0(data, home):
    (home / "board" / "leaderboard.json").write_bytes(data)
    assert [failure.file for failure in verify_run(home / "board").failures] == ["leaderboard.json"]
