"""Any flipped byte of any file is found, and the file is named; so is what was added, taken away or renamed."""

import json
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalkit.errors import EvalkitError
from evalkit.provenance.sign import sign_run
from evalkit.provenance.verify import Depth, verify_run

KINDS = ("generated", "scored", "attacked", "board")
QUICK = Depth(recompute=False)


@pytest.fixture(scope="module")
def signed(made, key, tmp_path_factory):
    """Every kind of folder, signed."""
    home = tmp_path_factory.mktemp("signed") / "runs"
    shutil.copytree(made, home)
    (home / "board" / "deep").mkdir(parents=True)
    (home / "board" / "index.html").write_text("<p>ranks</p>")
    (home / "board" / "deep" / "board.csv").write_text("model,psnr\njpeg,30.1\n")
    for name in KINDS:
        sign_run(home / name, key, parents=[home / "scored"] if name == "board" else [])
    return home


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def places(size):
    return sorted({0, 1, size // 3, size // 2, size - 2, size - 1} & set(range(size)))


def same_json(one, other):
    try:
        return json.loads(one) == json.loads(other)
    except ValueError:
        return False


def named(verdict, name):
    return any(failure.file == name for failure in verdict.failures)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bit", [0x01, 0x20, 0x80])
def test_a_flipped_byte_in_any_file_of_a_signed_folder_is_found_and_named(kind, bit, signed, key, tmp_path):
    folder = tmp_path / kind
    shutil.copytree(signed / kind, folder)
    depth = Depth(key=key.public_key(), recompute=False)
    assert not verify_run(folder, depth).failures
    for name in files(folder):
        before = (folder / name).read_bytes()
        for at in places(len(before)):
            (folder / name).write_bytes(before[:at] + bytes([before[at] ^ bit]) + before[at + 1 :])
            verdict = verify_run(folder, depth)
            assert named(verdict, name), (name, at, verdict)
            assert verdict.level < 2
        (folder / name).write_bytes(before)
    assert not verify_run(folder, depth).failures


@pytest.mark.parametrize("kind", ["generated", "scored"])
def test_a_flipped_byte_in_any_file_of_an_unsigned_run_is_found_and_named(kind, made, tmp_path):
    folder = tmp_path / kind
    shutil.copytree(made / kind, folder)
    assert verify_run(folder, QUICK).level == 1
    for name in files(folder):
        before = (folder / name).read_bytes()
        for at in places(len(before)):
            (folder / name).write_bytes(before[:at] + bytes([before[at] ^ 1]) + before[at + 1 :])
            assert named(verify_run(folder, QUICK), name), (name, at)
        (folder / name).write_bytes(before)


@given(data=st.data())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_change_of_any_attestation_or_record_is_found(data, signed, key, tmp_path_factory):
    folder = tmp_path_factory.mktemp("any") / "run"
    shutil.copytree(signed / "generated", folder)
    name = data.draw(st.sampled_from(["attestation.json", "record.json", "plan.json"]))
    before = (folder / name).read_bytes()
    at = data.draw(st.integers(0, len(before) - 1))
    new = data.draw(st.binary(max_size=3).filter(lambda new: new != before[at : at + 1]))
    after = before[:at] + new + before[at + 1 :]
    (folder / name).write_bytes(after)
    if name == "attestation.json" and same_json(before, after):
        return  # other white space around the same signatures
    if after != before:
        assert named(verify_run(folder, Depth(key=key.public_key(), recompute=False)), name)


@pytest.mark.parametrize("kind", KINDS)
def test_added_missing_and_renamed_files_are_named(kind, signed, key, tmp_path):
    folder = tmp_path / kind
    shutil.copytree(signed / kind, folder)
    depth = Depth(key=key.public_key(), recompute=False)
    for name in ("notes.txt", "images/more.png", ".hidden"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"new")
        assert named(verify_run(folder, depth), name)
        (folder / name).unlink()
    for name in files(folder):
        moved = (folder / name).with_name("moved")
        (folder / name).rename(moved)
        if name == "attestation.json" and kind == "board":
            with pytest.raises(EvalkitError, match="holds no run"):
                verify_run(folder, depth)
        else:
            assert named(verify_run(folder, depth), name), name
        if name != "attestation.json":
            assert named(verify_run(folder, depth), moved.relative_to(folder).as_posix())
        moved.rename(folder / name)


def test_added_and_missing_files_of_an_unsigned_run_are_named(runs):
    (runs / "scored" / "more.csv").write_text("1")
    (runs / "scored" / "images" / "index.json").rename(runs / "scored" / "index.json")
    names = {failure.file for failure in verify_run(runs / "scored", QUICK).failures}
    assert {"more.csv", "images/index.json", "index.json"} <= names


def test_changed_and_added_images_of_attacked_ones_are_named_without_a_signature(runs):
    folder = runs / "attacked"
    assert verify_run(folder, QUICK).level == 1
    image = sorted(folder.glob("jpeg-75/*.jpg"))[0]
    image.write_bytes(image.read_bytes() + b"\0")
    (folder / "jpeg-75" / "more.jpg").write_bytes(b"more")
    names = {failure.file for failure in verify_run(folder, QUICK).failures}
    assert names == {image.relative_to(folder).as_posix(), "jpeg-75/more.jpg"}


def test_a_link_is_no_file(signed, key, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(signed / "generated", folder)
    image = folder / "images" / "0000000.png"
    image.rename(tmp_path / "elsewhere.png")
    image.symlink_to(tmp_path / "elsewhere.png")
    assert named(verify_run(folder, QUICK), "images/0000000.png")
