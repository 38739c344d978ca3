"""A run in an object store keeps the promises of one in a folder: resume, kill, seal, copy."""

import json
import shutil

import fsspec
import pytest
from helpers.counted import COUNTED, spec
from helpers.same_run import contents

from evalkit.errors import EvalkitError
from evalkit.jobs.engine_inline import run_task
from evalkit.provenance.verify import verify_run
from evalkit.runs.store import read_run
from evalkit.weights.object_stores import COPIES, Place, here, opened


@pytest.fixture(params=["memory", "file"])
def url(request, tmp_path, monkeypatch):
    """An address where nothing is, and a cache of its own."""
    monkeypatch.setenv("EVALKIT_CACHE", str(tmp_path / "cache"))
    if request.param == "file":
        yield f"file://{tmp_path}/store/run"
        return
    yield "memory://store/run"
    fsspec.filesystem("memory").store.clear()


def elsewhere(tmp_path):
    """Forget the copy, as on another machine."""
    shutil.rmtree(tmp_path / "cache" / COPIES, ignore_errors=True)


def names(url):
    return opened(url).names()


def copied(url, target):
    place = opened(url)
    place.get(place.names(), target)
    return target


def test_a_run_is_sealed_in_the_store_and_its_copy_verifies(url, tmp_path):
    run = run_task(COUNTED, spec(), here(url))
    inline = run_task(COUNTED, spec(), tmp_path / "inline")
    assert contents(run.path) == contents(inline.path)
    copy = copied(url, tmp_path / "copy")
    assert contents(copy) == contents(inline.path)
    assert set(names(url)) == {each.relative_to(copy).as_posix() for each in copy.rglob("*") if each.is_file()}
    assert not any(name.startswith("shards") for name in names(url))
    verdict = verify_run(copy)
    assert verdict.failures == ()
    elsewhere(tmp_path)
    assert read_run(url).record == read_run(copy).record == run.record
    assert verify_run(url).failures == ()


class Killed(BaseException):
    pass


def stop_at(monkeypatch, count):
    """The process ends before the store gets its `count`-th object."""
    left = [count]
    put = Place.put

    def counted(self, folder, names):
        for name in names:
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            put(self, folder, [name])

    monkeypatch.setattr(Place, "put", counted)
    return left


def ends(url, count, monkeypatch, *, fresh, base):
    """Whether the run is killed after `count` objects; then it is not sealed, or sealed with all that its record lists."""
    if fresh:
        elsewhere(base)
    with monkeypatch.context() as patch:
        stop_at(patch, count)
        try:
            run_task(COUNTED, spec(n=8), here(url))
        except Killed:
            there = names(url)
            if "record.json" in there:
                listed = set(json.loads(opened(url).read("record.json"))["files"])
                assert listed <= set(there)
            return True
    return False


@pytest.mark.parametrize("same_machine", [True, False])
def test_a_run_that_is_killed_at_any_object_resumes_to_the_same_bytes(url, tmp_path, monkeypatch, same_machine):
    whole = contents(run_task(COUNTED, spec(n=8), tmp_path / "whole").path)
    killed = [count for count in range(20) if ends(url, count, monkeypatch, fresh=not same_machine, base=tmp_path)]
    run = run_task(COUNTED, spec(n=8), here(url))
    assert len(killed) > 4
    assert contents(run.path) == whole == contents(copied(url, tmp_path / "copy"))
    assert verify_run(tmp_path / "copy").failures == ()


def test_finished_shards_are_not_done_again_on_another_machine(url, tmp_path):
    with pytest.raises(EvalkitError, match="this shard is wrong"):
        run_task(COUNTED, spec(harm={"000004": "error"}), here(url))
    with pytest.raises(EvalkitError, match="no finished run"):
        read_run(url)
    elsewhere(tmp_path)
    again = spec(harm={f"{number:06d}": "error" for number in range(4)})
    assert run_task(COUNTED, again, here(url)).samples["n"].to_pylist() == list(range(24))


def test_a_shard_that_is_broken_in_the_store_is_done_again(url, tmp_path):
    with pytest.raises(EvalkitError):
        run_task(COUNTED, spec(harm={"000004": "error"}), here(url))
    place = opened(url)
    place.fs.pipe_file(place.path("shards/000001/rows.parquet"), b"broken")
    elsewhere(tmp_path)
    run = run_task(COUNTED, spec(), here(url))
    assert contents(run.path) == contents(run_task(COUNTED, spec(), tmp_path / "inline").path)


def test_another_run_and_foreign_objects_are_refused(url, tmp_path):
    place = opened(url)
    place.fs.makedirs(place.root, exist_ok=True)
    place.fs.pipe_file(place.path("mine.txt"), b"mine")
    with pytest.raises(EvalkitError, match="is not a run"):
        run_task(COUNTED, spec(), here(url))
    place.remove("mine.txt")
    with pytest.raises(EvalkitError, match="this shard is wrong"):
        run_task(COUNTED, spec(harm={"000004": "error"}), here(url))
    elsewhere(tmp_path)
    with pytest.raises(EvalkitError, match="holds another run"):
        run_task(COUNTED, spec(n=23), here(url))


def test_a_mistake_leaves_nothing_in_the_store(url):
    with pytest.raises(EvalkitError, match="wrong weights"):
        run_task(COUNTED, spec(refuses="wrong weights"), here(url))
    assert names(url) == []


def test_an_address_holds_no_secret_and_its_package_is_named():
    with pytest.raises(EvalkitError, match="credentials in the environment"):
        here("s3://key:secret@bucket/run")
    with pytest.raises(EvalkitError, match="not installed"):
        here("gs://bucket/run")
