import json

import numpy as np
import pytest
from PIL import Image

import evalkit
from evalkit.errors import EvalkitError
from evalkit.images.encode import png_bytes
from evalkit.jobs.options import RunOptions
from evalkit.metrics.generation import EVALUATIONS, PEAK_MEMORY, SPEED_UP
from evalkit.metrics.paired import EVALUATION_RATIO, EXACT, LPIPS, MEMORY_RATIO, PSNR, SSIM, paired_metrics
from evalkit.metrics.psnr import psnr
from evalkit.metrics.ssim import ssim
from evalkit.provenance.verify import verify_run
from evalkit.stats.intervals import mean_interval
from evalkit.tasks.paired import results as results_module
from evalkit.tasks.paired.results import incomparable, results_of
from evalkit.tasks.paired.rows import table


def drawn(folder, seed=0, n=6, **given):
    options = RunOptions(out=folder, limit=n, device="cpu", seed=seed)
    return evalkit.generate_images("world-ar", "world", samples=2, options=options, **given)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """(plain run, the same requests at another temperature)."""
    folder = tmp_path_factory.mktemp("runs")
    return drawn(folder / "plain").path, drawn(folder / "other", temperature=0.9).path


@pytest.fixture(scope="module")
def run(runs, tmp_path_factory):
    return paired(tmp_path_factory.mktemp("paired") / "run", runs[1], runs[0])


def paired(out, images, baseline, *, limit=None, **given):
    return evalkit.score(images, paired=baseline, options=RunOptions(out=out, device="cpu", limit=limit), **given)


def by_metric(run):
    return {row["metric"]: row for row in run.results}


def pixels(folder, row):
    return np.asarray(Image.open(folder / row["file"]))


def test_images_are_compared_with_those_of_the_same_request(run, runs):
    mine, other = (evalkit.read_run(each).samples.to_pylist() for each in (runs[1], runs[0]))
    for row, a, b in zip(run.samples.to_pylist(), mine, other, strict=True):
        x, y = pixels(runs[1], a), pixels(runs[0], b)
        assert (row["id"], row["sha256"], row["sha256_baseline"]) == (a["id"], a["sha256"], b["sha256"])
        assert row[SSIM.name] == pytest.approx(ssim(y, x))
        error = ((x / 255 - y / 255) ** 2).mean()
        assert row[EXACT.name] == (error == 0)
        assert row[PSNR.name] == pytest.approx(psnr(error))


def test_intervals_draw_whole_prompts(run):
    values, prompts = run.samples[SSIM.name].to_numpy(), run.samples["prompt_id"].to_pylist()
    found = mean_interval(values, clusters=prompts, method="mean", range=(-1.0, 1.0))
    row = by_metric(run)[SSIM.name]
    assert (row["value"], row["low"], row["high"]) == pytest.approx((found.value, found.low, found.high))
    assert found.low != pytest.approx(mean_interval(values, method="mean", range=(-1.0, 1.0)).low)


def test_gains_come_from_both_records(run, runs):
    found = by_metric(run)
    seconds = [
        sum(json.loads(line)["seconds"] for line in (path / "manifest.jsonl").read_text().splitlines()) for path in runs
    ]
    assert found[SPEED_UP.name]["value"] == pytest.approx(seconds[0] / seconds[1], rel=1e-9)
    assert found[EVALUATIONS.name]["value"] == 64
    assert found[EVALUATION_RATIO.name]["value"] == 1
    memory = [evalkit.read_run(each).record["memory"]["peak_memory_bytes"] for each in runs]
    assert found[PEAK_MEMORY.name]["value"] == memory[1] > 0
    assert found[MEMORY_RATIO.name]["value"] == pytest.approx(memory[1] / memory[0])


def test_a_run_beside_itself_is_exact_and_as_fast(runs, tmp_path):
    found = by_metric(paired(tmp_path / "run", runs[0], runs[0]))
    assert (found[EXACT.name]["value"], found[SSIM.name]["value"], found[PSNR.name]["value"]) == (1, 1, "inf")
    assert found[SPEED_UP.name]["value"] == 1
    assert verify_run(tmp_path / "run").failures == ()


def test_without_weights_lpips_is_unavailable_and_the_rest_is_there(run):
    row = by_metric(run)[LPIPS["alex"].name]
    assert row["status"] == "unavailable"
    assert "alexnet" in row["reason"]


def test_folders_pair_by_name_without_ending_and_tell_no_cost(tmp_path):
    rng = np.random.default_rng(0)
    for side, end in (("a", "png"), ("b", "bmp")):
        (tmp_path / side).mkdir()
        for i in range(3):
            image = Image.fromarray(rng.integers(0, 255, (16, 16, 3), dtype=np.uint8))
            image.save(tmp_path / side / f"{i}.{end}")
    (tmp_path / "b" / "2.bmp").unlink()
    (tmp_path / "a" / "0.png").write_bytes(png_bytes(np.zeros((20, 16, 3), np.uint8)))
    run = paired(tmp_path / "run", tmp_path / "a", tmp_path / "b")
    errors = run.samples["error"].to_pylist()
    assert errors[0] == "the baseline's image has another size (16x16)"
    assert errors[1] is None
    assert errors[2] == "the baseline has no image of this name"
    found = by_metric(run)
    assert found[PSNR.name]["n"] == 1
    assert "a is a folder of images" in found[SPEED_UP.name]["reason"]
    assert "a is a folder of images" in found[PEAK_MEMORY.name]["reason"]


def test_another_machine_or_a_record_without_memory_leaves_the_number_out():
    cost = {"device": "cuda:0", "machine": ["H200", "x86_64", 8], "rows": 8, "acceleration": None, "memory_of": "x"}
    other = {**cost, "machine": ["A100", "x86_64", 8]}
    assert incomparable({"data": cost, "reference": dict(cost)}, ("a", "b")) is None
    assert "H200" in incomparable({"data": cost, "reference": other}, ("a", "b"))
    costs = {"data": {**cost, "memory": 5}, "reference": {**cost, "memory": None}}
    rows = table([])
    (found,) = results_of((MEMORY_RATIO.name,), rows, costs, ("a", "b"), {})
    assert "the record of b states no peak memory" in found.reason
    (found,) = results_of((PEAK_MEMORY.name,), rows, costs, ("a", "b"), {})
    assert found.value == 5


def test_other_batches_are_warned_of():
    cost = {"rows": 8, "acceleration": None}
    assert results_module.remarks({"data": cost, "reference": dict(cost)}) == []
    assert "16" in results_module.remarks({"data": cost, "reference": {**cost, "rows": 16}})[0]


def test_both_runs_are_parents_of_the_comparison(run, runs):
    from evalkit.provenance.sign import _source

    assert {each.resolve() for each in _source(run.path, run.record)} == {each.resolve() for each in runs}


def test_what_does_not_pair_is_one_sentence_before_any_work(runs, tmp_path):
    other = drawn(tmp_path / "seed", seed=1).path
    for images, baseline, given, words in (
        (runs[0], other, {}, "with another seed"),
        (runs[0], "sample/photos", {}, "share no image"),
        (runs[0], runs[1], {"metrics": ["fid"]}, "does not compare with a baseline"),
        (runs[0], runs[1], {"model": "world-ar"}, "A baseline comes alone"),
    ):
        with pytest.raises(EvalkitError, match=words) as caught:
            paired(tmp_path / "run", images, baseline, **given)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_manifest_that_was_changed_after_sealing_is_refused(tmp_path):
    path = drawn(tmp_path / "made", n=2).path
    file = path / "manifest.jsonl"
    file.write_text(file.read_text().replace('"seconds": ', '"seconds": 9'))
    with pytest.raises(EvalkitError, match="changed after sealing"):
        paired(tmp_path / "run", path, path)


def test_controls_and_subjects_are_compared_on_request(tmp_path, monkeypatch):
    """Edges and maps of pairs of one size; features of pairs of any size, unavailable where weights are missing."""
    for name, side in (("made", 200), ("wanted", 200)):
        (tmp_path / name).mkdir()
        image = np.full((side, side, 3), 255, np.uint8)
        image[40:80, 40:80] = 0
        Image.fromarray(image).save(tmp_path / name / "a.png")
        Image.fromarray(np.zeros((side + (name == "made"), side, 3), np.uint8)).save(tmp_path / name / "b.png")
    run = paired(tmp_path / "run", tmp_path / "made", tmp_path / "wanted", metrics=["maps", "subject"])
    found = by_metric(run)
    assert {name: found[name]["value"] for name in ("canny_f1", "map_rmse", "map_iou", "map_ms_ssim")} == {
        "canny_f1": 1,
        "map_rmse": 0,
        "map_iou": 1,
        "map_ms_ssim": pytest.approx(1),
    }
    assert found["subject_dinov2"]["status"] == "unavailable"
    assert found["canny_f1"]["n"] == 1
    assert verify_run(run.path).failures == ()
    assert "canny_f1" not in {metric.name for metric in paired_metrics([])}
