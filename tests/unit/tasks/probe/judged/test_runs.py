"""Runs of judged suites: budgets, lost replies asked anew, policies, names, and odd inputs in one sentence each."""

import io
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from helpers.judged import WORDS, ScriptedJudge, small_data, small_images
from PIL import Image

from evalkit.errors import EvalkitError
from evalkit.jobs.options import RunOptions
from evalkit.judges.reply import RawReply
from evalkit.leaderboard.boards import make_boards
from evalkit.leaderboard.collect import collect
from evalkit.metrics.registry import METRICS
from evalkit.protocols.judged import load_declaration
from evalkit.provenance.verify import verify_run
from evalkit.tasks.generate.generate import generate_images
from evalkit.tasks.probe import probe
from evalkit.tasks.probe.evidence.read import read_evidence
from evalkit.tasks.probe.evidence.write import write_evidence
from evalkit.tasks.probe.judged.calls import asked_of, request_of
from evalkit.tasks.probe.judged.items import _check_files
from evalkit.tasks.probe.judged.options import JudgeOptions
from evalkit.tasks.probe.judged.suite import judged_suite
from evalkit.tasks.probe.reask import reask
from evalkit.tasks.probe.spec import suite_called
from evalkit.tasks.probe.suite import prompt_set
from evalkit.tasks.probe.words import answer, notes

GOOD = "Consistency: 2\nRealism: 1\nAesthetic Quality: 0"


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr("evalkit.tasks.probe.judged.items._check_files", lambda said, folder: None)


@pytest.fixture
def wise(tmp_path):
    data = small_data("wise", tmp_path / "data")
    return data, small_images("wise", data, tmp_path / "images")


def judged(wise, out, judge, **more):
    data, images = wise
    rules = {"policy": more.pop("policy")} if "policy" in more else None
    missing = more.pop("allow_missing", False)
    judging = JudgeOptions(
        **{"judge": judge, "data": data, "replies": out.parent / "replies.jsonl", "tries": 1, **more}
    )
    options = RunOptions(out=out, device="cpu")
    return probe("wise", images, judge=judging, rules=rules, allow_missing=missing, options=options)


def row(run, name="wise@fake-vlm"):
    return next(each for each in run.results if each["metric"] == name)


def test_a_spent_budget_stops_the_run_and_a_larger_one_goes_on(wise, tmp_path):
    first = ScriptedJudge(GOOD)
    with pytest.raises(EvalkitError, match="budget ended the asking after 3 requests"):
        judged(wise, tmp_path / "run", first, requests=3)
    second = ScriptedJudge(GOOD)
    run = judged(wise, tmp_path / "run", second, requests=9, prices=(1.0, 2.0))
    assert (len(first.asked), len(second.asked)) == (3, 1)
    assert run.record["usage"] == {"requests": 1, "prompt_tokens": 100, "completion_tokens": 10, "cost": 120 / 1e6}


def test_only_lost_replies_are_asked_anew(wise, tmp_path):
    run = judged(wise, tmp_path / "run", ScriptedJudge(GOOD))
    assert row(run)["value"] is None
    better = Mended(GOOD)
    again = reask(run.path, judge=JudgeOptions(judge=better, data=wise[0], replies=tmp_path / "replies.jsonl"))
    assert again.path == tmp_path / "run-again"
    assert len(better.asked) == 2
    assert row(again)["value"] == pytest.approx(0.8)
    with pytest.raises(EvalkitError, match="lost no reply"):
        reask(again.path)


class Mended(ScriptedJudge):
    """No longer refuses or breaks."""

    def reply(self, request, deadline):
        self.asked.append(self.key(request))
        return RawReply(text=GOOD, finish="stop")


def test_answers_that_scored_images_lack_are_asked_anew(tmp_path):
    """KRIS leaves a lost answer out of its image, which has a score all the same."""
    good = json.dumps({f"{name}_score": 4 for name in ("consistency", "instruction", "knowledge", "quality")})
    data = small_data("kris", tmp_path / "data")
    images = small_images("kris", data, tmp_path / "images")
    judging = JudgeOptions(judge=ScriptedJudge(good), data=data, replies=tmp_path / "replies.jsonl", tries=1)
    run = probe("kris", images, judge=judging, options=RunOptions(out=tmp_path / "run", device="cpu"))
    told = run.record["probe"]
    assert (told["lost"], told["lost_answers"]) == ({}, {"refused": 2, "unparsed": 2})
    assert told["bounds"]["kris@fake-vlm"][0] < 75 < told["bounds"]["kris@fake-vlm"][1]
    page = (run.path / "report.html").read_text()
    assert "Answers that scored images lack: 2 refused, 2 unparsed" in page
    assert "No knowledge: every item is lost" in page
    assert "judged by" in page
    assert re.search(r"natural</th><td class=\"right\">0</td><td[^>]*>0</td><td[^>]*>2</td>", page)
    again = reask(run.path, judge=replace(judging, judge=Answering(good)))
    assert again.record["probe"]["lost_answers"] == {}
    assert row(again, "kris@fake-vlm/knowledge")["value"] == 75


class Answering(ScriptedJudge):
    """Answers everything."""

    def reply(self, request, deadline):
        return RawReply(text=self.good, finish="stop")


def test_a_run_of_an_earlier_revision_is_left_open_and_not_called_changed(wise, tmp_path, monkeypatch):
    run = judged(wise, tmp_path / "run", ScriptedJudge(GOOD), policy="drop")
    assert "revision" not in run.record["plan"]["parameters"]
    later = replace(load_declaration("wise"), revision=2)
    monkeypatch.setattr("evalkit.tasks.probe.checks.load_declaration", lambda name: later)
    found = verify_run(run.path)
    assert found.failures == ()
    assert "other formulas or scores by now" in str(found)


def test_gedit_opens_the_edits_of_one_language(tmp_path):
    data = small_data("gedit", tmp_path / "data")
    for name, language in (("gedit", "en"), ("gedit-cn", "cn")):
        assert [item.id for item in judged_suite(name).opened(data).items] == [f"{language}{i}" for i in range(4)]


def test_rise_sends_images_as_pillow_writes_jpeg_by_itself(tmp_path):
    data = small_data("risebench", tmp_path / "data")
    suite = judged_suite("risebench").opened(data)
    image, plain = np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8), io.BytesIO()
    Image.fromarray(image).save(plain, "JPEG")
    asked = next(each for each in asked_of(suite.said.calls, suite.items[0]) if each.name == "quality")
    (part,) = (
        p for p in request_of(asked, data, image, None, lambda role: b"").messages[0].parts if not isinstance(p, str)
    )
    assert part.data == plain.getvalue()


def test_a_policy_changes_the_protocol_and_the_score(wise, tmp_path):
    run = judged(wise, tmp_path / "run", ScriptedJudge(GOOD), policy="zero")
    assert row(run)["value"] == pytest.approx(0.8 * 0.4 / 0.6)
    assert row(run)["protocol"] == "wise policy=zero"
    told = run.record["probe"]
    assert told["bounds"]["wise@fake-vlm"][0] == row(run)["value"]
    assert "no score of wise" in (run.path / "report.html").read_text()
    assert any("3 of 6 categories have no item" in each for each in notes(told))
    assert "has no score" in answer(
        judged(wise, tmp_path / "b", ScriptedJudge(GOOD)).record, [{**row(run), "value": None}]
    )


def test_missing_images_are_items_that_are_lost(wise, tmp_path):
    (wise[1] / "2.png").unlink()
    with pytest.raises(EvalkitError, match="1 of 4 images are missing"):
        judged(wise, tmp_path / "run", ScriptedJudge(GOOD))
    run = judged(wise, tmp_path / "run", ScriptedJudge(GOOD), policy="worst", allow_missing=True)
    assert row(run, "wise@fake-vlm/culture")["value"] == pytest.approx(0.4)
    assert run.record["probe"]["bounds"]["wise@fake-vlm/culture"] == pytest.approx([0.4, 0.9])


def test_the_official_judge_s_score_bears_the_suite_s_name_alone(wise, tmp_path):
    run = judged(wise, tmp_path / "run", ScriptedJudge(GOOD, model="gpt-4o-2024-05-13"))
    assert run.results[0]["metric"] == "wise"


def test_replies_of_two_judges_have_no_mean(wise, tmp_path):
    run = judged(wise, tmp_path / "run", ScriptedJudge(GOOD), policy="drop")
    found = read_evidence(run.path / "evidence.jsonl")
    other = replace(found.images[1].replies[0], judge="another")
    images = (found.images[0], replace(found.images[1], replies=(other,)), *found.images[2:])
    write_evidence(tmp_path / "mixed.jsonl", images, found.facts)
    options = RunOptions(out=tmp_path / "again")
    with pytest.raises(EvalkitError, match="2 judges: another, fake-vlm"):
        probe("wise", evidence=tmp_path / "mixed.jsonl", judge=JudgeOptions(data=wise[0]), options=options)


def test_a_file_of_another_judge_s_replies_is_refused_and_stays_as_it_was(wise, tmp_path):
    with pytest.raises(EvalkitError, match="budget"):
        judged(wise, tmp_path / "run", ScriptedJudge(GOOD), requests=1)
    before = (tmp_path / "replies.jsonl").read_bytes()
    with pytest.raises(EvalkitError, match="holds replies of fake-vlm, and other is asked") as caught:
        judged(wise, tmp_path / "other", ScriptedJudge(GOOD, model="other"), policy="drop")
    assert "\n" not in str(caught.value)
    assert (tmp_path / "replies.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data, images: {"judge": None}, "needs a judge"),
        (lambda data, images: {"data": data / "none"}, "files of wise are not in"),
        (lambda data, images: {"data": images}, "holds no WISE_legacy"),
        (lambda data, images: {"policy": "ignore"}, "no policy 'ignore'"),
        (
            lambda data, images: [each.rename(each.with_suffix(".jpg")) for each in images.iterdir()],
            "whose first is 1.png",
        ),
        (lambda data, images: {"budget": 1.0}, "needs prices"),
    ],
)
def test_what_cannot_be_judged_is_said_in_one_sentence(wise, tmp_path, change, said):
    more = change(*wise)
    with pytest.raises(EvalkitError, match=said):
        judged(wise, tmp_path / "run", **{"judge": ScriptedJudge(GOOD), **(more if isinstance(more, dict) else {})})


def test_changed_official_files_are_refused(wise):
    with pytest.raises(EvalkitError, match="is not the file of commit eb51174483"):
        _check_files(judged_suite("wise").said, wise[0])


def test_a_suite_says_what_the_official_one_says_of_words(wise):
    suite = judged_suite("wise").opened(wise[0])
    assert [item.prompt.split()[1] for item in suite.prompts()] == list(WORDS)
    with pytest.raises(EvalkitError, match="needs its files"):
        judged_suite("wise").prompts()


def test_two_models_are_ranked_and_compared_in_pairs(wise, tmp_path):
    data, images = wise
    for name, good in (("a", "Consistency: 2\nRealism: 2\nAesthetic Quality: 2"), ("b", GOOD)):
        shutil.copytree(images, tmp_path / name)
        judged(
            (data, tmp_path / name),
            tmp_path / f"run-{name}",
            ScriptedJudge(good),
            policy="drop",
            replies=tmp_path / f"{name}.jsonl",
        )
    boards = make_boards(collect([tmp_path / "run-a", tmp_path / "run-b"])).boards
    board = next(each for each in boards if each.terms.metric == "wise@fake-vlm/culture")
    assert (board.entrants, board.order.pairing) == ((0, 1), "paired by sample")
    whole = next(each for each in boards if each.terms.metric == "wise@fake-vlm")
    assert (whole.entrants, whole.order.pairing) == ((0, 1), "paired by sample")
    assert METRICS.get("gedit/quality").high == 10
    assert METRICS.get("reason-edit@x/lpips").better == "lower"
    assert METRICS.get("wise").title.startswith("wise: images")


def test_images_of_rewritten_prompts_are_ranked_apart(wise, tmp_path):
    """Rewriting, the best of several images and thinking are a part of the protocol, also of evidence and asked anew."""
    data, images = wise
    judging = JudgeOptions(judge=Mended(GOOD), data=data, replies=tmp_path / "replies.jsonl", tries=1)
    runs = [
        probe("wise", images, judge=judging, made=made, options=RunOptions(out=tmp_path / f"run{n}", device="cpu"))
        for n, made in enumerate([(), ("thinking", "best-of=4"), ("rewritten=gpt-4o",)])
    ]
    assert [row(run)["protocol"] for run in runs] == ["wise", "wise best-of=4 thinking", "wise rewritten=gpt-4o"]
    boards = make_boards(collect([run.path for run in runs])).boards
    assert sum(board.terms.metric == "wise@fake-vlm" for board in boards) == 3
    options = RunOptions(out=tmp_path / "again", device="cpu")
    again = probe("wise", evidence=runs[1].path, judge=JudgeOptions(data=data), options=options)
    assert row(again)["protocol"] == "wise best-of=4 thinking"
    for odd in ("best-of", "best-of=1", "by hand"):
        with pytest.raises(EvalkitError, match="images are not made by"):
            probe("wise", images, judge=judging, made=(odd,), options=options)


def test_what_is_asked_anew_stays_of_rewritten_prompts(wise, tmp_path):
    """--reask keeps how images were made, so that the mended score stands on the board of the first one."""
    data, images = wise
    judging = JudgeOptions(judge=ScriptedJudge(GOOD), data=data, replies=tmp_path / "replies.jsonl", tries=1)
    made = ("rewritten=gpt-4o", "best-of=4")
    first = probe("wise", images, judge=judging, made=made, options=RunOptions(out=tmp_path / "run", device="cpu"))
    assert first.record["probe"]["lost"]
    again = reask(first.path, suite="wise", judge=replace(judging, judge=Mended(GOOD)))
    assert row(again)["protocol"] == row(first)["protocol"] == "wise best-of=4 rewritten=gpt-4o"
    assert again.record["protocols"] == first.record["protocols"]
    assert again.record["probe"]["lost"] == {}
    assert verify_run(again.path).failures == ()
    with pytest.raises(EvalkitError, match="is a run of wise, not of dpg"):
        reask(first.path, suite="dpg", judge=judging)


def test_a_generation_of_rewritten_prompts_is_ranked_apart_by_itself(tmp_path):
    """Nobody has to say --made: the generation's plan does, and equal rewritten prompts bear one name."""
    suite = suite_called("world")
    asked = prompt_set(replace(suite, own_prompts=suite.prompts()[:3]))
    again = tmp_path / "again.jsonl"
    again.write_text("".join(json.dumps({"id": p.id, "prompt": f"{p.prompt}"}) + "\n" for p in asked.prompts))
    options = [RunOptions(out=tmp_path / name, device="cpu") for name in ("plain", "other", "p", "o")]
    plain = generate_images("world-ar", asked, options=options[0])
    other = generate_images("world-ar", asked, rewrite=again, options=options[1])
    runs = [
        probe("world", each.path, allow_missing=True, options=each_options)
        for each, each_options in zip((plain, other), options[2:], strict=True)
    ]
    names = [run.record["protocols"][0]["id"] for run in runs]
    assert names[0] == "world"
    assert re.fullmatch(r"world rewritten=[0-9a-f]{8}", names[1])
    boards = make_boards(collect([run.path for run in runs])).boards
    assert sum(board.terms.metric == "world" for board in boards) == 2
