"""Campaigns: every image once, every question once, a cost that the pilot foretold, one leaderboard."""

import json
from dataclasses import replace

import pytest
from helpers.judged import ScriptedJudge, small_data, small_images

from evalkit.campaigns.declaration import Campaign, Contestant, JudgeUse, SuiteUse
from evalkit.campaigns.run import open_steps, run_campaign
from evalkit.campaigns.steps import open_suite, steps_of
from evalkit.errors import EvalkitError
from evalkit.jobs.options import RunOptions
from evalkit.provenance.verify import verify_run

GOOD = {
    "wise-verified": "Score: 1",
    "imgedit": "a: 4\nb: 3\nc: 5",
    "geneval2": "Yes",
    "tiif-short": "Yes, so.\nno",
    "vqascore": "Yes",
}
MODELS = ("one", "two", "three")
PRICES = (2.0, 10.0)


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr("evalkit.tasks.probe.judged.items._check_files", lambda said, folder: None)


def planned(folder, judges, **more):
    """Three models with images of their own, on five suites; each suite has its judge."""
    suites = []
    for name, judge in judges.items():
        data = small_data(name, folder / "data" / name)
        for size, label in zip((48, 52, 56), MODELS, strict=True):
            small_images(name, data, folder / "images" / label / name, size=size)
        use = JudgeUse(judge, PRICES, tries=2, replies=folder / f"{name}.jsonl")
        suites.append(SuiteUse(name, data=data, judge=use))
    models = [Contestant(label, images=str(folder / "images" / label / "{suite}")) for label in MODELS]
    return Campaign("small", folder / "out", tuple(models), tuple(suites), **{"pilot": 4, **more})


def judges(left=float("inf")):
    return {name: ScriptedJudge(good, left=left) for name, good in GOOD.items()}


def options():
    return RunOptions(device="cpu")


def test_three_models_on_five_suites_ask_each_question_once_at_the_cost_that_was_expected(tmp_path):
    killed = judges(left=3)
    with pytest.raises(KeyboardInterrupt):
        run_campaign(planned(tmp_path, killed), options())
    mine = judges()
    done = run_campaign(planned(tmp_path, mine), options())
    assert len(done.runs) == 15
    assert done.failed == ()
    for name in GOOD:
        asked = [*killed[name].asked, *mine[name].asked]
        assert asked
        assert len(asked) == len(set(asked))
    board = json.loads((tmp_path / "out" / "leaderboard" / "leaderboard.json").read_bytes())
    systems = {each["system"] for found in board["boards"] for each in found["standings"]}
    assert systems == set(MODELS)
    page = (tmp_path / "out" / "leaderboard" / "index.html").read_text()
    overview = page[page.index('<section id="overview"') :].partition("</section>")[0]
    assert overview.count("<tr>") == 1 + len(MODELS)
    assert verify_run(done.runs[0].path).failures == ()


def test_the_cost_is_within_five_percent_of_the_estimate(tmp_path):
    mine = judges()
    done = run_campaign(planned(tmp_path, mine), options())
    expected = sum(each.cost for each in done.expected)
    paid = sum(100 * len(judge.asked) * PRICES[0] + 10 * len(judge.asked) * PRICES[1] for judge in mine.values()) / 1e6
    assert done.spent == pytest.approx(paid, rel=1e-9)
    assert done.spent == pytest.approx(expected, rel=0.05)
    again = judges()
    assert run_campaign(planned(tmp_path, again), options()).spent == pytest.approx(paid, rel=1e-9)
    assert not any(judge.asked for judge in again.values())


def test_nothing_more_is_asked_where_the_estimate_lies_above_the_budget(tmp_path):
    mine = {"imgedit": ScriptedJudge(GOOD["imgedit"])}
    campaign = planned(tmp_path, mine, budget=0.004)
    with pytest.raises(EvalkitError, match=r"expected to cost 0.00\d+, above the budget of 0.004"):
        run_campaign(campaign, options())
    asked = len(mine["imgedit"].asked)
    done = run_campaign(replace(campaign, budget=1.0), options())
    assert len(done.runs) == 3
    assert len(mine["imgedit"].asked) == 3 * asked


def test_a_model_without_images_is_listed_and_the_others_are_ranked(tmp_path):
    campaign = planned(tmp_path, {"geneval2": ScriptedJudge("Yes")})
    lost = Contestant("lost", images=str(tmp_path / "nowhere"))
    done = run_campaign(replace(campaign, models=(*campaign.models, lost)), options())
    assert [step for step, _ in done.failed] == ["geneval2 of lost, seed 0"]
    assert len(done.runs) == 3
    assert done.board.is_file()


def test_images_are_made_once_for_suites_that_ask_the_same(tmp_path):
    world = open_suite(SuiteUse("world", limit=3))
    twin = replace(world, use=SuiteUse("twin", limit=3), samples=5)
    campaign = Campaign(
        "c", tmp_path, (Contestant("a", "world-ar"), Contestant("b", "world-ar")), (world.use, twin.use)
    )
    steps = steps_of(campaign, (world, twin))
    assert [each.samples for each in steps.generations] == [5, 5]
    assert len({each.folder for each in steps.generations}) == 2
    assert [each.source for each in steps.probings] == [steps.generations[n] for n in (0, 0, 1, 1)]
    assert len({each.folder for each in steps.probings}) == 4


def test_generated_images_are_kept_and_probed(tmp_path):
    models = (Contestant("plain", "world-ar"), Contestant("hot", "world-ar", settings={"temperature": 3.0}))
    campaign = Campaign("c", tmp_path / "out", models, (SuiteUse("world", limit=3),))
    done = run_campaign(campaign, options())
    assert [run.record["probe"]["probed"] for run in done.runs] == [3, 3]
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "images").rglob("*.png")}
    run_campaign(campaign, options())
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "images").rglob("*.png")} == before


def test_all_that_suites_lack_is_said_before_any_work(tmp_path):
    uses = (SuiteUse("wise", data=tmp_path / "no"), SuiteUse("dpg", data=tmp_path / "nor"))
    with pytest.raises(EvalkitError, match="files of wise") as caught:
        open_steps(Campaign("c", tmp_path / "out", (Contestant("a", "world-ar"),), uses))
    assert "files of dpg" in str(caught.value)
    assert not (tmp_path / "out").exists()
