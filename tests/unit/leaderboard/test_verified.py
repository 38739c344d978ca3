"""Runs that a known signer signed are marked; a signature that does not hold is refused."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from evalkit.errors import EvalkitError
from evalkit.jobs.options import RunOptions
from evalkit.leaderboard import LeaderboardOptions, make_leaderboard
from evalkit.tasks.tokenizer import evaluate_tokenizer

pytest.importorskip("cryptography")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two runs, the first one signed, and the signer's public key."""
    from evalkit.provenance.keys import load_signing_key, make_key
    from evalkit.provenance.sign import sign_run

    home = tmp_path_factory.mktemp("signed")
    (home / "pictures").mkdir()
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 255, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(home / "pictures" / f"{number}.png")
    for name in ("jpeg-q75", "webp-q75"):
        options = RunOptions(out=home / name, keep="none")
        evaluate_tokenizer(name, home / "pictures", tasks=["reconstruction"], options=options)
    public = make_key(home / "key.pem")
    sign_run(home / "jpeg-q75", load_signing_key(home / "key.pem"))
    return home, public


def test_signed_runs_are_marked_and_unsigned_ones_are_not(made, tmp_path):
    home, public = made
    board = make_leaderboard(
        [home / "jpeg-q75", home / "webp-q75"], tmp_path / "board", LeaderboardOptions(public_key=public)
    )
    assert [(each.name, each.signed, each.verified) for each in board.entrants] == [
        ("jpeg-q75", True, True),
        ("webp-q75", False, False),
    ]
    page = board.path.read_text(encoding="utf-8")
    assert page.count(">verified</span>") == len(board.boards)
    parents = json.loads((tmp_path / "board" / "leaderboard.json").read_bytes())["parents"]
    assert [each["verified"] for each in parents] == [True, False]


def test_without_a_key_a_signature_is_only_there(made, tmp_path):
    home, _ = made
    board = make_leaderboard([home / "jpeg-q75"], tmp_path / "board")
    assert not board.entrants[0].verified
    assert ">signed</span>" in board.path.read_text(encoding="utf-8")


def test_another_signer_is_refused_by_the_file(made, tmp_path):
    from evalkit.provenance.keys import make_key

    home, _ = made
    other = make_key(tmp_path / "other.pem")
    with pytest.raises(EvalkitError, match=r"attestation\.json: .*no leaderboard with this key"):
        make_leaderboard([home / "jpeg-q75"], tmp_path / "board", LeaderboardOptions(public_key=other))


def test_a_changed_file_of_a_signed_run_is_refused_by_its_name(made, tmp_path):
    home, public = made
    shutil.copytree(home / "jpeg-q75", tmp_path / "run")
    (tmp_path / "run" / "report.html").write_text("another page")
    with pytest.raises(EvalkitError, match=r"report\.html"):
        make_leaderboard([tmp_path / "run"], tmp_path / "board", LeaderboardOptions(public_key=public))
