import io

import fsspec
import numpy as np
import pytest
from PIL import Image

from evalkit.errors import EvalkitError
from evalkit.images import Sample, Unreadable, open_images

PLACE = "memory://photos/set"


@pytest.fixture
def both(tmp_path):
    """The same files in a folder and in a store."""
    pixels = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    for name in ("b.png", "a/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(pixels + len(name)).save(tmp_path / name)
    (tmp_path / "b.txt").write_text("what it says")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    fs = fsspec.filesystem("memory")
    for file in tmp_path.rglob("*"):
        if file.is_file():
            fs.pipe_file(f"/photos/set/{file.relative_to(tmp_path).as_posix()}", file.read_bytes())
    yield open_images(tmp_path), open_images(PLACE)
    fs.store.clear()


def test_images_of_a_store_are_those_of_the_folder(both):
    folder, store = both
    assert store.ids() == folder.ids() == ["a/c.png", "b.png", "broken.png"]
    assert store.digest() == folder.digest()
    assert store.listing() == folder.listing()
    for one, other in zip(folder.read(0, 3), store.read(0, 3), strict=True):
        assert type(one) is type(other)
        assert one.sha256 == other.sha256
        if isinstance(one, Sample):
            assert (one.image == other.image).all()
            assert one.meta == other.meta
    assert isinstance(other, Unreadable)


def test_a_changed_object_changes_the_digest(both):
    before, data = both[1].digest(), io.BytesIO()
    Image.new("RGB", (8, 8)).save(data, "PNG")
    fsspec.filesystem("memory").pipe_file("/photos/set/b.png", data.getvalue())
    assert open_images(PLACE).digest() != before


def test_nothing_at_an_address_is_a_sentence():
    with pytest.raises(EvalkitError, match="no images in 'memory://nothing/here'"):
        open_images("memory://nothing/here")


def test_a_run_within_the_data_of_a_store_is_refused():
    from evalkit.jobs.options import check_apart
    from evalkit.weights.object_stores import here

    with pytest.raises(EvalkitError, match="lies within the data"):
        check_apart(PLACE, here(f"{PLACE}/run"))
    check_apart(PLACE, here(f"{PLACE}-run"))
