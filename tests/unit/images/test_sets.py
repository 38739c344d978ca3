import os
import threading
import zipfile
from functools import partial

import datasets
import numpy as np
import pytest
from PIL import Image

from evalkit.errors import EvalkitError
from evalkit.images import Sample, Unreadable, open_images
from evalkit.images.hub import HubSet
from evalkit.images.joined import JoinedSet
from evalkit.images.loader import AHEAD, read_ahead


def image(path, colour=(10, 20, 30), size=(8, 6)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def everything(images):
    return list(images.read(0, len(images)))


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "photos"
    image(root / "b.png")
    image(root / "a" / "deep" / "c.jpg")
    image(root / ".hidden" / "x.png")
    (root / "notes.txt").write_text("not an image")
    return root


def test_a_folder_is_listed_recursively_in_stable_order(folder):
    images = open_images(folder)
    assert list(images.ids()) == ["a/deep/c.jpg", "b.png"]
    assert [s.id for s in everything(images)] == ["a/deep/c.jpg", "b.png"]
    assert images.name == "photos"


def test_bad_files_are_listed_and_cost_nothing_else(folder):
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "empty.jpg").touch()
    samples = everything(open_images(folder))
    assert [type(s) for s in samples] == [Sample, Sample, Unreadable, Unreadable]
    assert "empty" in samples[3].reason
    assert samples[2].sha256 is not None


def test_duplicates_have_equal_digests_and_other_ids(folder):
    (folder / "copy.png").write_bytes((folder / "b.png").read_bytes())
    by_id = {s.id: s.sha256 for s in everything(open_images(folder))}
    assert by_id["copy.png"] == by_id["b.png"] != by_id["a/deep/c.jpg"]


def test_links_in_a_circle_and_broken_links(folder):
    os.symlink(folder, folder / "loop")
    os.symlink(folder / "nowhere.png", folder / "dangling.png")
    samples = everything(open_images(folder))
    assert [s.id for s in samples] == ["a/deep/c.jpg", "b.png", "dangling.png"]
    assert "cannot be opened" in samples[2].reason
    assert open_images(folder).fingerprint(2) == "missing"


def test_names_that_are_not_utf8_give_printable_ids(folder):
    odd = os.path.join(os.fsencode(folder), b"caf\xe9.png")
    with open(odd, "wb") as stream:
        stream.write((folder / "b.png").read_bytes())
    images = open_images(folder)
    assert "caf\\xe9.png" in images.ids()
    assert all(isinstance(s, Sample) for s in everything(images))


def test_true_text_comes_from_a_file_beside_or_from_metadata(folder):
    (folder / "b.txt").write_text("OPEN")
    assert everything(open_images(folder))[1].meta["text"] == "OPEN"
    (folder / "metadata.jsonl").write_text('{"file_name": "b.png", "text": "SHUT", "subset": "signs"}\n')
    assert everything(open_images(folder))[1].meta == {"text": "SHUT", "subset": "signs"}


def test_metadata_csv(folder):
    (folder / "metadata.csv").write_text("file_name,text\nb.png,HELLO\n")
    assert everything(open_images(folder))[1].meta["text"] == "HELLO"


def test_broken_metadata_is_one_clear_error(folder):
    (folder / "metadata.jsonl").write_text("{nonsense")
    with pytest.raises(EvalkitError, match=r"metadata\.jsonl .* line 1 is not JSON"):
        open_images(folder)


def test_a_glob_and_a_single_file(folder):
    assert list(open_images(str(folder / "*.png")).ids()) == ["b.png"]
    assert list(open_images(str(folder / "**" / "*.jpg")).ids()) == ["a/deep/c.jpg"]
    assert list(open_images(folder / "b.png").ids()) == ["b.png"]


def test_fingerprints_change_with_the_file(folder):
    images = open_images(folder)
    before = images.fingerprint(1)
    image(folder / "b.png", size=(40, 40), colour=(1, 2, 3))
    assert images.fingerprint(1) != before


def test_a_zip_with_texts_and_a_broken_member(tmp_path):
    image(tmp_path / "a.png")
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(tmp_path / "a.png", "in/a.png")
        archive.writestr("in/a.txt", "READ ME")
        archive.writestr("in/b.png", b"rubbish")
        archive.writestr("__MACOSX/in/a.png", b"rubbish")
    images = open_images(path)
    good, bad = everything(images)
    assert (good.id, good.meta["text"]) == ("in/a.png", "READ ME")
    assert isinstance(bad, Unreadable)
    assert images.fingerprint(0) != images.fingerprint(1)


def test_a_file_that_is_no_zip(tmp_path):
    (tmp_path / "set.zip").write_bytes(b"no")
    with pytest.raises(EvalkitError, match="not a readable zip"):
        open_images(tmp_path / "set.zip")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_npz_gives_its_rows(tmp_path, save):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 5, 7, 3), dtype=np.uint8)
    save(tmp_path / "set.npz", pixels)
    images = open_images(tmp_path / "set.npz")
    samples = everything(images)
    assert [s.id for s in samples] == ["00000000", "00000001", "00000002"]
    assert np.array_equal(samples[2].image, pixels[2])
    assert images.fingerprint(2) == samples[2].sha256 != images.fingerprint(0)


@pytest.mark.parametrize(
    "arrays", [{"arr_0": np.zeros((2, 4, 4, 3))}, {"other": np.zeros(3)}, {"arr_0": np.zeros((4, 4, 3), np.uint8)}]
)
def test_an_npz_of_another_shape_says_what_was_expected(tmp_path, arrays):
    np.savez(tmp_path / "set.npz", **arrays)
    with pytest.raises(EvalkitError, match="uint8") as caught:
        open_images(tmp_path / "set.npz")
    assert ("holds other, and no images" in str(caught.value)) == ("other" in arrays)


def test_an_npz_names_the_class_of_each_image_where_it_has_them(tmp_path):
    pixels = np.zeros((3, 4, 4, 3), np.uint8)
    np.savez(tmp_path / "classes.npz", pixels, np.array([7, 7, 2]))
    np.savez(tmp_path / "other.npz", pixels, np.array([0.5, 1.5, 2.5]))
    images, other = open_images(tmp_path / "classes.npz"), open_images(tmp_path / "other.npz")
    assert [each.meta["label"] for each in everything(images)] == ["7", "7", "2"]
    assert not images.skipped
    assert other.known(0) == {}
    assert other.skipped == {"array arr_1": 1}
    np.savez(tmp_path / "again.npz", pixels, np.array([7, 2, 7]))
    again = open_images(tmp_path / "again.npz")
    assert images.digest() == again.digest()
    assert images.listing() != again.listing()


def hub_stream(rows=5):
    def make():
        for i in range(rows):
            yield {"image": Image.new("RGB", (4, 4), (i, 0, 0)), "text": f"line {i}"}

    features = datasets.Features({"image": datasets.Image(), "text": datasets.Value("string")})
    return datasets.IterableDataset.from_generator(make, features=features)


def test_hub_rows_are_streamed_and_numbered():
    images = HubSet("hf:owner/repo/config/split", lambda repo, config, split: hub_stream())
    assert len(images) == 5
    samples = list(images.read(1, 3))
    assert [s.id for s in samples] == ["00000001", "00000002"]
    assert samples[0].meta["text"] == "line 1"
    assert samples[1].image[0, 0, 0] == 2


def test_hub_errors_are_one_sentence():
    def closed(repo, config, split):
        raise ConnectionError("no route\nmore lines")

    with pytest.raises(EvalkitError, match="cannot be opened"):
        HubSet("hf:owner/repo/split", closed)
    with pytest.raises(EvalkitError, match="names no split"):
        HubSet("hf:owner")
    text_only = datasets.IterableDataset.from_generator(
        lambda: iter([{"a": 1}]), features=datasets.Features({"a": datasets.Value("int64")})
    )
    with pytest.raises(EvalkitError, match="no image column"):
        HubSet("hf:owner/repo/split", lambda *_: text_only)


def test_the_sample_set_is_whole_and_its_parts_add_up():
    images = open_images("sample")
    samples = everything(images)
    assert all(isinstance(s, Sample) for s in samples)
    subsets = {s.meta["subset"] for s in samples}
    assert subsets == {"photos", "textures", "text-easy", "text-hard", "text-scripts"}
    assert sum(len(open_images(f"sample/{part}")) for part in subsets) == len(samples) >= 25
    assert all(s.meta.get("text") for s in samples if s.meta["task"] == "text")
    assert images.fingerprints() == [s.sha256 for s in samples]


@pytest.mark.parametrize("spec", ["sample/nothing", "/no/such/place", "no-such.zip"])
def test_what_is_not_there_says_what_to_type(spec):
    with pytest.raises(EvalkitError, match=r"it has photos|give a folder"):
        open_images(spec)


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(EvalkitError, match="no images"):
        open_images(tmp_path)


def test_reading_stays_at_most_a_few_images_ahead():
    started, lock = [], threading.Lock()

    def load(index, admit):
        with lock:
            started.append(index)
        return Unreadable(str(index), "x")

    reader = read_ahead((partial(load, i) for i in range(1000)), threads=2)
    first = [next(reader).id for _ in range(3)]
    assert first == ["0", "1", "2"]
    assert max(started) < 3 + AHEAD * 2
    reader.close()


def test_one_thread_reads_lazily():
    loaded = []
    loads = (lambda admit, i=i: loaded.append(i) or Unreadable(str(i), "x") for i in range(10))
    reader = read_ahead(loads, threads=1)
    next(reader)
    assert loaded == [0]


def told(samples):
    return [(each.id, each.sha256, each.meta, each.image.tobytes()) for each in samples]


@pytest.mark.parametrize("kind", ["folder", "zip", "hub", "joined"])
def test_whoever_works_on_an_image_reads_what_the_set_reads(folder, tmp_path, kind):
    image(folder / "z.png", (7, 8, 9))
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for file in sorted(folder.glob("*.png")):
            archive.write(file, file.name)
    both = {"folder": open_images(folder), "zip": open_images(tmp_path / "set.zip")}
    both["hub"] = HubSet("hf:owner/repo/config/split", lambda repo, config, split: hub_stream())
    both["joined"] = JoinedSet("x", "x", [(name, each, {"subset": name}) for name, each in both.items()])
    images = both[kind]
    loads = list(images.loads(1, len(images)))
    assert told(load(lambda pixels: None) for load in loads) == told(images.read(1, len(images)))
    assert len(loads) == len(images) - 1


def test_a_set_with_a_member_that_only_reads_has_no_other_way(folder, tmp_path):
    np.savez(tmp_path / "set.npz", np.zeros((2, 4, 4, 3), np.uint8))
    members = [("a", open_images(folder), {}), ("b", open_images(tmp_path / "set.npz"), {})]
    images = JoinedSet("x", "x", members)
    assert images.loads(0, len(images)) is None
    assert [each.id for each in images.read(1, 3)] == ["a/b.png", "b/00000000"]
