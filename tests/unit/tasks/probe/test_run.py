"""A probe from images, from a model, from evidence: the same verdicts, resumable, and errors in one sentence."""

import gzip
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow.compute as pc
import pytest
import torch
from helpers.drawn import drawn
from PIL import Image

from evalkit.encoders.detectors.mask2former import Mask2FormerDetector
from evalkit.encoders.detectors.resize import Scale
from evalkit.encoders.zero_shot import Chosen, ZeroShot
from evalkit.errors import EvalkitError, WeightsError
from evalkit.jobs.options import RunOptions
from evalkit.jobs.progress import Progress
from evalkit.leaderboard.boards import make_boards
from evalkit.leaderboard.collect import collect
from evalkit.provenance.sign import _source
from evalkit.provenance.verify import verify_run
from evalkit.runs.store import read_run
from evalkit.tasks.generate import generate_images
from evalkit.tasks.probe import probe
from evalkit.tasks.probe.geneval.prompts import geneval_prompts
from evalkit.tasks.probe.spec import EVIDENCE

N = 24
GOLDEN = Path(__file__).parent / "geneval" / "data" / "rules.jsonl.gz"
METRIC, TASKS = "world", 6


def scored(folder, out, **more):
    return probe("world", folder, options=RunOptions(out=out, limit=more.pop("limit", N), device="cpu"), **more)


def value(run, metric=METRIC):
    return next(row["value"] for row in run.results if row["metric"] == metric)


@pytest.fixture(scope="module")
def oracle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("oracle")
    return drawn(folder / "images", 120), scored(folder / "images", folder / "run", limit=120)


def test_what_was_drawn_scores_at_least_98_percent_on_every_task(oracle):
    scores = [row for row in oracle[1].results if row["better"] == "higher"]
    assert len(scores) == TASKS + 3
    assert all(row["value"] >= 0.98 for row in scores)
    assert oracle[1].record["probe"]["coverage"] == 1


def test_images_of_other_prompts_fall_to_chance(tmp_path):
    run = scored(drawn(tmp_path / "images", 120, moved=7), tmp_path / "run", limit=120)
    assert value(run) < 0.1
    kinds = " ".join(run.samples["kinds"].to_pylist()).split()
    assert {"missing"} < set(kinds)


def test_evidence_of_a_run_gives_its_verdicts_again_without_images(oracle, tmp_path):
    folder, run = oracle
    again = probe(
        "world",
        evidence=run.path,
        export_evidence=tmp_path / "e.jsonl.gz",
        options=RunOptions(out=tmp_path / "a", limit=120),
    )
    assert again.results == run.results
    assert again.samples["reason"].equals(run.samples["reason"])
    assert gzip.decompress((tmp_path / "e.jsonl.gz").read_bytes()) == (again.path / EVIDENCE).read_bytes()
    exported = probe("world", evidence=tmp_path / "e.jsonl.gz", options=RunOptions(out=tmp_path / "b", limit=120))
    assert exported.results == run.results
    assert exported.record["model"]["name"] == folder.name


def test_another_threshold_is_another_protocol(oracle, tmp_path):
    run = probe("world", evidence=oracle[1].path, rules={"threshold": 1}, options=RunOptions(out=tmp_path, limit=120))
    assert value(run) == pytest.approx(1 / TASKS)  # counting has a threshold of its own
    assert run.results[0]["protocol"] == "world threshold=1"
    assert run.record["protocols"][0]["sha256"] != oracle[1].record["protocols"][0]["sha256"]


def test_a_generation_is_the_parent_of_its_probe(tmp_path):
    made = generate_images("world-ar", "world", options=RunOptions(out=tmp_path / "made", limit=6, device="cpu"))
    run = scored(made.path, tmp_path / "run", limit=6)
    assert _source(run.path, run.record) == [made.path]
    assert run.record["model"]["name"] == "world-ar"
    assert run.record["model"]["weights_sha256"] == made.record["model"]["weights_sha256"]
    beside = probe("world", model="world-ar", options=RunOptions(out=tmp_path / "both", limit=6, device="cpu"))
    assert read_run(tmp_path / "both-images").samples["sha256"].equals(made.samples["sha256"])
    assert beside.results == run.results


class Killed(Progress):
    """Ends the run after some images."""

    def __init__(self, after):
        self.left = after

    def advance(self, samples, *, resumed=False, timers=None):
        self.left -= 0 if resumed else samples
        if self.left < 0:
            raise KeyboardInterrupt


def test_a_killed_probe_goes_on_and_ends_in_the_same_bytes(tmp_path):
    folder = drawn(tmp_path / "images", 40)
    whole = scored(folder, tmp_path / "whole", limit=40)
    options = RunOptions(out=tmp_path / "run", limit=40, device="cpu", progress=Killed(20))
    with pytest.raises(KeyboardInterrupt):
        probe("world", folder, options=options)
    assert not (tmp_path / "run" / "record.json").exists()
    assert any((tmp_path / "run" / "shards").iterdir())
    run = scored(folder, tmp_path / "run", limit=40)
    for name in ("results.json", "samples.parquet", EVIDENCE, "geneval_results.jsonl"):
        assert (run.path / name).read_bytes() == (whole.path / name).read_bytes()


def test_golden_lines_get_the_official_verdicts_and_reasons(tmp_path):
    lines = [json.loads(line) for line in gzip.decompress(GOLDEN.read_bytes()).splitlines()]
    options = RunOptions(out=tmp_path / "run")
    run = probe("geneval", evidence=GOLDEN, samples=9, allow_missing=True, options=options)
    rows = {row["image"]: row for row in run.samples.to_pylist()}
    assert len(rows) == len(lines)
    for number, line in enumerate(lines, 1):
        row = rows[f"line {number}"]
        assert (row["score"], row["reason"]) == (float(line["ok"]), line["why"])
    assert "own options" in run.results[0]["protocol"]
    assert verify_run(run.path).failures == ()


def test_a_changed_verdict_is_found_by_verification(oracle, tmp_path):
    from evalkit.jobs.checks import How
    from evalkit.tasks.probe.task import PROBE

    run = oracle[1]
    checks = PROBE.checks()
    assert checks.recompute(run, How()).failures == ()
    results = [{**row, "value": 0.5} if row["metric"] == METRIC else row for row in run.results]
    assert [each.file for each in checks.recompute(replace(run, results=results), How()).failures] == ["results.json"]
    column = run.samples.column_names.index("reason")
    samples = run.samples.set_column(column, "reason", pc.utf8_upper(run.samples["task"]))
    assert checks.recompute(replace(run, samples=samples), How()).failures


def test_models_are_ranked_in_pairs_on_the_same_prompts(oracle, tmp_path):
    other = scored(drawn(tmp_path / "moved", 120, moved=6), tmp_path / "run", limit=120)
    found = make_boards(collect([oracle[1].path, other.path]))
    assert {board.terms.metric for board in found.boards} == {
        row["metric"] for row in other.results if row["better"] == "higher"
    }
    assert all(board.order.pairing == "paired by sample" for board in found.boards)
    assert set(found.counts) == {"images_probed", "images_missing"}
    fewer = scored(oracle[0], tmp_path / "fewer", limit=60)
    assert not any(len(board.entrants) > 1 for board in make_boards(collect([oracle[1].path, fewer.path])).boards)


class Red(ZeroShot):
    id, version = "always-red", "1"

    def __call__(self, images, choices):
        return [Chosen("red", 1.0) for _ in images]


def test_a_tiny_mask2former_runs_the_whole_of_geneval_and_names_its_scores(tiny_mask2former, tmp_path):
    for place, prompt in list(enumerate(geneval_prompts()))[::70]:
        home = tmp_path / "images" / f"{place:05d}"
        (home / "samples").mkdir(parents=True)
        (home / "metadata.jsonl").write_text(json.dumps(prompt.metadata))
        Image.effect_noise((64, 48), 90).convert("RGB").save(home / "samples" / "00000.png")
    detector = Mask2FormerDetector(tiny_mask2former, torch.device("cpu"), scale=Scale(64, 96, 32), floor=0.05)
    options = RunOptions(out=tmp_path / "run", device="cpu")
    run = probe(
        "geneval", tmp_path / "images", detector=detector, colors=Red(), samples=1, allow_missing=True, options=options
    )
    assert run.results[0]["metric"] == "geneval@mask2former-swin-s"
    assert run.record["probe"]["probed"] == 8
    assert run.record["encoders"]["probe:mask2former-swin-s"] == detector.weights_sha256
    assert run.record["encoders"]["probe:always-red"] is None
    assert verify_run(run.path).failures == ()


def broken(tmp_path, what):
    folder = drawn(tmp_path / what, 3)
    if what == "missing":
        shutil.rmtree(folder / "00001")
    elif what == "layout":
        folder = folder / "00000" / "samples"
    elif what == "prompts":
        (folder / "00001" / "metadata.jsonl").write_text((folder / "00000" / "metadata.jsonl").read_text())
    elif what == "sizes":
        Image.new("RGB", (32, 32)).save(folder / "00001" / "samples" / "0000.png")
    elif what == "bytes":
        (folder / "00001" / "samples" / "0000.png").write_bytes(b"no image")
    elif what == "nowhere":
        shutil.rmtree(folder)
    return folder


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("missing", "1 of 3 images are missing, the first of prompt world-0-00001"),
        ("layout", "has no folders 00000, 00001"),
        ("prompts", "is not the line of prompt world-0-00001"),
        ("sizes", "has 64 x 64 pixels and 00001/samples/0000.png has 32 x 32"),
        ("bytes", "00001/samples/0000.png cannot be read"),
        ("nowhere", "cannot be read"),
    ],
)
def test_what_is_wrong_with_images_is_one_sentence_and_leaves_nothing(tmp_path, what, said):
    with pytest.raises(EvalkitError, match=said):
        scored(broken(tmp_path, what), tmp_path / "run", limit=3)
    assert not (tmp_path / "run" / "plan.json").exists()


@pytest.mark.parametrize("what", ["missing", "bytes"])
def test_missing_images_are_counted_where_they_are_allowed(tmp_path, what):
    run = scored(broken(tmp_path, what), tmp_path / "run", limit=3, allow_missing=True)
    assert (value(run, "images_probed"), value(run, "images_missing")) == (2, 1)
    assert run.record["probe"]["coverage"] == pytest.approx(2 / 3)
    assert run.samples["error"].null_count == 2
    assert verify_run(run.path).failures == ()


def test_a_run_of_other_prompts_and_one_without_images_are_refused(oracle, tmp_path):
    made = generate_images("world-ar", "text:a photo of a dog", options=RunOptions(out=tmp_path / "m", device="cpu"))
    with pytest.raises(EvalkitError, match="was made for 'a photo of a dog', which is not prompt 0 of world"):
        scored(made.path, tmp_path / "run", limit=1)
    with pytest.raises(EvalkitError, match="is a run of probe, which made no images"):
        scored(oracle[1].path, tmp_path / "run")


def test_evidence_of_another_suite_and_two_sources_are_refused(oracle, tmp_path):
    options = RunOptions(out=tmp_path / "run")
    with pytest.raises(EvalkitError, match="the evidence is of the probe world, not of geneval"):
        probe("geneval", evidence=oracle[1].path, options=options)
    with pytest.raises(EvalkitError, match="exactly one of"):
        probe("world", oracle[0], evidence=oracle[1].path, options=options)
    with pytest.raises(EvalkitError, match="no option 'sharpness'"):
        probe("world", evidence=oracle[1].path, rules={"sharpness": 1}, options=options)
    with pytest.raises(EvalkitError, match="380 of 500 images are missing"):
        probe("world", evidence=oracle[1].path, options=options)


def test_images_in_no_known_layout_are_told_before_weights_are_sought_and_say_what_to_type(tmp_path, monkeypatch):
    monkeypatch.setenv("EVALKIT_OFFLINE", "1")
    (tmp_path / "mine").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "mine" / "00000.png")
    with pytest.raises(EvalkitError, match=r"--model folder:.*mine --prompts geneval") as raised:
        probe("geneval", tmp_path / "mine", options=RunOptions(out=tmp_path / "run"))
    assert "00000-00.png" in str(raised.value)


def test_a_missing_detector_says_how_its_weights_are_given(tmp_path, monkeypatch):
    monkeypatch.setenv("EVALKIT_OFFLINE", "1")
    place = tmp_path / "images" / "00000" / "samples"
    place.mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(place / "0000.png")
    (place.parent / "metadata.jsonl").write_text(json.dumps(dict(geneval_prompts()[0].metadata)))
    with pytest.raises(WeightsError, match="type --weights mask2former-swin-s=PATH"):
        probe("geneval", tmp_path / "images", allow_missing=True, options=RunOptions(out=tmp_path / "run"))
