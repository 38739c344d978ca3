"""`evalkit sign` and `evalkit verify` as they are typed: exit codes, what is printed, what is never printed."""

import json
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from evalkit.cli import group, main
from evalkit.jobs.options import RunOptions
from evalkit.tasks.tokenizer import evaluate_tokenizer

pytest.importorskip("cryptography")


def run(*arguments):
    return CliRunner().invoke(group, [str(each) for each in arguments], catch_exceptions=False)


def typed(monkeypatch, capsys, *arguments):
    monkeypatch.setattr("sys.argv", ["evalkit", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        main()
    out = capsys.readouterr()
    return caught.value.code, out.out, out.err


@pytest.fixture
def folder(tmp_path):
    images = tmp_path / "pictures"
    images.mkdir()
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 255, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(images / f"{number}.png")
    options = RunOptions(out=tmp_path / "run", keep="all")
    (made,) = evaluate_tokenizer("jpeg-q75", images, tasks=["reconstruction"], options=options)
    return made.path


@pytest.fixture
def key(tmp_path):
    assert run("sign", "--new-key", tmp_path / "my.pem").exit_code == 0
    return tmp_path / "my.pem"


def test_verbose_says_where_the_time_of_a_verification_went(folder, monkeypatch, capsys):
    code, _, said = typed(monkeypatch, capsys, "verify", folder, "--verbose")
    assert code == 0
    (line,) = [line for line in said.splitlines() if "seconds by stage" in line]
    assert all(stage in line for stage in ("hashes", "schema", "signature", "recompute", "re-score", "parents"))


def test_from_a_new_key_to_level_5(folder, key):
    signed = run("sign", folder, "--key", key)
    assert signed.exit_code == 0
    assert "signed by ed25519" in signed.output
    done = run("verify", folder, "--public-key", f"{key}.pub", "--rescore", 2, "--regenerate", 1)
    assert done.exit_code == 0
    assert f"{folder.name}: level 5 of 5, regenerated" in done.output
    assert "to raise it" not in done.output


def test_unsigned_runs_show_level_1_and_what_would_raise_it(folder):
    done = run("verify", folder)
    assert done.exit_code == 0
    assert "level 1 of 5, hashes" in done.output
    assert "to raise it: have its maker sign it: evalkit sign RUN --key FILE" in done.output


def test_a_changed_file_is_named_with_exit_code_1(folder, key):
    run("sign", folder, "--key", key)
    path = folder / "samples.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    done = run("verify", folder, "--public-key", f"{key}.pub")
    assert done.exit_code == 1
    assert "FAILED" in done.output
    assert "samples.parquet: it has changed: sha256" in done.output
    said = json.loads(run("verify", folder, "--json").output)["runs"][0]
    assert (said["verified"], [each["file"] for each in said["failures"]]) == (False, ["samples.parquet"])


def test_many_failures_are_shortened_on_the_terminal_and_whole_in_json(folder):
    for number in range(50):
        (folder / f"added-{number:02d}").write_text("x")
    done = run("verify", folder)
    assert done.output.count("added-") == 30
    assert "and 20 more; --json lists all" in done.output
    assert len(json.loads(run("verify", folder, "--json").output)["runs"][0]["failures"]) == 50


def test_a_level_can_be_required(folder, key):
    assert run("verify", folder, "--require", 1).exit_code == 0
    assert run("verify", folder, "--require", 2).exit_code == 1
    run("sign", folder, "--key", key)
    assert run("verify", folder, "--require", 2, "--public-key", f"{key}.pub").exit_code == 0
    assert run("verify", folder, "--require", 3, "--public-key", f"{key}.pub", "--no-recompute").exit_code == 1


def test_parents_are_shown_below_their_child(folder, key, tmp_path):
    board = tmp_path / "board"
    board.mkdir()
    (board / "board.csv").write_text("x")
    run("sign", folder, "--key", key)
    assert f"made from {folder.name}" in run("sign", board, "--parent", folder, "--key", key).output
    done = run("verify", board, "--parents", tmp_path, "--public-key", f"{key}.pub")
    assert done.exit_code == 0
    assert f"    {folder.name}: level 3 of 5, recomputed\n" in done.output
    said = json.loads(run("verify", board, "--parents", tmp_path, "--json").output)["runs"][0]
    assert [parent["run"] for parent in said["parents"]] == [folder.name]


def test_names_that_act_on_a_terminal_are_shown_and_not_sent(folder):
    (folder / "\x1b[2Jbad\u202ename").write_text("x")
    done = run("verify", folder)
    assert done.exit_code == 1
    assert "\\x1b[2Jbad\\u202ename" in done.output
    assert "\x1b[2J" not in done.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("sign",), "give a RUN to sign"),
        (("sign", "none", "--key", "none.pem"), "none.pem cannot be read"),
        (("sign", "none"), "no private key was given"),
        (("verify", "none"), "is no folder"),
        (("verify", "."), "holds no run"),
        (("verify", ".", "--public-key", "none"), "the public key none cannot be read"),
        (("verify",), "Missing argument"),
        (("verify", ".", "--require", "6"), "6"),
    ],
)
def test_mistakes_are_one_sentence_and_exit_code_2(arguments, said, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EVALKIT_SIGNING_KEY", raising=False)
    code, out, err = typed(monkeypatch, capsys, *arguments)
    assert code == 2
    assert said in err
    assert "Traceback" not in out + err


def test_an_existing_key_is_not_overwritten(key, monkeypatch, capsys):
    before = key.read_bytes()
    code, _, err = typed(monkeypatch, capsys, "sign", "--new-key", key)
    assert (code, key.read_bytes()) == (2, before)
    assert "not overwritten" in err


def test_a_key_shows_itself_nowhere(folder, key, monkeypatch):
    secret = key.read_text().splitlines()[1]
    monkeypatch.setenv("MY_KEY", key.read_text())
    done = run("sign", folder, "--key", "env:MY_KEY", "--json")
    assert json.loads(done.output)["signed"][0]["files"] == len(list(folder.rglob("*.*"))) - 1
    assert secret not in done.output
    assert not any(secret.encode() in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_without_the_extra_everything_but_signatures_is_checked(folder, key, monkeypatch, capsys):
    unsigned = run("verify", folder)
    run("sign", folder, "--key", key)
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.ed25519", None)
    done = run("verify", folder)
    assert (unsigned.exit_code, done.exit_code) == (0, 0)
    assert "pip install 'evalkit-ar[sign]'" in done.output
    assert "3 recomputed  passed" in done.output
    for arguments in (("sign", folder, "--key", key), ("verify", folder, "--public-key", f"{key}.pub")):
        code, _, err = typed(monkeypatch, capsys, *arguments)
        assert code == 2
        assert "pip install 'evalkit-ar[sign]'" in err


def test_images_are_checked_by_their_manifests(tmp_path, monkeypatch, capsys, key):
    pytest.importorskip("c2pa")
    from evalkit.tasks.generate import generate_images

    generate_images("world-ar", "world", options=RunOptions(out=tmp_path / "made", limit=2))
    assert run("sign", "--new-certificate", tmp_path / "c").exit_code == 0
    made = tmp_path / "made"
    done = run("sign", made, "--key", key, "--c2pa", tmp_path / "c" / "signer.pem")
    assert "2 images with C2PA manifests" in done.output
    assert run("verify", made, "--public-key", f"{key}.pub", "--require", 3).exit_code == 0
    copy = made / "signed" / "0000000.png"
    shown = run("verify", copy, "--trust", tmp_path / "c" / "authority.pem", "--run", made)
    assert shown.exit_code == 0
    assert "under the given authorities" in shown.output
    assert "row and pixels are those of" in shown.output
    assert run("verify", copy).exit_code == 0
    assert run("verify", made / "images" / "0000000.png").exit_code == 1
    other = tmp_path / "other"
    run("sign", "--new-certificate", other)
    stranger = run("verify", copy, "--trust", other / "authority.pem")
    assert stranger.exit_code == 1
    assert "not under the authorities" in stranger.output
    data = bytearray(copy.read_bytes())
    data[-40] ^= 1
    (tmp_path / "bad.png").write_bytes(data)
    assert run("verify", tmp_path / "bad.png").exit_code == 1
    said = json.loads(run("verify", copy, "--json").output)["images"][0]
    assert (said["state"], said["sample"]["model"]) == ("valid", "world-ar")
    code, _, err = typed(monkeypatch, capsys, "sign", made, "--key", key, "--c2pa", tmp_path / "c" / "signer.pem")
    assert code == 2
    assert "--force" in err
    assert run("sign", made, "--key", key, "--c2pa", tmp_path / "c" / "signer.pem", "--force").exit_code == 0
    assert run("verify", made, "--require", 1).exit_code == 0
