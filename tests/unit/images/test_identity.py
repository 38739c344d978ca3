"""Identity by content: the same bytes have the same digest wherever they lie, and another byte has another one."""

import os
import shutil
import stat
import time
import zipfile

import datasets
import numpy as np
import pytest
from PIL import Image

from evalkit.images import content_digest, open_images
from evalkit.images.hashing import REHASH, HashCache, file_state
from evalkit.images.hub import HubSet


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EVALKIT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "lab"
    root.mkdir()
    for i in range(4):
        Image.fromarray(np.full((8, 8, 3), 40 * i, np.uint8)).save(root / f"{i}.png")
    return root


def settle(folder):
    """Make the files old enough for their state to be believed."""
    old = time.time_ns() - 10**10
    for file in folder.iterdir():
        os.utime(file, ns=(old, old))


def parquet(folder, name="set"):
    rows = [{"bytes": file.read_bytes(), "path": None} for file in sorted(folder.glob("*.png"))]
    made = datasets.Dataset.from_dict({"image": rows}, features=datasets.Features({"image": datasets.Image()}))
    return lambda *_: made.to_iterable_dataset()


def test_the_same_images_in_a_folder_a_copy_an_archive_and_a_hub_set_have_one_digest(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for file in sorted(folder.iterdir(), reverse=True):
            archive.write(file, f"inside/{file.name}")
    hub = HubSet("hf:a/b/test", parquet(folder))
    found = [open_images(each).digest() for each in (folder, tmp_path / "copy", tmp_path / "set.zip")]
    assert len({*found, hub.digest()}) == 1
    samples = list(open_images(folder).read(0, 4))
    assert content_digest((s.id, s.sha256) for s in samples) == found[0]


def test_arrays_have_one_digest_however_they_are_stored(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 6, 7, 3), dtype=np.uint8)
    np.savez(tmp_path / "stored.npz", pixels)
    np.savez_compressed(tmp_path / "packed.npz", pixels, labels=np.arange(5))
    np.savez(tmp_path / "fortran.npz", np.asfortranarray(pixels))
    sets = [open_images(tmp_path / f"{name}.npz") for name in ("stored", "packed", "fortran")]
    assert len({each.digest() for each in sets}) == 1
    assert sets[0].digest() == content_digest((s.id, s.sha256) for s in sets[0].read(0, 5))
    assert sets[1].skipped == {"array labels": 1}
    np.savez(tmp_path / "other.npz", pixels.reshape(5, 7, 6, 3))
    assert open_images(tmp_path / "other.npz").digest() != sets[0].digest()


@pytest.mark.parametrize("believed", [True, False])
def test_a_changed_byte_with_the_old_time_gives_another_digest(folder, monkeypatch, believed):
    settle(folder)
    if believed:
        monkeypatch.setattr("evalkit.images.hashing.settled", lambda state: True)
    before = open_images(folder).digest()
    file = folder / "2.png"
    times = file.stat().st_mtime_ns
    data = bytearray(file.read_bytes())
    data[-20] ^= 1
    file.write_bytes(data)
    os.utime(file, ns=(times, times))
    assert open_images(folder).digest() != before


def test_a_set_that_is_open_sees_a_change_at_once(folder):
    images = open_images(folder)
    before = images.fingerprints()
    (folder / "0.png").write_bytes((folder / "1.png").read_bytes())
    assert images.fingerprint(0) == before[1]
    assert images.fingerprints()[0] == before[1]


def test_the_order_and_the_limit_count_and_the_name_does_not(folder):
    images = open_images(folder)
    assert images.digest(3) != images.digest(4)
    shutil.copytree(folder, folder.parent / "renamed")
    (folder.parent / "renamed" / "0.png").rename(folder.parent / "renamed" / "9.png")
    assert open_images(folder.parent / "renamed").digest() != images.digest()  # other images come first


def test_kept_digests_are_used_only_where_the_state_is_the_same_and_not_when_told_to_hash(folder, monkeypatch):
    settle(folder)
    monkeypatch.setattr("evalkit.images.hashing.settled", lambda state: True)
    true = open_images(folder).fingerprints()
    cache = HashCache()
    place, state = open_images(folder).place(0), file_state(folder / "0.png")
    assert cache.known({place: state}) == {place: true[0]}
    assert cache.known({place: f"{state}0"}) == {}
    cache.keep([(place, state, "f" * 64)])
    cache.close()
    assert open_images(folder).fingerprints()[0] == "f" * 64
    monkeypatch.setenv(REHASH, "1")
    assert open_images(folder).fingerprints() == true
    monkeypatch.delenv(REHASH)
    assert open_images(folder).fingerprints() == true  # and what was wrong is mended


def test_files_that_were_just_written_are_not_kept(folder):
    open_images(folder).fingerprints()
    images = open_images(folder)
    cache = HashCache()
    assert cache.known({images.place(i): images.state(i) for i in range(4)}) == {}


def test_the_cache_is_its_owners_and_a_broken_one_costs_time_only(folder, tmp_path):
    open_images(folder).fingerprints()
    file = tmp_path / "cache" / "hashes.sqlite"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    true = open_images(folder).digest()
    for each in file.parent.iterdir():
        each.unlink()
    file.write_bytes(b"no database" * 100)
    assert open_images(folder).digest() == true


def test_what_cannot_be_read_counts_as_a_dash(folder):
    os.symlink(folder / "nowhere.png", folder / "z.png")
    images = open_images(folder)
    samples = list(images.read(0, 5))
    assert images.fingerprints()[4] == "missing"
    assert images.digest() == content_digest((s.id, s.sha256) for s in samples)


def test_a_revision_stands_for_its_rows_and_is_recorded(folder, monkeypatch):
    asked = {}

    def opened(repo, config, split, *, revision):
        asked["revision"] = revision
        return parquet(folder)()

    monkeypatch.setattr("evalkit.images.hub._revision", lambda repo, wanted: {None: "c0ffee", "v1": "beef"}[wanted])
    monkeypatch.setattr("evalkit.images.hub._open_stream", opened)
    newest, older = HubSet("hf:a/b/test"), HubSet("hf:a/b@v1/test")
    assert (newest.revision, older.revision, asked["revision"]) == ("c0ffee", "beef", "beef")
    assert newest.digest() != older.digest()
    assert newest.as_record()["revision"] == "c0ffee"
    assert newest.name == older.name == "b/test"


@pytest.mark.parametrize("together", [True, False])
def test_a_second_change_within_one_tick_of_the_clock_is_seen_later(folder, monkeypatch, together):
    """The state of both files is the same, but the first was hashed while it could still change unseen."""
    monkeypatch.setattr("evalkit.images.folder.file_state", lambda path: "1 2 3 4 5")
    images = open_images(folder)

    def first():
        return images.fingerprints()[0] if together else images.fingerprint(0)

    monkeypatch.setattr("evalkit.images.hashing.settled", lambda state: False)
    before = first()
    (folder / "0.png").write_bytes((folder / "1.png").read_bytes())
    monkeypatch.setattr("evalkit.images.hashing.settled", lambda state: True)
    assert first() != before
