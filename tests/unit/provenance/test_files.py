"""Listing and hashing; one digest over all files as OpenSSF model-signing computes it."""

import hashlib
import os
import sys

import pytest

from evalkit.errors import EvalkitError
from evalkit.jobs.progress import Progress
from evalkit.provenance.files import OPENING, PART, digest, digests, listing, manifest_digest, pieces

TREE = {
    "a.b/x.txt": b"one",
    "a/y.txt": b"two",
    "b/z.bin": b"three",
    "a-1.txt": b"four",
    "a.txt": b"",
    "ä.txt": b"five",
    "B.txt": b"six",
    ".hidden": b"h",
}
BY_MODEL_SIGNING = "2766f7d481f48963d5a013c84fd5a05225a9433f8a5de313bda7b9b7d6242cd8"


@pytest.fixture
def tree(tmp_path):
    for name, data in TREE.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    return tmp_path


def test_the_manifest_digest_is_that_of_model_signing(tree):
    """`model_signing.hashing.hash(folder)` of model-signing 1.1.1, subject digest of its payload, over this very tree."""
    assert manifest_digest(digests(tree, listing(tree))) == BY_MODEL_SIGNING


def test_digests_are_those_of_hashlib_for_all_sizes(tmp_path):
    for size in (0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20):
        data = bytes(i % 251 for i in range(1000)) * (size // 1000) + b"x" * (size % 1000)
        (tmp_path / "f").write_bytes(data)
        assert digest(tmp_path / "f") == hashlib.sha256(data).hexdigest()


def test_many_files_in_several_threads_keep_their_names(tmp_path):
    names = [f"{i:04d}" for i in range(200)]
    for name in names:
        (tmp_path / name).write_text(name * 50)
    found = digests(tmp_path, names, threads=4)
    assert found == {name: hashlib.sha256((name * 50).encode()).hexdigest() for name in names}


def test_progress_is_told_of_every_file(tree):
    class Counting(Progress):
        done = total = 0

        def start(self, title, total):
            self.total = total

        def advance(self, samples, *, resumed=False, timers=None):
            self.done += samples

    told = Counting()
    digests(tree, listing(tree), progress=told)
    assert told.done == told.total == len(TREE)


def test_what_is_no_plain_file_has_no_digest(tree):
    (tree / "link").symlink_to(tree / "a.txt")
    (tree / "folder-link").symlink_to(tree / "a")
    os.mkfifo(tree / "pipe")
    found = digests(tree, [*listing(tree), "none", "a"])
    assert [found[name] for name in ("link", "folder-link", "pipe", "none", "a")] == [None] * 5
    assert sorted(name for name, value in found.items() if value) == sorted(TREE)


def test_the_attestation_is_not_part_of_what_it_attests(tree):
    (tree / "attestation.json").write_text("{}")
    (tree / "a" / "attestation.json").write_text("{}")
    assert "attestation.json" not in listing(tree)
    assert "a/attestation.json" in listing(tree)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_no_text_is_an_error(tree):
    (tree / os.fsdecode(b"\xff.png")).write_bytes(b"")
    with pytest.raises(EvalkitError, match="not UTF-8"):
        listing(tree)


def test_work_is_shared_by_bytes_with_large_files_alone_and_small_ones_together(tmp_path):
    names = [f"{number:03d}" for number in range(300)]
    for name in names:
        (tmp_path / name).write_bytes(b"x" * (PART if name in ("007", "200") else 10))
    parts = pieces(tmp_path, [*names, "gone"])
    assert sorted(name for part in parts for name in part) == [*names, "gone"]
    assert [len(part) for part in parts[:2]] == [1, 1]
    assert max(len(part) for part in parts) <= PART // OPENING
    assert list(digests(tmp_path, [*names, "gone"])) == [*names, "gone"]
