import json

import duckdb
import numpy as np
import pytest
import torch
from PIL import Image

from evalkit.errors import EvalkitError
from evalkit.images import open_images
from evalkit.jobs.options import RunOptions
from evalkit.metrics.frechet import frechet_distance, frechet_distance_of_features
from evalkit.metrics.moments import load_moments
from evalkit.tasks.tokenizer import evaluate_tokenizer
from evalkit.tasks.tokenizer.evaluators import Evaluators
from evalkit.tokenizers.base import Codes, Tokenizer
from evalkit.tokenizers.registry import TOKENIZERS, Entry

FAST = ["reconstruction", "detail", "codes"]


@pytest.fixture(autouse=True)
def _offline(monkeypatch):
    monkeypatch.setenv("EVALKIT_OFFLINE", "1")


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    for number in range(5):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 40, 3)).repeat(7, 0).repeat(7, 1)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
    return folder


def by_metric(run, protocol="evalkit-1"):
    return {(r["task"], r["metric"]): r for r in run.results if r["protocol"] == protocol}


def test_a_folder_gives_results_rows_report_and_record(photos, tmp_path):
    (run,) = evaluate_tokenizer("jpeg-q75", photos, tasks=FAST, options=RunOptions(out=tmp_path / "run"))
    found = by_metric(run)
    assert 10 < found["reconstruction", "psnr"]["value"] < 60
    assert found["reconstruction", "psnr"]["low"] < found["reconstruction", "psnr"]["value"]
    assert found["reconstruction", "psnr"]["dataset"] == "mine"
    assert found["reconstruction", "lpips_alex"]["status"] == "unavailable"
    assert "EVALKIT_WEIGHTS" in found["reconstruction", "lpips_alex"]["reason"]
    assert "--weights" not in found["reconstruction", "lpips_alex"]["reason"]
    assert found["codes", "codes_used"]["value"] <= 1
    assert run.samples.num_rows == 5
    assert (run.path / "report.html").stat().st_size > 5000
    assert not (run.path / "shards").exists()
    assert run.record["data"]["n"] == 5
    assert run.record["timings"]["bound_by"]
    assert set(run.record["files"]) >= {"samples.parquet", "results.json"}
    assert [p["kind"] for p in run.images] == ["worst"] * 5
    mean = duckdb.sql(f"select avg(psnr) from '{run.path}/samples.parquet'").fetchall()[0][0]
    assert mean == pytest.approx(found["reconstruction", "psnr"]["value"])


def test_broken_files_are_listed_and_change_nothing_else(photos, tmp_path):
    (clean,) = evaluate_tokenizer("jpeg-lm", photos, tasks=FAST, options=RunOptions(out=tmp_path / "a"))
    for number in range(10):
        (photos / f"bad{number}.png").write_bytes(b"\x89PNG" + bytes(number))
    (mixed,) = evaluate_tokenizer("jpeg-lm", photos, tasks=FAST, options=RunOptions(out=tmp_path / "b"))
    assert mixed.record["data"]["unreadable"] == 10
    assert [r["value"] for r in mixed.results] == [r["value"] for r in clean.results]
    assert [r["low"] for r in mixed.results] == [r["low"] for r in clean.results]
    good = [row for row in mixed.samples.to_pylist() if row["error"] is None]
    assert good == clean.samples.to_pylist()


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_batch_size_never_changes_a_result(photos, tmp_path, batch_size):
    options = RunOptions(out=tmp_path / "run", batch_size=batch_size, keep="none")
    (run,) = evaluate_tokenizer("webp-q50", photos, tasks=FAST, options=options)
    (other,) = evaluate_tokenizer("webp-q50", photos, tasks=FAST, options=RunOptions(out=tmp_path / "o", keep="none"))
    assert run.results == other.results
    assert run.samples.equals(other.samples)


def test_two_protocols_share_a_pass_and_differ_as_they_say(photos, tmp_path):
    (run,) = evaluate_tokenizer(
        "jpeg-q50",
        photos,
        protocols=["evalkit-1", "vtbench-2025", "llamagen-2024"],
        tasks=FAST,
        options=RunOptions(out=tmp_path / "r"),
    )
    default, vtbench, llamagen = (by_metric(run, id) for id in ("evalkit-1", "vtbench-2025", "llamagen-2024"))
    assert vtbench["reconstruction", "psnr"]["value"] < default["reconstruction", "psnr"]["value"] + 1
    assert llamagen["reconstruction", "ssim"]["value"] > default["reconstruction", "ssim"]["value"]
    assert ("reconstruction", "lpips_alex") not in llamagen
    assert run.samples.num_rows == 15
    assert "carried through" in vtbench["reconstruction", "psnr"]["ci_method"]


def test_distribution_uses_the_embedded_features_and_keeps_their_statistics(photos, tmp_path):
    (run,) = evaluate_tokenizer(
        "jpeg-q10", photos, tasks=["distribution"], options=RunOptions(out=tmp_path / "r", keep="none")
    )
    found = by_metric(run)
    assert found["distribution", "fid"]["status"] == "unavailable"
    row = found["distribution", "fd_efflite0"]
    with np.load(run.path / "statistics" / "evalkit-1-fd_efflite0.npz") as z:
        again = frechet_distance_of_features(z["original"], z["reconstruction"])
    assert again == pytest.approx(row["value"], rel=1e-9)
    assert row["n"] == 5
    assert {r["task"] for r in run.results} == {"distribution"}


def test_text_is_scored_against_truth_and_against_the_original(tmp_path):
    (run,) = evaluate_tokenizer(
        "jpeg-q75", "sample/text-easy", tasks=["text"], options=RunOptions(out=tmp_path / "r", limit=2, keep="none")
    )
    found = by_metric(run)
    assert found["text", "cer_truth"]["value"] == 0
    assert found["text", "cer_original"]["value"] == 0
    assert found["text", "word_recall_truth"]["value"] == 1
    assert found["text", "psnr"]["n"] == 2


def test_a_folder_without_truth_is_read_when_text_is_asked_for(photos, tmp_path):
    (run,) = evaluate_tokenizer(
        "jpeg-q75", photos, tasks=["text"], options=RunOptions(out=tmp_path / "r", limit=1, keep="none")
    )
    assert {r["task"] for r in run.results} == {"text"}
    assert not any(r["metric"].endswith("truth") for r in run.results)


def test_keep_all_writes_every_pair_by_position(photos, tmp_path):
    (photos / "0bad.png").write_bytes(b"")
    (run,) = evaluate_tokenizer("jpeg-q75", photos, tasks=FAST, options=RunOptions(out=tmp_path / "r", keep="all"))
    assert len(run.images) == 5
    for entry in run.images:
        original = np.asarray(Image.open(run.path / entry["original"]))
        source = next(s for s in open_images(photos).read(0, 9) if s.id == entry["id"])
        assert original.shape == (256, 256, 3)
        assert abs(original.mean() - source.image.mean()) < 3


class Fragile(Tokenizer):
    """Fails on images that are dark, and needs memory that is not there for more than two at once."""

    name = "fragile"

    def __init__(self, name, config):
        self.sizes = []

    def tokens_per_image(self, height, width):
        return 1

    def encode(self, images):
        self.sizes.append(len(images))
        if len(images) > 2:
            raise torch.cuda.OutOfMemoryError
        if images.mean(dim=(1, 2, 3)).min() < 0.2:
            raise EvalkitError("too dark")
        return Codes(latent=images)

    def decode(self, codes, *, seed=0, noise=None):
        return codes.values * 0.9


def test_one_bad_image_costs_itself_and_memory_halves_the_batch(photos, tmp_path, monkeypatch):
    monkeypatch.setitem(TOKENIZERS._items, "fragile", Entry("fragile", Fragile, None, None))
    Image.new("RGB", (280, 280)).save(photos / "2dark.png")
    (run,) = evaluate_tokenizer("fragile", photos, tasks=FAST, options=RunOptions(out=tmp_path / "r", keep="none"))
    rows = run.samples.to_pylist()
    assert [row["error"] for row in rows] == [None, None, None, "too dark", None, None]
    assert by_metric(run)["reconstruction", "psnr"]["n"] == 5
    assert ("codes", "codes_used") not in by_metric(run)
    assert rows[0]["bpp"] is None


def test_wrong_requests_are_refused_before_any_work(photos, tmp_path):
    for bad, said in (
        ({"models": []}, "no tokenizer was named"),
        ({"models": "jpeg-lm", "tasks": ["taste"]}, "no task called 'taste'"),
        ({"models": "jpeg-lm", "protocols": ["x"]}, "no protocol called"),
        ({"models": "jpeg-q0"}, "quality goes from 1 to 100"),
        ({"models": "jpeg-lm", "options": RunOptions(weights=("x.pt",))}, "has no weights"),
        ({"models": ["jpeg-lm", "llamagen-vq16"], "options": RunOptions(weights=("x.pt",))}, "not say whose it is"),
        ({"models": "jpeg-lm", "options": RunOptions(device="abacus")}, "device 'abacus'"),
        ({"models": "llamagen-vq16", "options": RunOptions(dtype="int4")}, "dtype 'int4'"),
    ):
        with pytest.raises(EvalkitError, match=said):
            evaluate_tokenizer(**{"data": photos, **bad})


def test_several_models_lie_side_by_side_and_the_default_folder_is_named_by_the_plan(photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = RunOptions(limit=1, keep="none")
    runs = evaluate_tokenizer(["jpeg-q75", "webp-q75"], photos, tasks=["codes"], options=options)
    assert [run.path.name[:19] for run in runs] == ["tokenizer-jpeg-q75-", "tokenizer-webp-q75-"]
    several = evaluate_tokenizer(
        ["jpeg-q75", "webp-q75"], photos, tasks=["codes"], options=RunOptions(limit=1, keep="none", out=tmp_path / "x")
    )
    assert [run.path.name for run in several] == ["jpeg-q75", "webp-q75"]
    assert json.loads((several[0].path / "record.json").read_text())["plan"]["parameters"]["keep"] == "none"


def test_judges_name_what_they_cannot_load():
    from evalkit.protocols import load_protocol

    judges = Evaluators([load_protocol("evalkit-1")], frozenset({"reconstruction", "distribution"}), "cpu")
    assert set(judges.unavailable) == {"lpips_alex", "lpips_vgg", "inception-v3-fid"}
    planned = dict(judges.weights)
    assert list(planned) == ["efflite0"]
    assert judges.extractors == {}  # known by their files, not loaded
    assert judges.load().extractors == {}
    assert judges.loaded("efflite0")
    assert not judges.loaded("inception-v3-fid")
    assert list(judges.extractors) == ["efflite0"]
    assert judges.weights == planned
    assert judges.ocr is None


def test_statistics_of_large_sets_are_moments(tmp_path):
    from evalkit.tasks.tokenizer.distances import statistics_of

    x = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    (tmp_path / "s.npz").write_bytes(statistics_of(lambda: [(x[:10], x[:10] + 1), (x[10:], x[10:] + 1)]))
    back = load_moments(tmp_path / "s.npz")
    assert frechet_distance(back["original"], back["reconstruction"]) == pytest.approx(4, rel=1e-6)


class Bits(Tokenizer):
    """Mean grey of each 8 x 8 cell in 16 levels: four bits, of which the highest are the sturdiest."""

    name, vocab_size, bits_of_index, multiple, native_size = "bits", 16, 4, 8, 64

    def __init__(self, name="bits", config=None):
        pass

    def encode(self, images):
        grey = torch.nn.functional.avg_pool2d(images.mean(1, keepdim=True), 8)
        return Codes(indices=(grey * 15).round().long().flatten(1))

    def decode(self, codes, *, seed=0, noise=None):
        grey = (codes.values.float() / 15).reshape(-1, 1, *codes.map_grid())
        return torch.nn.functional.interpolate(grey, scale_factor=8).expand(-1, 3, -1, -1)

    def tokens_per_image(self, height, width):
        return (height // 8) * (width // 8)


def test_survival_of_each_bit_is_drawn_and_kept_out_of_the_table(photos, tmp_path, monkeypatch):
    monkeypatch.setitem(TOKENIZERS._items, "bits", Entry("bits", Bits, None, None))
    tasks = ["reconstruction", "survival", "shift"]
    (run,) = evaluate_tokenizer("bits", photos, tasks=tasks, options=RunOptions(out=tmp_path / "r", keep="none"))
    found = {(r["dataset"], r["metric"]): r for r in run.results}
    assert found["mine", "survival_8bit"]["value"] == 1.0
    assert found["mine[bit 4 of 4]", "survival_jpeg75"]["n"] == 5
    assert 0 < found["mine", "shift_codes"]["value"] <= 1
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert "Which codes return" in page
    assert "Survival, JPEG 75 by bit" in page
    assert "mine[bit" not in page.partition('id="survival"')[0]


def test_images_too_small_for_ms_ssim_are_called_so(photos, tmp_path):
    options = RunOptions(out=tmp_path / "run", keep="none")
    (run,) = evaluate_tokenizer("jpeg-q75", photos, tasks=["reconstruction"], size=128, options=options)
    row = by_metric(run)["reconstruction", "ms_ssim"]
    assert (row["status"], row["value"]) == ("unavailable", None)
    assert "at least 161 px" in row["reason"]


def test_texts_that_were_read_before_are_not_read_again(tmp_path, monkeypatch):
    monkeypatch.setenv("EVALKIT_CACHE", str(tmp_path / "cache"))

    def run(name):
        options = RunOptions(out=tmp_path / name, limit=1, keep="none")
        return evaluate_tokenizer("jpeg-q75", "sample/text-easy", tasks=["text"], options=options)[0]

    first = run("first")
    monkeypatch.setattr("evalkit.encoders.ocr.rapid.RapidOcr.read", lambda self, image: 1 / 0)
    assert run("second").samples.equals(first.samples)
    assert {path.name for path in (tmp_path / "cache").iterdir()} >= {"evidence.sqlite"}
