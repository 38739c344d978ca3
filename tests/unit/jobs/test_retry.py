"""A finished run with a failed sample keeps its shards, and another try does only what has to be done."""

import pytest
from helpers.erased import images, written
from helpers.same_run import contents
from PIL import Image

from evalkit.erasure.check import Look, check_folders
from evalkit.erasure.check.items import items_of
from evalkit.erasure.pairs.pair import read_pairs
from evalkit.jobs.engine_inline import Inline
from evalkit.jobs.options import RunOptions
from evalkit.jobs.spec import Spec
from evalkit.provenance.verify import verify_run
from evalkit.tasks.tokenizer import evaluate_tokenizer


@pytest.fixture
def seen(monkeypatch):
    """The shards that a worker does, exhibits aside; each holds one sample."""
    plain, mapped, keys = Spec.__init__, Inline.map, []

    def one(self, *args, **named):
        plain(self, *args, **{**named, "shard": 1})

    def map_(self, task, spec, shards, store, progress):
        keys.extend(each.key for each in shards if each.exhibit is None)
        mapped(self, task, spec, shards, store, progress)

    monkeypatch.setattr(Spec, "__init__", one)
    monkeypatch.setattr(Inline, "map", map_)
    return keys


def broken(path):
    """The file is a link to nowhere; gives what brings it back."""
    data = path.read_bytes()
    path.unlink()
    path.symlink_to(path.with_name("nowhere"))

    def back():
        path.unlink()
        path.write_bytes(data)

    return back


def photos(folder, n=3):
    folder.mkdir()
    for i in range(n):
        Image.radial_gradient("L").rotate(40 * i).resize((32, 32)).convert("RGB").save(folder / f"{i}.png")
    return folder


def tokenizer(data, out, retry=False):
    options = RunOptions(out=out, device="cpu", retry_failed=retry)
    (run,) = evaluate_tokenizer("jpeg-q75", data, tasks=["reconstruction"], options=options)
    return run


def test_a_run_that_keeps_its_shards_is_verified_like_any_other(tmp_path):
    data = photos(tmp_path / "data")
    broken(data / "1.png")
    run = tokenizer(data, tmp_path / "out")
    assert any(name.startswith("shards/") for name in run.record["files"])
    assert not verify_run(run.path).failures
    (tmp_path / "out" / "shards" / "000000" / "rows.parquet").write_bytes(b"")
    assert verify_run(run.path).failures


def test_a_kept_shard_that_was_changed_is_done_again(tmp_path, seen):
    data = photos(tmp_path / "data")
    tokenizer(data, tmp_path / "calm")
    back = broken(data / "1.png")
    tokenizer(data, tmp_path / "out")
    back()
    about = tmp_path / "out" / "shards" / "000002" / "about.json"
    about.write_bytes(about.read_bytes().replace(b'"seconds"', b'"Seconds"'))
    seen.clear()
    tokenizer(data, tmp_path / "out", retry=True)
    assert seen == ["000001", "000002"]
    assert contents(tmp_path / "out") == contents(tmp_path / "calm")


def test_another_image_that_changed_meanwhile_is_done_again(tmp_path, seen):
    data = photos(tmp_path / "data")
    back = broken(data / "1.png")
    tokenizer(data, tmp_path / "out")
    back()
    Image.new("RGB", (32, 32), "red").save(data / "0.png")
    seen.clear()
    tokenizer(data, tmp_path / "out", retry=True)
    assert seen == ["000000", "000001"]
    tokenizer(data, tmp_path / "calm")
    assert contents(tmp_path / "out") == contents(tmp_path / "calm")


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_check_of_folders_does_one_pair_again(tmp_path, seen, side):
    path = tmp_path / "dog.jsonl"
    written(tmp_path, 8)
    items = items_of(read_pairs(path), "dog", None)
    for name in ("before", "after"):
        images(tmp_path / name, items)

    def check(out, retry=False):
        look, options = Look("world", distances=False), RunOptions(out=out, device="cpu", retry_failed=retry)
        return check_folders(tmp_path / "before", tmp_path / "after", path, "dog", look=look, options=options)

    check(tmp_path / "calm")
    back = broken(sorted((tmp_path / side).iterdir())[1])
    assert check(tmp_path / "out").samples["error"].null_count < check(tmp_path / "calm2").samples.num_rows
    back()
    seen.clear()
    check(tmp_path / "out", retry=True)
    assert len(seen) == 1
    assert contents(tmp_path / "out") == contents(tmp_path / "calm")
