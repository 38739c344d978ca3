import json

import numpy as np
import pytest
import torch
from PIL import Image

import evalkit
from evalkit.errors import EvalkitError, WeightsError
from evalkit.jobs.options import RunOptions
from evalkit.metrics.frechet import frechet_distance
from evalkit.metrics.moments import features_to_statistics
from evalkit.tasks.score import features, spec, worker
from evalkit.tasks.score import task as score_task

OFFLINE = ("fd_efflite0", "kid_efflite0", "prdc_efflite0", "vendi_efflite0")
ADM = ("fid", "sfid", "is", "precision", "recall")


def run_of(out, images, reference=None, **given):
    options = RunOptions(out=out, device="cpu", **given.pop("options", {}))
    return evalkit.score(images, reference, cache=False, options=options, **given)


def values(run):
    return {row["metric"]: row["value"] for row in run.results}


def same(one, other, relative=1e-9):
    for a, b in zip(one.results, other.results, strict=True):
        for name in ("value", "low", "high"):
            assert a[name] == (None if b[name] is None else pytest.approx(b[name], rel=relative, abs=1e-12))


def test_embedded_features_give_every_metric_offline(sets, tmp_path):
    run = run_of(tmp_path / "run", *sets, metrics=OFFLINE)
    assert [row["status"] for row in run.results] == ["ok"] * 8
    assert all(row["low"] <= row["value"] <= row["high"] for row in run.results if row["low"] is not None)
    assert run.record["encoders"].keys() == {"efflite0"}
    assert run.record["reference"]["n"] == 12
    with (
        np.load(run.path / "statistics/images-efflite0.npz") as a,
        np.load(run.path / "statistics/reference-efflite0.npz") as b,
    ):
        one, two = (features_to_statistics(each["features"]) for each in (a, b))
    assert values(run)["fd_efflite0"] == pytest.approx(frechet_distance(one, two), rel=1e-9)


def test_batches_threads_and_shards_change_nothing(sets, tmp_path, monkeypatch):
    one = run_of(tmp_path / "one", *sets, metrics=OFFLINE)
    monkeypatch.setattr(spec, "SHARD", 5)
    other = run_of(tmp_path / "other", *sets, metrics=OFFLINE, options={"batch_size": 3, "threads": 1})
    same(one, other)
    assert one.samples.drop_columns("contribution").equals(other.samples.drop_columns("contribution"))


def test_threads_of_computation_change_no_bit(sets, tmp_path, monkeypatch):
    threads, runs = torch.get_num_threads(), []
    for count in (1, 3):
        torch.set_num_threads(count)
        try:
            runs.append(run_of(tmp_path / str(count), *sets, metrics=OFFLINE, options={"limit": 6}))
            assert torch.get_num_threads() == count
        finally:
            torch.set_num_threads(threads)
    for file in ("samples.parquet", "statistics/images-efflite0.npz"):
        assert (runs[0].path / file).read_bytes() == (runs[1].path / file).read_bytes()
    same(*runs)


def test_a_run_that_was_cut_off_resumes_to_the_same_bytes(sets, tmp_path, monkeypatch):
    monkeypatch.setattr(spec, "SHARD", 4)
    whole = run_of(tmp_path / "whole", *sets, metrics=OFFLINE)
    process, done = worker.ScoreWorker.process, []

    def cut_off(self, shard, tick):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(shard.key)
        return process(self, shard, tick)

    monkeypatch.setattr(worker.ScoreWorker, "process", cut_off)
    with pytest.raises(KeyboardInterrupt):
        run_of(tmp_path / "cut", *sets, metrics=OFFLINE)
    seen = []
    monkeypatch.setattr(
        worker.ScoreWorker, "process", lambda self, shard, tick: seen.append(shard.key) or process(self, shard, tick)
    )
    resumed = run_of(tmp_path / "cut", *sets, metrics=OFFLINE)
    assert not set(done) & set(seen)
    for file in ("results.json", "samples.parquet", "statistics/images-efflite0.npz", "images/farthest-00.png"):
        assert (whole.path / file).read_bytes() == (resumed.path / file).read_bytes()


def test_without_weights_a_metric_is_unavailable_and_says_which_file_is_missing(sets, tmp_path, monkeypatch):
    monkeypatch.setenv("EVALKIT_OFFLINE", "1")
    run = run_of(tmp_path / "run", *sets, metrics=["fid", "fd_efflite0"])
    fid, fd = run.results[:2]
    assert (fid["status"], fid["value"]) == ("unavailable", None)
    assert "pt_inception-2015-12-05-6726825d.pth" in fid["reason"]
    assert fd["status"] == "ok"


def test_where_no_metric_can_be_measured_nothing_is_begun_and_the_file_is_named(sets, tmp_path, monkeypatch):
    monkeypatch.setenv("EVALKIT_OFFLINE", "1")
    with pytest.raises(WeightsError, match=r"nothing can be measured.*--weights inception-v3-fid=PATH.*_efflite0"):
        run_of(tmp_path / "run", *sets, metrics=["fid", "kid"])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("kept", [2**28, 0])
def test_statistics_of_one_run_are_the_reference_of_another(sets, tmp_path, colours, monkeypatch, kept):
    monkeypatch.setattr(features, "KEPT", kept)
    made, real = sets
    given = {"protocol": "adm", "options": {"weights": colours}}
    direct = run_of(tmp_path / "direct", made, real, metrics=["fid", "sfid"], **given)
    run_of(tmp_path / "real-run", real, metrics=["is"], statistics=tmp_path / "real.npz", **given)
    stored = run_of(tmp_path / "stored", made, tmp_path / "real.npz", metrics=ADM, **given)
    assert values(stored)["fid"] == pytest.approx(values(direct)["fid"], rel=1e-9)
    assert values(stored)["sfid"] == pytest.approx(values(direct)["sfid"], rel=1e-9)
    reasons = {row["metric"]: row["reason"] for row in stored.results}
    assert "a comparison with images is needed" in reasons["precision"]
    assert stored.record["reference"]["n"] == 12


def test_precision_takes_the_images_and_fid_the_statistics_of_guided_diffusions_file(sets, tmp_path, colours):
    made, _ = sets
    rng = np.random.default_rng(3)
    mean, root = rng.normal(100, 5, 6), rng.normal(size=(6, 6))
    arrays = {"mu": mean, "sigma": root @ root.T, "arr_0": rng.integers(0, 255, (9, 16, 16, 3)).astype(np.uint8)}
    np.savez(tmp_path / "virtual.npz", **arrays)
    run = run_of(
        tmp_path / "run", made, tmp_path / "virtual.npz", metrics=ADM, protocol="adm", options={"weights": colours}
    )
    found = {row["metric"]: row for row in run.results}
    with np.load(run.path / "statistics/images-2048.npz") as held:
        mine = features_to_statistics(held["features"])
    other = type("Stored", (), {"mean": mean, "dim": 6, "covariance": lambda self: root @ root.T})()
    assert found["fid"]["value"] == pytest.approx(frechet_distance(mine, other), rel=1e-9)
    assert found["precision"]["status"] == "ok"
    assert "needs statistics of 12 spatial features" in found["sfid"]["reason"]


def test_a_generate_run_brings_prompts_its_model_and_itself_as_the_parent(tmp_path):
    made = evalkit.generate_images("world-ar", "world", options=RunOptions(out=tmp_path / "gen", limit=6, device="cpu"))
    run = run_of(tmp_path / "run", made.path, metrics=["vendi_efflite0"])
    assert run.record["model"]["name"] == "world-ar"
    assert run.record["prompts"]["digest"] == made.record["data"]["digest"]
    assert run.samples["prompt"].to_pylist() == made.samples["prompt"].to_pylist()
    from evalkit.provenance.sign import _source

    assert [each.resolve() for each in _source(run.path, run.record)] == [made.path.resolve()]


def test_class_sorted_images_are_warned_of_where_file_order_matters(tmp_path, colours):
    rows = np.repeat(np.array([20, 90, 150, 220], np.uint8), 5)
    pixels = np.broadcast_to(rows[:, None, None, None], (20, 8, 8, 3))
    np.savez(tmp_path / "sorted.npz", arr_0=pixels)
    np.savez(tmp_path / "mixed.npz", arr_0=pixels[np.random.default_rng(0).permutation(20)])
    given = {"metrics": ["is"], "protocol": "adm", "options": {"weights": colours}}
    assert "sorted by class" in run_of(tmp_path / "a", tmp_path / "sorted.npz", **given).record["warnings"][0]
    assert run_of(tmp_path / "b", tmp_path / "mixed.npz", **given).record["warnings"] == []


def test_classes_of_an_npz_say_what_is_sorted_and_what_each_class_is_like(tmp_path, colours):
    grey = np.random.default_rng(0).integers(0, 63, (20, 8, 8, 3), np.uint8)  # of one class for the network
    np.savez(tmp_path / "sorted.npz", grey, np.repeat(np.arange(4), 5))
    np.savez(tmp_path / "mixed.npz", grey, np.tile(np.arange(4), 5))
    given = {"protocol": "adm", "options": {"weights": colours}}
    run = run_of(tmp_path / "a", tmp_path / "sorted.npz", metrics=["is"], **given)
    assert "sorted by class" in run.record["warnings"][0]
    again = run_of(tmp_path / "b", tmp_path / "mixed.npz", metrics=["is"], **given)
    assert again.record["warnings"] == []
    assert again.samples["label"].to_pylist()[:5] == ["0", "1", "2", "3", "0"]
    each = run_of(
        tmp_path / "c",
        tmp_path / "sorted.npz",
        tmp_path / "mixed.npz",
        metrics=["fid_per_class"],
        options=given["options"],
    )
    assert (each.results[0]["status"], each.results[0]["n"]) == ("ok", 4)


def test_an_image_without_finite_features_fails_alone(sets, tmp_path, monkeypatch):
    whole = run_of(tmp_path / "whole", *sets, metrics=["fd_efflite0"], options={"limit": 8})

    class Broken(score_task.SetEncoder):
        count = 0

        def __call__(self, images):
            found = super().__call__(images)
            Broken.count += 1
            if Broken.count == 3:
                found["efflite0"] = found["efflite0"] * np.nan
            return found

    monkeypatch.setattr(score_task, "SetEncoder", Broken)
    run = run_of(tmp_path / "run", *sets, metrics=["fd_efflite0"], options={"limit": 8})
    errors = run.samples["error"].to_pylist()
    assert errors[2] == "its features (efflite0) are not finite"
    assert sum(each is not None for each in errors) == 1
    assert run.results[0]["n"] == whole.results[0]["n"] - 1
    assert run.samples["contribution"][2].as_py() is None


def test_damaged_images_are_counted_and_left_out(sets, tmp_path):
    (sets[0] / "zzz.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    run = run_of(tmp_path / "run", *sets, metrics=["fd_efflite0"])
    assert values(run)["images_failed"] == 1
    assert run.results[0]["n"] == 14


def test_one_image_and_few_images_have_reasons_instead_of_numbers(sets, tmp_path):
    run = run_of(tmp_path / "run", *sets, metrics=OFFLINE, options={"limit": 1})
    reasons = {row["metric"]: row["reason"] for row in run.results}
    assert "at least 2 images" in reasons["fd_efflite0"] or "too few images" in reasons["fd_efflite0"]
    assert "subsets of half a set need four images or more in both sets" in reasons["kid_efflite0"]
    assert "k = 3 needs more images" in reasons["precision_efflite0"]
    assert values(run)["vendi_efflite0"] == 1
    (tmp_path / "solo").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "solo" / "a.png")
    lone = run_of(tmp_path / "lone", sets[0], tmp_path / "solo", metrics=["fd_efflite0"])
    assert "at least 2 images of the reference; 1 given" in lone.results[0]["reason"]
    assert "fewer images than features" in run_of(tmp_path / "n", *sets, metrics=["fd_efflite0"]).record["warnings"][0]


def test_identical_sets_are_at_no_distance(sets, tmp_path):
    run = run_of(tmp_path / "run", sets[0], sets[0], metrics=OFFLINE)
    found = values(run)
    assert found["fd_efflite0"] < 1e-6
    assert found["precision_efflite0"] == found["recall_efflite0"] == found["coverage_efflite0"] == 1


def test_mistakes_are_one_sentence_before_any_work(sets, tmp_path, colours):
    made, real = sets
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "other.npz", nothing=rng.normal(size=3))
    np.savez(tmp_path / "half.npz", mu=rng.normal(size=3))
    run_of(tmp_path / "s", real, statistics=tmp_path / "real.npz", options={"weights": colours})
    (tmp_path / "two.txt").write_text("a\nb\n")
    cases = [
        ({"metrics": ["fid"]}, "no reference. Give --reference"),
        ({"metrics": ["fix"]}, "Did you mean fid"),
        ({"metrics": ["clipscore"]}, "Give --prompts FILE"),
        ({"metrics": ["clipscore"], "prompts": tmp_path / "two.txt"}, "2 prompts, and there are 14 images"),
        ({"protocol": "clean"}, "clean compares two sets"),
        ({"protocol": "ADM"}, "no protocol"),
        ({"metrics": ["kid"], "reference": real, "protocol": "adm"}, "does not define kid"),
        ({"images": tmp_path / "real.npz"}, "real.npz holds statistics, not images. Give it as --reference"),
        ({"reference": tmp_path / "other.npz", "metrics": ["fid"]}, "other.npz holds nothing, and no images"),
        ({"reference": tmp_path / "half.npz", "metrics": ["fid"]}, "lacks sigma"),
        ({"reference": tmp_path / "real.npz", "metrics": ["fid"], "protocol": "adm"}, "made with protocol evalkit-1"),
        ({"reference": tmp_path / "real.npz", "metrics": ["fd_efflite0"]}, "none of these metrics looks at"),
    ]
    for given, said in cases:
        with pytest.raises(EvalkitError, match=said):
            run_of(tmp_path / "never", **{"images": made, **given})
    assert not (tmp_path / "never").exists()


def test_prompts_belong_to_images_by_name_or_in_order(tmp_path):
    for i in (0, 1):
        (tmp_path / "d").mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "d" / f"p{i}.png")
    (tmp_path / "by_id.jsonl").write_text(
        "\n".join(json.dumps({"id": f"p{i}", "prompt": f"number {i}"}) for i in (1, 0, 2))
    )
    (tmp_path / "in_order.txt").write_text("one\ntwo\n")
    for name, wanted in (("by_id.jsonl", ["number 0", "number 1"]), ("in_order.txt", ["one", "two"])):
        run = run_of(tmp_path / name[:5], tmp_path / "d", metrics=["vendi_efflite0"], prompts=tmp_path / name)
        assert run.samples["prompt"].to_pylist() == wanted


def test_on_a_cpu_each_image_is_looked_at_alone(sets, tmp_path, monkeypatch):
    sizes = []

    class Heard(score_task.SetEncoder):
        def __call__(self, images):
            sizes.append(len(images))
            return super().__call__(images)

    monkeypatch.setattr(score_task, "SetEncoder", Heard)
    run_of(tmp_path / "run", *sets, metrics=["fd_efflite0"], options={"batch_size": 8})
    assert sizes == [1] * 26
