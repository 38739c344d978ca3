"""A user's TOML file is a suite: scored, verified from the run alone, resumed, and kept apart from shipped names."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers.judged import ScriptedJudge
from PIL import Image

from evalkit.cli.probe import probe as verb
from evalkit.errors import EvalkitError
from evalkit.jobs.options import RunOptions
from evalkit.provenance.verify import verify_run
from evalkit.tasks.probe import probe
from evalkit.tasks.probe.judged.options import JudgeOptions
from evalkit.tasks.probe.judged.trust import bench_of
from evalkit.tasks.probe.reask import reask

TOML = Path(__file__).parents[5] / "benchmarks" / "probe_examples" / "riddles.toml"
GOOD = "Consistency: 2\nRealism: 1\nAesthetic Quality: 1"


@pytest.fixture
def own(tmp_path):
    """(the suite's file, folder of data, folder of images)."""
    (tmp_path / "suite.toml").write_bytes(TOML.read_bytes())
    data, images = tmp_path / "data", tmp_path / "images"
    data.mkdir()
    images.mkdir()
    texts = ("a lion", "a boat", "REFUSE this")
    kinds = ("culture", "technology", "nature")
    rows = [
        {"id": f"r{i}", "prompt": text, "answer": "x", "category": kind}
        for i, (text, kind) in enumerate(zip(texts, kinds, strict=True))
    ]
    (data / "riddles.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for i in range(3):
        Image.new("RGB", (32, 32), (9 * i, 0, 0)).save(images / f"r{i}.png")
    return tmp_path / "suite.toml", data, images


def scored(own, out, judge=None):
    suite, data, images = own
    replies = out.with_suffix(".jsonl")
    judging = JudgeOptions(judge=judge or ScriptedJudge(GOOD), data=data, replies=replies)
    return probe(str(suite), images, judge=judging, options=RunOptions(out=out))


def test_a_file_of_one_s_own_is_scored_and_verified_without_the_file(own, tmp_path):
    run = scored(own, tmp_path / "run")
    values = {row["metric"]: row["value"] for row in run.results}
    assert values["riddles@fake-vlm"] == pytest.approx((0.7 * 2 + 0.2 + 0.1) / 2)
    assert run.record["probe"]["lost"] == {"refused": 1}
    own[0].unlink()
    assert verify_run(run.path).failures == ()
    assert len(bench_of(run.path, JudgeOptions(judge=ScriptedJudge(GOOD), data=own[1])).images) == 3


def test_another_text_of_the_file_is_another_protocol_and_does_not_resume(own, tmp_path):
    first = scored(own, tmp_path / "run")
    own[0].write_text(own[0].read_text().replace("0.7", "0.6").replace("0.2 * realism", "0.3 * realism"))
    with pytest.raises(EvalkitError, match="another run"):
        scored(own, tmp_path / "run")
    again = scored(own, tmp_path / "other")
    assert first.record["protocols"] != again.record["protocols"]


def test_lost_replies_of_such_a_run_are_asked_again(own, tmp_path):
    run = scored(own, tmp_path / "run")
    judging = JudgeOptions(judge=ScriptedJudge(GOOD), data=own[1], replies=tmp_path / "run.jsonl")
    again = reask(run.path, judge=judging)
    assert again.record["probe"]["suite"] == "riddles"


def test_a_shipped_name_and_no_file_are_one_sentence(own, tmp_path):
    own[0].write_text(own[0].read_text().replace('name = "riddles"', 'name = "wise"', 1))
    with pytest.raises(EvalkitError, match="bears the name wise, which evalkit ships"):
        scored(own, tmp_path / "run")
    said = CliRunner().invoke(verb, [str(tmp_path / "none.toml"), "--images", str(own[2])])
    assert isinstance(said.exception, EvalkitError)
    assert "none.toml" in str(said.exception)
