"""A power cut, and a second process on the same folder: one sentence at most, and the bytes of an undisturbed run."""

import multiprocessing
import shutil

import pytest
from helpers.verbs import RUNS, call, call_beside, files, photos, prepared

from evalkit.runs.store import RunStore

CUT = ("tokenizer", "attack", "embed")
EVERY = [pytest.param(name, marks=() if name in CUT else pytest.mark.slow) for name in RUNS]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return prepared(tmp_path_factory.mktemp("place"))


def shortened(path, how):
    data = path.read_bytes()
    path.write_bytes({"half": data[: len(data) // 2], "empty": b"", "zeros": bytes(len(data))}[how])


@pytest.mark.parametrize("verb", EVERY)
def test_what_a_power_cut_leaves_of_an_unfinished_run_ends_with_the_same_bytes(verb, place, tmp_path, monkeypatch):
    calm = RUNS[verb](place, tmp_path / "calm")
    assert call(calm).code == 0
    right, out = files(tmp_path / "calm"), tmp_path / "out"
    arguments = RUNS[verb](place, out)
    with monkeypatch.context() as patch:
        patch.setattr(RunStore, "seal", lambda *_, **__: (_ for _ in ()).throw(MemoryError()))
        assert call(arguments).code == 2
    shutil.copytree(out, tmp_path / "before")
    left = [each.relative_to(out) for each in sorted(out.rglob("*")) if each.is_file() and each.stat().st_size]
    left = [each for each in left if each.name != ".lock"]
    assert any("shards" in each.parts for each in left)
    for number, name in enumerate(left):
        shutil.rmtree(out)
        shutil.copytree(tmp_path / "before", out)
        shortened(out / name, ("half", "empty", "zeros")[number % 3])
        done = call(arguments)
        if name.name == "plan.json" and number % 3 == 2:  # of zeros: nobody knows whose shards these are
            assert done.code == 2
            assert "plan.json cannot be read" in done.said
            continue
        assert done.code == 0, (name, done.said)
        found = files(out)
        assert {key for key in right if found.get(key) != right[key]} == set(), name


def test_a_plan_that_was_cut_short_is_begun_again(place, tmp_path, monkeypatch):
    out = tmp_path / "out"
    arguments = RUNS["attack"](place, out)
    with monkeypatch.context() as patch:
        patch.setattr(RunStore, "seal", lambda *_, **__: (_ for _ in ()).throw(MemoryError()))
        assert call(arguments).code == 2
    for how in ("half", "empty"):
        shortened(out / "plan.json", how)
        with monkeypatch.context() as patch:
            patch.setattr(RunStore, "seal", lambda *_, **__: (_ for _ in ()).throw(MemoryError()))
            assert call(arguments).code == 2
    assert call(arguments).code == 0


@pytest.mark.parametrize("name", ["record.json", "results.json", "samples.parquet", "plan.json"])
def test_a_sealed_run_with_a_file_that_was_cut_short_is_one_sentence(name, place, tmp_path):
    out = tmp_path / "out"
    arguments = RUNS["attack"](place, out)
    assert call(arguments).code == 0
    shortened(out / name, "half")
    done = call(arguments)
    assert done.code == 2
    assert len(done.said.strip().splitlines()) == 1, done.said


@pytest.mark.parametrize("times", [4, pytest.param(20, marks=pytest.mark.slow)])
def test_two_processes_on_one_folder_make_one_run(times, tmp_path):
    photos(tmp_path / "data")
    calm = RUNS["attack"](tmp_path, tmp_path / "calm")
    assert call(calm).code == 0
    right = files(tmp_path / "calm")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["helpers.verbs", "evalkit.cli.watermark_attack", "evalkit.watermark.attacks.run"])
    answer = context.Queue()
    for number in range(times):
        out, both = tmp_path / f"run{number}", context.Barrier(2)
        arguments = RUNS["attack"](tmp_path, out)
        pair = [context.Process(target=call_beside, args=(arguments, answer, both)) for _ in range(2)]
        for each in pair:
            each.start()
        said = [answer.get(timeout=120) for _ in pair]
        for each in pair:
            each.join(60)
        assert 0 in [code for code, _ in said], said
        for code, words in said:
            assert code == 0 or (code == 2 and "is being written by another process" in words), words
        assert files(out) == right
