"""Tools of trust on a judged run: repeats, controls, agreement, anchors; alarms where they must be."""

import math
from typing import ClassVar

import numpy as np
import pytest
from click.testing import CliRunner
from helpers.judged import ScriptedJudge, small_images

from evalkit.cli.judge import judge as verb
from evalkit.errors import EvalkitError
from evalkit.jobs.options import RunOptions
from evalkit.judges.prepare import Preparation
from evalkit.judges.reply import RawReply, Token
from evalkit.tasks.probe import probe
from evalkit.tasks.probe.judged.options import JudgeOptions
from evalkit.tasks.probe.judged.trust import agreed, bench_of, controlled, repeated

N = 24


class Looker(ScriptedJudge):
    """Knows which image belongs to which prompt; `noise`: how far its probability strays at each new reply."""

    noise = 0.0
    blind = False
    known: ClassVar[dict] = {}

    def reply(self, request, deadline):
        self.asked.append(self.key(request))
        image = next(part for part in request.messages[0].parts if not isinstance(part, str))
        text = "".join(part for part in request.messages[0].parts if isinstance(part, str))
        right = self.blind or self.known.get(text.split('"')[1]) == image.sha256
        p = (0.9 if right else 0.2) - self.noise * np.random.default_rng(request.repeat).random()
        return RawReply(text="Yes", finish="length", tokens=(Token("Yes", math.log(p), (("Yes", math.log(p)),)),))


@pytest.fixture
def run(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    lines = "".join(f'{{"id": "p{i}", "prompt": "lion number {i}"}}\n' for i in range(N))
    (data / "prompts.jsonl").write_text(lines)
    small_images("vqascore", data, tmp_path / "images", size=16)
    judge = Looker("Yes")
    options = RunOptions(out=tmp_path / "run", device="cpu")
    made = probe("vqascore", tmp_path / "images", judge=judging(tmp_path, judge, blind=True), options=options)
    return tmp_path, made, judge


def judging(folder, judge, **more):
    for name, value in more.items():
        setattr(judge, name, value)
    return JudgeOptions(judge=judge, data=folder / "data", replies=folder / f"{len(more)}-{judge.noise}.jsonl")


def bench(run, **more):
    folder, made, judge = run
    return bench_of(made.path, judging(folder, judge, **more))


def test_a_judge_that_repeats_itself_does_and_one_that_strays_does_not(run):
    same = repeated(bench(run, blind=True, noise=0.0))
    assert (same.identical.value, same.deviation.value, same.lost) == (1, 0, 0)
    assert repeated(bench(run, blind=True, noise=0.3)).deviation.value > 0.02


def test_a_judge_that_looks_passes_the_controls_and_a_blind_one_does_not(run):
    made = bench(run, blind=False, known={})
    prompts = {item.id: item.prompt for item in made.suite.items}
    requests = {prompts[image.prompt]: Preparation().pixels(image.pixels).sha256 for image in made.images}
    looking = controlled(bench(run, blind=False, known=requests, noise=0.01))
    assert [each.alarm for each in looking] == ["", ""]
    assert looking[0].drop.estimate.value > 0.4
    blind = controlled(bench(run, blind=True, known={}, noise=0.0))
    assert all("Do not use it" in each.alarm for each in blind)


def test_runs_agree_with_themselves_and_tables_of_people_are_read(run):
    folder, made, _ = run
    share, kappa = agreed(made.path, made.path)
    assert share.value == 1
    assert math.isnan(kappa.value)  # one and the same score throughout
    (folder / "people.csv").write_text("id,value\n" + "".join(f"p{i}-00,{i % 2}\n" for i in range(N)))
    assert agreed(folder / "people.csv", made.path)[0].value == 0
    (folder / "odd.csv").write_text("name\nx\n")
    with pytest.raises(EvalkitError, match="has no id and value"):
        agreed(folder / "odd.csv", made.path)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("a,1\na,0\n", "line 3 states 'a' again"),
        ("a,nan\n", "as nan"),
        (",1\n", "without an id"),
        ("a,x\n", "no id and"),
    ],
)
def test_a_table_of_people_states_each_image_once(tmp_path, rows, said):
    (tmp_path / "people.csv").write_text(f"id,value\n{rows}")
    with pytest.raises(EvalkitError, match=said):
        agreed(tmp_path / "people.csv", tmp_path / "people.csv")


def test_anchors_raise_an_alarm_where_scores_move(run):
    folder, made, judge = run
    pack = str(folder / "anchors.jsonl")
    assert CliRunner().invoke(verb, ["anchors", str(made.path), "--make", pack]).exit_code == 0
    still = CliRunner().invoke(verb, ["anchors", str(made.path), "--check", pack])
    assert (still.exit_code, "shift 0.000" in still.output) == (0, True)
    options = RunOptions(out=folder / "later", device="cpu")
    later = probe(
        "vqascore", folder / "images", judge=judging(folder, judge, blind=False, known={}, noise=0.0), options=options
    )
    moved = CliRunner().invoke(verb, ["anchors", str(later.path), "--check", pack])
    assert (moved.exit_code, "has drifted" in moved.output) == (1, True)


def test_other_runs_have_no_judge(tmp_path):
    from helpers.drawn import drawn

    run = probe("world", drawn(tmp_path / "images", 3), options=RunOptions(out=tmp_path / "run", limit=3, device="cpu"))
    with pytest.raises(EvalkitError, match="no run of a judged suite"):
        bench_of(run.path, JudgeOptions())
