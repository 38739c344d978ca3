import json
import math

import numpy as np
import pytest
import torch
from PIL import Image

import evalkit
from evalkit.errors import EvalkitError
from evalkit.generators.base import Request
from evalkit.generators.likelihood import code_nats
from evalkit.generators.registry import load_generator
from evalkit.jobs.options import RunOptions
from evalkit.leaderboard.terms import terms_of
from evalkit.metrics.likelihood import BITS, BPD, NLL
from evalkit.provenance.models import model_failures
from evalkit.tasks.clusters import prompts_of
from evalkit.tasks.likelihood import task as likelihood_task
from evalkit.tasks.likelihood.rows import table
from evalkit.world.prompts import world_prompts
from evalkit.world.render import render_scene

N = 5


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """(folder of scenes of 64 px, file of their captions)."""
    folder = tmp_path_factory.mktemp("scenes")
    prompts = world_prompts()[:N]
    (folder / "images").mkdir()
    for prompt in prompts:
        Image.fromarray(render_scene(prompt.scene)).save(folder / "images" / f"{prompt.id}.png")
    lines = [json.dumps({"id": each.id, "prompt": each.caption}) for each in prompts]
    (folder / "captions.jsonl").write_text("\n".join(lines))
    return folder / "images", folder / "captions.jsonl"


def run_of(out, images, prompts=None, model="world-ar", metrics=("nll",), reference=None, **options):
    given = RunOptions(out=out, device="cpu", **options)
    return evalkit.score(images, reference, metrics=metrics, model=model, prompts=prompts, options=given)


@pytest.fixture(scope="module")
def run(scenes, tmp_path_factory):
    return run_of(tmp_path_factory.mktemp("nll") / "run", *scenes)


def test_the_numbers_are_those_of_the_codes_by_hand(run, scenes):
    model = load_generator("world-ar", device="cpu")
    by_id = {each.id: each for each in world_prompts()}
    for row in run.samples.to_pylist():
        prompt = by_id[row["id"].removesuffix(".png")]
        x = torch.from_numpy(render_scene(prompt.scene)).permute(2, 0, 1)[None].float() / 255
        nats = float(code_nats(model, [Request("x", prompt.caption)], model.tokenizer.encode(x).values).sum())
        assert row[NLL.name] == pytest.approx(nats / 64, rel=1e-6)
        assert row[BITS.name] == pytest.approx(nats / math.log(2), rel=1e-6)
        assert row[BPD.name] == pytest.approx(nats / math.log(2) / (3 * 64 * 64), rel=1e-6)
    values = {row["metric"]: row for row in run.results}
    assert values[NLL.name]["value"] == pytest.approx(np.mean(run.samples[NLL.name].to_numpy()))
    assert values[NLL.name]["n"] == N
    assert run.record["model"]["name"] == "world-ar"


def test_the_curve_over_places_has_the_mean_of_the_images(run):
    with np.load(run.path / "statistics/likelihood.npz") as held:
        assert held["nats"].sum() / held["count"] / 64 == pytest.approx(run.results[0]["value"], rel=1e-9)
    assert "Cost of each code" in (run.path / "report.html").read_text()


def test_shards_and_threads_change_nothing(run, scenes, tmp_path, monkeypatch):
    monkeypatch.setattr("evalkit.tasks.likelihood.run.SHARD", 2)
    other = run_of(tmp_path / "run", *scenes, threads=1)
    assert other.samples.equals(run.samples)
    assert [row["value"] for row in other.results] == [row["value"] for row in run.results]


def test_another_caption_or_another_tokenizer_is_another_board(run):
    terms = terms_of(run.record, run.results[0], "ids")
    conditions = {**run.record["conditions"], "digest": "other"}
    assert terms != terms_of({**run.record, "conditions": conditions}, run.results[0], "ids")
    assert terms != terms_of({**run.record, "encoders": {"likelihood:other": "ab"}}, run.results[0], "ids")
    assert "world-vq" in terms.judges


def test_a_caption_outside_of_the_models_words_costs_its_image_alone(scenes, tmp_path):
    images, captions = scenes
    lines = [json.loads(line) for line in captions.read_text().splitlines()]
    lines[1]["prompt"] = "a photo of a cathedral"
    (tmp_path / "captions.jsonl").write_text("\n".join(map(json.dumps, lines)))
    found = run_of(tmp_path / "run", images, tmp_path / "captions.jsonl")
    errors = found.samples["error"].to_pylist()
    assert sum(each is not None for each in errors) == 1
    assert "cathedral" in next(each for each in errors if each)
    assert found.results[0]["n"] == N - 1


def test_an_image_whose_likelihood_is_not_finite_is_left_out(scenes, tmp_path, monkeypatch):
    images = likelihood_task.ImageLikelihood
    asked = []

    class Broken(images):
        def nats(self, image, request):
            asked.append(request.id)
            return super().nats(image, request) * (math.nan if len(asked) == 2 else 1)

    monkeypatch.setattr(likelihood_task, "ImageLikelihood", Broken)
    found = run_of(tmp_path / "run", *scenes)
    assert found.samples["error"][1].as_py() == "its likelihood is not finite"
    assert math.isfinite(found.results[0]["value"])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"model": None}, "Give --model NAME"),
        ({"metrics": ("nll", "vendi_efflite0")}, "in a command of its own"),
        ({"reference": "sample"}, "Leave out --reference"),
        ({"metrics": ("vendi_efflite0",)}, "Give --metrics nll"),
        ({"prompts": None}, "needs the prompt of each image"),
        ({"model": "mar-base"}, "."),
    ],
)
def test_what_cannot_be_told_is_one_sentence_before_any_work(scenes, tmp_path, given, words):
    images, captions = scenes
    with pytest.raises(EvalkitError, match=words) as caught:
        run_of(tmp_path / "run", images, **{"prompts": captions, **given})
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_images_of_one_prompt_are_drawn_together_by_intervals():
    rows = table({"id": str(i), "prompt_id": "ab"[i // 2], NLL.name: float(i)} for i in range(4))
    assert prompts_of(rows) == ["a", "a", "b", "b"]
    assert prompts_of(rows.slice(0, 1)) is None
    assert prompts_of(table([{"prompt_id": "a"}, {}])) is None


def test_a_model_that_holds_its_tokenizer_is_told_from_others_by_the_tokenizer_alone(scenes, tmp_path):
    pytest.importorskip("transformers")
    from helpers.small.janus import tiny_janus
    from safetensors.torch import load_file, save_file

    one, two = tiny_janus(tmp_path / "one"), tiny_janus(tmp_path / "two")
    state = load_file(two / "model.safetensors")
    head = next(name for name in state if "generation_head" in name and name.endswith("weight"))
    save_file({**state, head: state[head] * 2}, two / "model.safetensors", metadata={"format": "pt"})
    runs = [
        run_of(tmp_path / f"run-{i}", *scenes, model="janus-pro-1b", weights=(str(folder),), limit=2)
        for i, folder in enumerate((one, two))
    ]
    assert runs[0].results[0]["value"] != runs[1].results[0]["value"]
    assert runs[0].record["model"]["weights_sha256"] != runs[1].record["model"]["weights_sha256"]
    assert runs[0].record["encoders"] == runs[1].record["encoders"]
    assert "likelihood:janus" in runs[0].record["encoders"]
    assert not model_failures(runs[0])
    assert terms_of(runs[0].record, runs[0].results[0], "ids") == terms_of(runs[1].record, runs[1].results[0], "ids")
    with pytest.raises(EvalkitError, match="holds its tokenizer janus"):
        run_of(tmp_path / "run", *scenes, model="janus-pro-1b", weights=(str(one), f"tokenizer={two}"))
