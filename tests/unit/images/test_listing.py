"""Nothing vanishes: every entry is used, fails with a reason, or is counted by kind."""

import os
import zipfile

import pytest
from PIL import Image

from evalkit.errors import EvalkitError
from evalkit.images import Sample, Unreadable, open_images
from evalkit.images.listing import list_folder, printable


def image(path, format="PNG"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 6), (10, 20, 30)).save(path, format)


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "F"
    image(root / "a.png")
    image(root / "noext")
    image(root / "photo.dat", "JPEG")
    image(root / "g.mpo", "MPO")
    image(root / "sub" / "b.JPG", "JPEG")
    image(root / "c.jp2", "JPEG2000")
    image(root / "d.tga", "TGA")
    (root / "i.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(99))
    (root / "j.jxl").write_bytes(b"\xff\x0a" + bytes(99))
    (root / "notes.md").write_text("not an image")
    (root / "a.TXT").write_text("OPEN")
    (root / "lonely.txt").write_text("no image has this name")
    (root / ".hidden.png").write_bytes(b"")
    (root / ".git").mkdir()
    return root


def test_every_entry_is_used_or_counted_by_kind(folder):
    images = open_images(folder)
    assert list(images.ids()) == ["a.png", "g.mpo", "i.heic", "j.jxl", "noext", "photo.dat", "sub/b.JPG"]
    assert images.skipped == {"JPEG 2000": 1, "TGA": 1, ".md": 1, ".txt": 1, "hidden": 2}
    by_id = {each.id: each for each in images.read(0, len(images))}
    assert isinstance(by_id["i.heic"], Unreadable)
    assert "JPEG XL" in by_id["j.jxl"].reason
    assert by_id["a.png"].meta == {"text": "OPEN"}
    assert all(isinstance(by_id[id], Sample) for id in ("noext", "photo.dat", "g.mpo", "sub/b.JPG"))
    (said,) = images.remarks()
    assert "6 files" in said
    assert "1 JPEG 2000" in said
    assert images.as_record()["skipped"] == dict(sorted(images.skipped.items()))


def test_an_archive_counts_as_its_folder_does(folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder).as_posix())
        archive.writestr("__MACOSX/._a.png", b"rubbish")
    there, here = open_images(folder), open_images(tmp_path / "set.zip")
    assert list(here.ids()) == list(there.ids())
    assert dict(here.skipped) == dict(there.skipped)
    assert here.digest() == there.digest()
    assert next(here.read(0, 1)).meta == {"text": "OPEN"}


def test_a_glob_counts_what_it_names_and_is_no_image(folder):
    images = open_images(str(folder / "*"))
    assert "sub/b.JPG" not in images.ids()
    assert images.skipped == {"JPEG 2000": 1, "TGA": 1, ".md": 1, ".txt": 1}
    assert next(images.read(0, 1)).meta == {"text": "OPEN"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no fifos here")
def test_what_is_no_file_is_never_opened(folder):
    os.mkfifo(folder / "pipe")
    os.mkfifo(folder / "pipe.png")
    images = open_images(folder)
    assert images.skipped["not a regular file"] == 1
    (sample,) = (each for each in images.read(0, len(images)) if each.id == "pipe.png")
    assert "not a regular file" in sample.reason
    assert images.fingerprint(list(images.ids()).index("pipe.png")) == "missing"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a user whom modes bind")
def test_a_folder_that_cannot_be_listed_is_counted(folder):
    (folder / "sub").chmod(0)
    try:
        assert open_images(folder).skipped["folder that cannot be listed"] == 1
    finally:
        (folder / "sub").chmod(0o755)


def test_an_empty_set_says_what_was_left_out(tmp_path):
    (tmp_path / "x.tga").write_bytes(b"x")
    with pytest.raises(EvalkitError, match="1 TGA"):
        open_images(tmp_path)


def test_names_that_look_alike_keep_ids_apart(tmp_path):
    data = tmp_path / "one.png"
    image(data)
    for name in (b"a\xff.png", b"a\\xff.png"):
        with open(os.path.join(os.fsencode(tmp_path), name), "wb") as stream:
            stream.write(data.read_bytes())
    images = open_images(tmp_path)
    assert len(set(images.ids())) == 3
    assert all(isinstance(each, Sample) for each in images.read(0, 3))
    assert printable("plain/ü.png") == "plain/ü.png"


def test_a_member_that_an_archive_names_twice_is_refused(tmp_path):
    image(tmp_path / "a.png")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.write(tmp_path / "a.png", "a.png")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.png", b"other")
    with pytest.raises(EvalkitError, match=r"holds the member 'a\.png' twice"):
        open_images(tmp_path / "set.zip")


def test_an_image_or_archive_under_another_name_is_told_by_its_bytes(folder, tmp_path):
    assert len(open_images(folder / "noext")) == 1
    with zipfile.ZipFile(tmp_path / "archive.bin", "w") as archive:
        archive.write(folder / "a.png", "a.png")
    assert list(open_images(tmp_path / "archive.bin").ids()) == ["a.png"]
    with pytest.raises(EvalkitError, match="is not a set of images"):
        open_images(folder / "notes.md")


def test_a_text_or_a_name_that_changed_is_another_listing_of_the_same_content(folder, tmp_path):
    images = open_images(folder)
    content, listing = images.digest(), images.listing()
    assert open_images(folder).listing() == listing
    (folder / "a.TXT").write_text("SHUT")
    assert (open_images(folder).digest(), open_images(folder).listing() == listing) == (content, False)
    (folder / "a.TXT").write_text("OPEN")
    (folder / "noext").rename(folder / "noextra")
    assert (open_images(folder).digest(), open_images(folder).listing() == listing) == (content, False)


@pytest.mark.parametrize("spec", ["x" * 5000, "a\0b", "x" * 5000 + "/*.png"])
def test_a_name_that_the_system_refuses_is_one_sentence(spec):
    with pytest.raises(EvalkitError, match="give a folder"):
        open_images(spec)


def test_listing_opens_no_file_whose_suffix_tells(folder, monkeypatch):
    opened = []
    monkeypatch.setattr("evalkit.images.listing._head", lambda path: opened.append(os.path.basename(path)) or b"")
    list_folder(folder)
    assert sorted(opened) == ["c.jp2", "d.tga", "noext", "notes.md", "photo.dat"]
