"""Accelerated runs: planned, counted, resumed, measured against the plain loop, and refused where they cannot be."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner
from PIL import Image as Pillow

from evalkit.cli import group
from evalkit.errors import EvalkitError
from evalkit.generators.accelerate.settings import Speculative, parse
from evalkit.generators.accelerate.start import accelerate
from evalkit.generators.base import Failed, Request
from evalkit.generators.registry import GENERATORS, Entry, load_generator
from evalkit.generators.world_ar import WorldAR
from evalkit.jobs.options import RunOptions
from evalkit.jobs.spec import ModelRef
from evalkit.runs.store import read_run
from evalkit.tasks.generate import generate_images
from evalkit.tasks.generate.acceleration import accelerated, measure, notes_of
from evalkit.tasks.generate.task import GENERATE

SPEC = "speculative:length=16"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make(tmp_path_factory.mktemp("runs") / "a")


def make(out, spec=SPEC, model="world-ar", **given):
    return generate_images(
        model, "world", accelerate=spec, options=RunOptions(out=out, limit=17, device="cpu", **given)
    )


def files(run):
    kept = [run.path / "samples.parquet", run.path / "results.json", *sorted((run.path / "images").iterdir())]
    return [path.read_bytes() for path in kept]


def test_the_run_says_what_was_gained_and_whether_the_law_changed(run):
    said = run.record["acceleration"]
    assert (said["kind"], said["length"], said["law"]) == ("speculative", 16, "unchanged")
    assert said["codes"] == 17 * 64
    assert said["step_compression"] == pytest.approx(said["codes"] / said["target_evaluations"], abs=1e-4)
    assert said["step_compression"] > 2
    assert said["speed_up"] == pytest.approx(said["seconds_per_image_plain"] / said["seconds_per_image"], rel=0.02)
    assert said["speed_up_over_batches"] > 0
    assert said["peak_memory_bytes"] > 2**27
    assert "one at a time" in said["measured_on"]
    assert run.record["plan"]["parameters"]["accelerate"] == {"kind": "speculative", "draft": "jacobi", "length": 16}
    rows = {row["metric"]: row for row in run.results}
    assert rows["step_compression"]["value"] == pytest.approx(said["step_compression"], abs=1e-4)
    assert rows["step_compression"]["low"] < said["step_compression"] < rows["step_compression"]["high"]
    assert rows["acceptance_length"]["value"] == pytest.approx(said["acceptance_length"], abs=1e-4)
    line = json.loads((run.path / "manifest.jsonl").read_text().splitlines()[0])
    assert line["accelerate"]["kind"] == "speculative"
    assert line["evaluations"] == line["notes"]["acceleration"]["target_evaluations"] < 64
    assert "speculative" in (run.path / "report.html").read_text()


def test_a_plain_run_is_another_run_and_says_nothing_of_it(run, tmp_path):
    plain = make(tmp_path / "plain", None)
    assert "acceleration" not in plain.record
    assert "accelerate" not in plain.record["plan"]["parameters"]
    assert {row["metric"] for row in plain.results} == {"images_made", "images_failed"}
    with pytest.raises(EvalkitError):
        make(run.path, None)


class Stopping(WorldAR):
    calls = 0

    def _generate(self, requests, sampler):
        self.calls += 1
        if self.calls == 17:
            raise KeyboardInterrupt
        return super()._generate(requests, sampler)


def test_interrupted_and_at_another_batch_size_it_gives_the_same_files(run, tmp_path, monkeypatch):
    whole = load_generator("world-ar", device="cpu")
    monkeypatch.setattr(Stopping, "__module__", WorldAR.__module__)  # a class of another file would be another model
    stopping = Stopping(whole.source, whole.network)
    stopping.weights_sha256 = whole.weights_sha256
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "b", model=stopping, batch_size=1)
    again = make(tmp_path / "b", batch_size=7)
    assert files(again) == files(run)


def test_images_can_be_made_again_as_the_plan_says(run):
    model, spec = load_generator("world-ar", device="cpu"), GENERATE.spec(run)
    made = accelerated(spec, model, "cpu")
    assert made.settings == Speculative(length=16)
    assert model.drawing is not None
    parameters = {**spec.parameters, "accelerate": {"kind": "magic"}}
    with pytest.raises(EvalkitError, match="knows no acceleration"):
        accelerated(replace(spec, parameters=parameters), model, "cpu")
    models = {**spec.models, "draft": ModelRef("world-ar", "0" * 64)}
    parameters = {**spec.parameters, "accelerate": {"kind": "speculative", "draft": "world-ar", "length": 3}}
    with pytest.raises(EvalkitError, match="not those of the run"):
        accelerated(replace(spec, models=models, parameters=parameters), model, "cpu")


def test_a_loop_that_fails_leaves_the_gain_unmeasured():
    model = load_generator("world-ar", device="cpu")
    made = accelerate(model, parse(SPEC), load_generator)
    model.generate = lambda requests: [Failed(each.id, "no") for each in requests]
    found = measure(made, [Request(str(i), prompt="a photo of a red apple", seed=i) for i in range(2)])
    assert found["speed_up"] is None
    assert found["not_measured"] == "no"
    assert model.drawing is not None


def test_a_draft_has_its_own_weights(tmp_path, monkeypatch):
    from evalkit.tasks.generate import generate as module
    from evalkit.tasks.generate import spec as spec_module

    asked = []
    entry = GENERATORS.get("world-ar")
    monkeypatch.setitem(
        GENERATORS._items, "small", Entry("small", WorldAR, entry.config, entry.weights, entry.tokenizer)
    )
    real, loading = module.describe_generator, spec_module.load_generator

    def heard(name, weights, *rest, **options):
        asked.append((name, weights))
        return real(name, None, *rest, **options)

    monkeypatch.setattr(module, "describe_generator", heard)
    monkeypatch.setattr(
        spec_module, "load_generator", lambda name, weights, *rest, **more: loading(name, None, *rest, **more)
    )
    options = RunOptions(out=tmp_path / "a", limit=1, device="cpu", weights=("small=S.pt", "world-ar=W.pt"))
    generate_images("world-ar", "world", accelerate="speculative:draft=small,length=3", options=options)
    assert asked == [("world-ar", "W.pt"), ("small", "S.pt")]
    options = replace(options, out=tmp_path / "b", weights=("W.pt",))
    made = generate_images("world-ar", "world", accelerate="speculative:draft=small,length=3", options=options)
    assert asked[2:] == [("world-ar", "W.pt"), ("small", None)]
    assert made.record["plan"]["parameters"]["accelerate"]["draft_weights"] == made.record["model"]["weights_sha256"]
    assert notes_of(made.samples)[0]["draft_evaluations"] > 0


@pytest.mark.parametrize(
    ("model", "spec", "said"),
    [
        ("world-ar", "medusa", "there is no acceleration called 'medusa'"),
        ("world-ar", "hack:budget=0.5", "try --accelerate speculative:length=5"),
        ("world-ar", "cspd:draft=mar-b", "try --accelerate speculative:length=5"),
        ("world-ar", "speculative:draft=nobody", "no generator called 'nobody'"),
        ("world-ar", "speculative:draft=llamagen-b", "writes codes of llamagen-vq16, not world-vq"),
        ("folder:PICTURES", "speculative", "leave --accelerate out"),
    ],
)
def test_what_cannot_be_accelerated_is_one_sentence(model, spec, said, tmp_path):
    (tmp_path / "PICTURES").mkdir()
    Pillow.new("RGB", (8, 8)).save(tmp_path / "PICTURES" / "a.png")
    model = model.replace("PICTURES", str(tmp_path / "PICTURES"))
    arguments = ["generate", "-m", model, "-p", "world", "--limit", "1", "--accelerate", spec]
    done = CliRunner().invoke(group, [*arguments, "--out", str(tmp_path / "run"), "--device", "cpu"])
    assert isinstance(done.exception, EvalkitError)
    assert said in str(done.exception)
    assert not (tmp_path / "run").exists()


def test_the_terminal_and_json_tell_the_gain(tmp_path):
    arguments = [
        "generate",
        "-m",
        "world-ar",
        "-p",
        "text:a photo of a red apple",
        "--accelerate",
        SPEC,
        "--device",
        "cpu",
    ]
    done = CliRunner().invoke(group, [*arguments, "--out", str(tmp_path / "run")])
    assert done.exit_code == 0
    assert "speculative, law of the images unchanged" in " ".join(done.output.split())
    done = CliRunner().invoke(group, [*arguments, "--out", str(tmp_path / "run"), "--json"])
    assert json.loads(done.output)["acceleration"]["law"] == "unchanged"
    assert read_run(tmp_path / "run").record["acceleration"]["speed_up"] > 0
