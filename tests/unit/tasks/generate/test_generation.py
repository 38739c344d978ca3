import json
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image as Pillow

from evalkit.cli import group
from evalkit.errors import EvalkitError
from evalkit.generators.base import Failed, Generator, Image, Request
from evalkit.generators.guidance import Guidance
from evalkit.generators.registry import GENERATORS, Entry
from evalkit.generators.sampling import Sampler
from evalkit.jobs.options import RunOptions
from evalkit.prompts.load import load_prompts
from evalkit.runs.store import read_run
from evalkit.tasks.generate import generate_images
from evalkit.tasks.generate.layouts import LAYOUTS, left_out
from evalkit.tasks.generate.page import page as page_of
from evalkit.tasks.generate.rows import seed_of


class Noise(Generator):
    """Noise from the seed; counts its calls, and can run out of memory, refuse, or stop half way."""

    name, conditions, rows, dtype = "noise", "any", 4, torch.float32
    default_sampler = Sampler(Guidance("llamagen", 2.0))

    def __init__(self):
        self.calls, self.memory, self.stop_after, self.refused = 0, 99, 10**9, set()

    @classmethod
    def load(cls, source):
        return cls()

    def generate(self, requests):
        done = super().generate(requests)
        return [Failed(each.id, "refused") if each.id in self.refused else each for each in done]

    def _generate(self, requests, sampler):
        if len(requests) > self.memory:
            raise torch.cuda.OutOfMemoryError("full")
        self.calls += 1
        if self.calls > self.stop_after:
            raise KeyboardInterrupt
        made = []
        for request in requests:
            pixels = np.random.default_rng(request.seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)
            made.append(Image(request.id, pixels, 0.5, 3))
        return made


@pytest.fixture
def prompts(tmp_path):
    path = tmp_path / "p.jsonl"
    rows = [{"prompt": f"thing {i} <b>", "tag": "x"} for i in range(9)] + [{"id": "last", "prompt": "end", "seed": 7}]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def files(run):
    kept = [run.path / "samples.parquet", run.path / "results.json", *sorted((run.path / "images").iterdir())]
    return [path.read_bytes() for path in kept]


def run_noise(prompts, out, model=None, **given):
    return generate_images(model or Noise(), prompts, samples=4, options=RunOptions(out=out, **given))


def test_a_run_keeps_images_manifest_record_and_page(prompts, tmp_path):
    run = run_noise(prompts, tmp_path / "run")
    lines = [json.loads(line) for line in (run.path / "manifest.jsonl").read_text().splitlines()]
    assert len(lines) == run.samples.num_rows == 40
    first, last = lines[0], lines[-1]
    assert first["seconds"] == 0.5
    assert first["evaluations"] == 3
    assert first["meta"] == {"tag": "x"}
    assert first["sampler"]["guidance"]["canonical"] == [2.0, 2.0]
    assert last["id"] == "last-03"
    assert last["seed"] == 10
    assert Pillow.open(run.path / first["file"]).size == (16, 16)
    assert run.record["task"] == "generate"
    assert run.record["files"]["manifest.jsonl"]
    assert {r["metric"]: r["value"] for r in run.results} == {"images_made": 40.0, "images_failed": 0.0}
    page = (run.path / "report.html").read_text()
    assert "thing 0 &lt;b&gt;" in page
    assert "thing 0 <b>" not in page
    assert "<script" not in page


def test_the_page_says_which_images_are_gone_and_shows_none_from_elsewhere(prompts, tmp_path):
    run = run_noise(prompts, tmp_path / "run")
    (run.path / "images" / "0000000.png").unlink()
    secret = Pillow.new("RGB", (8, 8))
    secret.save(tmp_path / "secret.png")
    column = run.samples.schema.get_field_index("file")
    names = [*run.samples["file"].to_pylist()[:-1], "../secret.png"]
    moved = replace(run, samples=run.samples.set_column(column, "file", [names]))
    page = page_of(moved)
    assert page.count("the image is gone") == 2
    assert page.count("<img") == 38


def test_batch_size_order_and_interruption_change_no_file(prompts, tmp_path):
    whole = files(run_noise(prompts, tmp_path / "a", batch_size=1))
    assert files(run_noise(prompts, tmp_path / "b", batch_size=7)) == whole
    assert files(run_noise(prompts, tmp_path / "c", batch_size=32)) == whole
    stopped = Noise()
    stopped.stop_after = 5
    with pytest.raises(KeyboardInterrupt):
        run_noise(prompts, tmp_path / "d", stopped)
    again = Noise()
    assert files(run_noise(prompts, tmp_path / "d", again)) == whole
    assert 0 < again.calls < 10
    full = Noise()
    full.memory = 2
    assert files(run_noise(prompts, tmp_path / "e", full)) == whole
    assert full.rows == 2


def test_one_image_that_does_not_fit_says_what_to_do(prompts, tmp_path):
    full = Noise()
    full.memory = 0
    with pytest.raises(EvalkitError, match="--dtype bfloat16"):
        run_noise(prompts, tmp_path / "a", full)


def test_failed_requests_are_listed_and_asked_again_on_demand(prompts, tmp_path):
    whole = files(run_noise(prompts, tmp_path / "whole"))
    model = Noise()
    model.refused = {"00002-01", "last-00"}
    run = run_noise(prompts, tmp_path / "a", model)
    bad = [row for row in run.samples.to_pylist() if row["error"]]
    assert [row["id"] for row in bad] == ["00002-01", "last-00"]
    assert bad[0]["error"] == "refused"
    assert "refused" in (run.path / "report.html").read_text()
    counted = Noise()
    again = generate_images(counted, prompts, samples=4, options=RunOptions(out=tmp_path / "a", retry_failed=True))
    assert files(again) == whole
    assert counted.calls == 6  # the shards of 16 and of 8 that held a failure
    same = generate_images(counted, prompts, samples=4, options=RunOptions(out=tmp_path / "a", retry_failed=True))
    assert counted.calls == 6
    assert files(same) == whole


def test_a_run_that_is_opened_again_loses_the_signature_of_what_it_was(prompts, tmp_path):
    """And the layouts of the images before; the new run is whole in itself."""
    from evalkit.provenance.verify import verify_run

    model = Noise()
    model.refused = {"00002-01"}
    options = RunOptions(out=tmp_path / "a")
    run = generate_images(model, prompts, samples=2, layout="wise", options=options)
    (run.path / "attestation.json").write_text("signed once")
    generate_images(Noise(), prompts, samples=2, options=replace(options, retry_failed=True))
    assert not (run.path / "attestation.json").exists()
    assert not (run.path / "wise").exists()
    verdict = verify_run(run.path)
    assert (verdict.level, verdict.failures) == (1, ())
    assert "report.html" in read_run(run.path).record["files"]


def test_layouts_are_as_their_scorers_read_them(prompts, tmp_path):
    run = generate_images(Noise(), prompts, samples=2, layout="geneval", options=RunOptions(out=tmp_path / "g"))
    assert (run.path / "geneval/00009/samples/0001.png").exists()
    assert json.loads((run.path / "geneval/00003/metadata.jsonl").read_text())["prompt"] == "thing 3 <b>"
    run = generate_images(Noise(), prompts, layout="wise", options=RunOptions(out=tmp_path / "w"))
    assert sorted(p.name for p in (run.path / "wise").iterdir())[-1] == "last.png"
    run = generate_images(Noise(), prompts, layout="npz50k", options=RunOptions(out=tmp_path / "n"))
    with np.load(run.path / "npz50k/samples.npz") as z:
        assert z["arr_0"].shape == (10, 16, 16, 3)
        assert z["arr_0"].dtype == np.uint8
        assert np.array_equal(z["arr_0"][4], np.asarray(Pillow.open(run.path / "images/0000004.png")))
    assert zipfile.is_zipfile(run.path / "npz50k/samples.npz")
    with pytest.raises(EvalkitError, match="geneval, wise, npz50k"):
        generate_images(Noise(), prompts, layout="pdf", options=RunOptions(out=tmp_path / "x"))


def test_a_layout_never_writes_two_samples_to_one_file(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_text('{"id": "a/b", "prompt": "x"}\n{"id": "A_b", "prompt": "y"}\n')
    with pytest.raises(EvalkitError, match=r"'a/b' and 'A_b' would both be"):
        generate_images(Noise(), path, layout="wise", options=RunOptions(out=tmp_path / "w"))
    assert list((tmp_path / "w" / "wise").iterdir()) == []
    digests = {row["sha256"] for row in read_run(tmp_path / "w").samples.to_pylist()}
    assert len(digests) == 2


def test_a_layout_says_what_it_leaves_out(prompts, tmp_path):
    model = Noise()
    model.refused = {"00002-01"}
    run = generate_images(model, prompts, samples=2, options=RunOptions(out=tmp_path / "a"))
    assert left_out(run, "wise") == "the layout wise lacks 1 image that could not be made; see wise/index.jsonl"
    whole = generate_images(Noise(), prompts, options=RunOptions(out=tmp_path / "b"))
    assert left_out(whole, "wise") == ""


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_accounts_for_every_image(prompts, tmp_path, layout):
    model = Noise()
    model.refused = {"00002-01"}
    options = RunOptions(out=tmp_path / "a")
    run = generate_images(model, prompts, samples=2, layout=layout, options=options)
    lines = [json.loads(line) for line in (run.path / layout / "index.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == run.samples["id"].to_pylist()
    assert [(line["id"], line["error"]) for line in lines if line["place"] is None] == [("00002-01", "refused")]
    placed = [line["place"] for line in lines if line["place"]]
    assert len(set(placed)) == 19
    if layout == "npz50k":
        assert placed == [f"samples.npz arr_0[{i}]" for i in range(19)]
        return
    for line in (each for each in lines if each["place"]):
        assert (run.path / layout / line["place"]).read_bytes() == (run.path / line["file"]).read_bytes()
    assert len([*(run.path / layout).rglob("*.png")]) == 19


def test_a_run_keeps_the_shards_that_it_was_begun_with(prompts, tmp_path):
    def shards(size, out):
        return generate_images(Noise(), prompts, options=RunOptions(out=out, batch_size=size)).record["plan"]["shard"]

    assert [shards(2, tmp_path / "run"), shards(99, tmp_path / "run")] == [16, 16]
    assert shards(99, tmp_path / "other") == 99
    with pytest.raises(EvalkitError, match="another run"):
        generate_images(Noise(), prompts, options=RunOptions(out=tmp_path / "run", seed=5))


def test_seconds_are_those_of_the_images_really_made(prompts, tmp_path):
    """Ten prompts with rows of seven: the last batch of three runs a copy, whose time is that of the three images."""
    model = Noise()
    model.rows = 7
    run = generate_images(model, prompts, options=RunOptions(out=tmp_path / "run"))
    seconds = [json.loads(line)["seconds"] for line in (run.path / "manifest.jsonl").read_text().splitlines()]
    assert seconds == [0.5] * 7 + [0.6667] * 3
    assert 0 < run.record["seconds_per_image"] < 0.5  # of the clock, not of what the stand-in says


def test_a_setting_that_a_model_does_not_take_is_refused_and_recorded_as_null(prompts, tmp_path):
    class Latents(Noise):
        takes = frozenset({"guidance", "steps"})

    options = RunOptions(out=tmp_path / "run")
    with pytest.raises(EvalkitError, match=r"noise takes no top-k\. Leave it out"):
        generate_images(Latents(), prompts, top_k=5, options=options)
    said = generate_images(Latents(), prompts, guidance=3.0, steps=4, options=options).record["sampler"]
    assert said["guidance"]["scale"] == 3.0
    assert {name for name, value in said.items() if value is not None} == {"guidance", "steps"}


def test_of_a_program_outside_the_record_holds_what_was_given_or_what_it_says(prompts, tmp_path):
    program = tmp_path / "worker.py"
    program.write_text(
        "import base64, io, json, sys\nfrom PIL import Image\n"
        "buffer = io.BytesIO()\nImage.new('RGB', (8, 8)).save(buffer, 'PNG')\n"
        "for line in sys.stdin:\n"
        "    asked = json.loads(line)\n"
        "    said = {'sampler': {'temperature': 0.5}} if len(sys.argv) > 1 else {'got': asked['sampler']}\n"
        "    image = base64.b64encode(buffer.getvalue()).decode()\n"
        "    print(json.dumps({'id': asked['id'], 'image_base64': image, **said}), flush=True)\n"
    )
    model = f"command:{sys.executable} {program}"
    run = generate_images(model, prompts, guidance=7.0, options=RunOptions(out=tmp_path / "given", limit=2))
    assert [name for name, value in run.record["sampler"].items() if value is not None] == ["guidance"]
    (got,) = {json.dumps(json.loads(notes)["got"]) for notes in run.samples["notes"].to_pylist()}
    assert json.loads(got) == {"guidance": run.record["sampler"]["guidance"]}
    assert run.samples["evaluations"].to_pylist() == [None, None]
    run = generate_images(f"{model} says", prompts, options=RunOptions(out=tmp_path / "told", limit=2))
    assert {name: value for name, value in run.record["sampler"].items() if value is not None} == {"temperature": 0.5}
    with pytest.raises(EvalkitError, match=r"http:URL#MODEL\?guidance_scale=5"):
        generate_images(
            "http:https://127.0.0.1/v1#painter", prompts, guidance=7.0, options=RunOptions(out=tmp_path / "x")
        )


def test_a_folder_with_two_files_for_one_request_takes_neither(tmp_path):
    (tmp_path / "made").mkdir()
    for name in ("0-00.png", "0-00.jpg"):
        Pillow.new("RGB", (8, 8)).save(tmp_path / "made" / name)
    options = RunOptions(out=tmp_path / "run")
    run = generate_images(f"folder:{tmp_path / 'made'}", "text:x", options=options)
    assert "0-00.jpg and 0-00.png are both of 0-00" in run.samples["error"][0].as_py()


def test_seeds_differ_between_prompts_and_samples_and_never_with_the_batch():
    chosen = load_prompts("classes:imagenet:0-9").prompts
    seeds = {seed_of(0, prompt, k) for prompt in chosen for k in range(5)}
    assert len(seeds) == 50
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert seed_of(1, chosen[0], 0) not in seeds


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "line 1 is not JSON"),
        ('{"text": "x"}', "expected an object with prompt or class_id"),
        ('{"prompt": 3}', "prompt is text"),
        ("", "holds no prompt"),
        ('{"prompt": "a", "id": "x"}\n{"prompt": "b", "id": "x"}', "twice"),
    ],
)
def test_a_bad_line_is_named(tmp_path, text, said):
    path = tmp_path / "p.jsonl"
    path.write_text(text)
    with pytest.raises(EvalkitError, match=said):
        load_prompts(path)


@pytest.mark.parametrize(
    "spec", ["nowhere.jsonl", "nosuite", "classes:coco", "classes:imagenet:1000", "classes:imagenet:x", "text: "]
)
def test_prompts_that_are_not_there_are_refused(spec):
    if spec == "text: ":
        assert load_prompts(spec).prompts[0].prompt == ""
        return
    with pytest.raises(EvalkitError):
        load_prompts(spec)


def test_the_command_line_makes_images_and_exits_by_what_failed(prompts, tmp_path, monkeypatch):
    monkeypatch.setitem(GENERATORS._items, "noise", Entry("noise", Noise, None, None, None))
    arguments = ["generate", "-m", "noise", "-p", str(prompts), "--out", str(tmp_path / "run"), "--guidance", "3"]
    done = CliRunner().invoke(group, arguments)
    assert done.exit_code == 0, done.output
    assert "10 images of p" in done.output
    said = json.loads(CliRunner().invoke(group, [*arguments, "--json"]).stdout)
    assert said["images"] == 10
    assert said["failed"] == 0
    record = json.loads((tmp_path / "run/record.json").read_text())
    assert record["sampler"]["guidance"]["scale"] == 3.0
    empty = tmp_path / "empty"
    empty.mkdir()
    Pillow.new("RGB", (8, 8)).save(empty / "other.png")
    lost = CliRunner().invoke(
        group, ["generate", "-m", f"folder:{empty}", "-p", str(prompts), "--out", str(tmp_path / "f")]
    )
    assert lost.exit_code == 1
    assert "10 samples failed" in lost.output


def test_class_models_refuse_prompts_and_text_models_refuse_classes():
    model = Noise()
    model.conditions = "class"
    with pytest.raises(EvalkitError, match="classes:imagenet"):
        model.check(Request("0", prompt="x"))
    model.conditions = "text"
    with pytest.raises(EvalkitError, match="lines with a prompt"):
        model.check(Request("0", class_id=3))
