import fsspec
import pytest

from evalkit.errors import EvalkitError, WeightsError
from evalkit.weights.find import find_weights
from evalkit.weights.object_stores import fetched, here, is_url, local, opened, url_of

FS = fsspec.filesystem("memory")


@pytest.fixture(autouse=True)
def _empty(tmp_path, monkeypatch):
    monkeypatch.setenv("EVALKIT_CACHE", str(tmp_path))
    yield
    FS.store.clear()


def test_an_object_is_copied_once_and_again_when_it_changes(monkeypatch):
    FS.pipe_file("/w/a.bin", b"one")
    path = fetched("memory://w/a.bin")
    assert path.read_bytes() == b"one"
    with monkeypatch.context() as patch:
        patch.setattr(type(FS), "get_file", None)  # no second copy
        assert fetched("memory://w/a.bin") == path
    FS.pipe_file("/w/a.bin", b"two")
    assert fetched("memory://w/a.bin").read_bytes() == b"two"


def test_a_folder_is_copied_whole_and_what_left_the_store_leaves_the_copy():
    FS.pipe_file("/w/m/a", b"a")
    FS.pipe_file("/w/m/b/c", b"c")
    folder = fetched("memory://w/m")
    assert sorted(each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file()) == ["a", "b/c"]
    FS.rm("/w/m/a")
    fetched("memory://w/m")
    assert [each.name for each in folder.rglob("*") if each.is_file()] == ["c"]


def test_weights_are_given_by_address():
    FS.pipe_file("/w/lpips.pth", b"weights")
    assert find_weights("lpips-trunk-alex", "memory://w/lpips.pth").read_bytes() == b"weights"
    with pytest.raises(EvalkitError, match="is not there"):
        find_weights("lpips-trunk-alex", "memory://w/other.pth")
    with pytest.raises(WeightsError):
        find_weights("lpips-trunk-alex", "nowhere.pth")


@pytest.mark.parametrize("url", ["s3://bucket/a/b", "memory://a", "file:///tmp/x", "gs://b/c"])
def test_a_place_and_its_copy_name_each_other(url, monkeypatch):
    monkeypatch.setattr("evalkit.weights.object_stores.opened", lambda url: None)
    assert url_of(here(url)) == url


def test_addresses_are_told_from_paths_and_hold_no_secret(tmp_path):
    assert not any(
        is_url(each) for each in ("runs/a", "http:https://h/v1#m", "https://h/a", "hf:a/b/c/d", "live:1", None)
    )
    assert local(tmp_path) == tmp_path
    assert opened("hf://datasets/owner/set").root == "datasets/owner/set"
    for secret in ("s3://key:word@bucket/a", "s3://bucket/a?token=1", "memory://a/../b"):
        with pytest.raises(EvalkitError) as caught:
            opened(secret)
        assert "word" not in str(caught.value)
        assert "token=1" not in str(caught.value)
    with pytest.raises(EvalkitError, match="no address of a store"):
        opened("nostore://bucket/a")
