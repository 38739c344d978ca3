import json

import numpy as np
import pytest

from evalkit.errors import EvalkitError
from evalkit.leaderboard.compare import compare_runs
from evalkit.leaderboard.compare_words import document, markdown, sentence, summary
from evalkit.leaderboard.gates import Gate, judge, parse_gate
from evalkit.stats.multiplicity import holm
from evalkit.stats.paired import paired_difference


@pytest.fixture
def two(runs, noise):
    """The second is better in psnr by 0.5, and level in ssim."""
    paths = []
    for name, seed, more in (("old", 1, 0.0), ("new", 2, 0.5)):
        psnr, ssim = noise(seed) + more, noise(seed + 5) / 40
        rows = [runs.result("psnr", float(psnr.mean()), 60, unit="dB"), runs.result("ssim", float(ssim.mean()), 60)]
        paths.append(runs.run(name, psnr, columns={"ssim": ssim}, results=rows))
    return paths


def test_differences_are_paired_and_p_values_count_all_comparisons(two):
    found = compare_runs(two)
    psnr, ssim = found.pairs
    wanted = paired_difference(psnr.two.scores.values, psnr.one.scores.values)
    assert (psnr.gap.value, psnr.gap.low, psnr.gap.p) == (
        pytest.approx(wanted.estimate.value),
        pytest.approx(wanted.estimate.low),
        pytest.approx(wanted.p),
    )
    assert [psnr.adjusted, ssim.adjusted] == pytest.approx(holm([psnr.gap.p, ssim.gap.p]).tolist())
    assert [psnr.outcome, ssim.outcome] == ["better", "not separated"]
    assert summary(found) == "new against old: 1 better, 1 not separated"
    assert sentence(psnr).startswith(
        "PSNR on photos: new is 0.4721\u202fdB above old (95 % interval of the difference 0.37"
    )
    assert sentence(psnr).endswith("among all comparisons): better.")


def test_the_order_of_runs_turns_every_sign(two):
    one, other = compare_runs(two).pairs[0], compare_runs(two[::-1]).pairs[0]
    assert other.gap.value == -one.gap.value
    assert other.gap.low == pytest.approx(-one.gap.high, rel=1e-2)
    assert (one.outcome, other.outcome) == ("better", "worse")


def test_a_condition_fails_only_beyond_its_margin(two):
    back = compare_runs(two[::-1])
    loss = back.pairs[0].loss
    assert loss[0] == pytest.approx(0.5, abs=0.2)
    for margin, failed in ((0.0, True), (loss[1] * 0.99, True), (loss[1] * 1.01, False), (2.0, False)):
        (judged,) = judge(back, [Gate("psnr", margin)])
        assert judged.failed is failed
        assert ("is worse by more than" in judged.sentence) is failed
    assert not judge(compare_runs(two), [Gate("psnr")])[0].failed


def test_lower_is_better_turns_the_loss(runs, noise):
    paths = [
        runs.run(name, noise(seed) + more, "lpips_vgg", row={"better": "lower"})
        for name, seed, more in (("old", 1, 0.0), ("new", 2, 0.5))
    ]
    (pair,) = compare_runs(paths).pairs
    assert pair.gap.value > 0
    assert (pair.outcome, pair.loss[0]) == ("worse", pair.gap.value)


def test_no_condition_passes_unseen(two, runs):
    found = compare_runs(two, metrics=["psnr"])
    with pytest.raises(EvalkitError, match="new was not compared in ssim; give one of psnr"):
        judge(found, [Gate("ssim")])
    bare = [runs.bare(name, [runs.result("psnr", 1.0, 1)]) for name in ("x", "y")]
    with pytest.raises(EvalkitError, match="cannot be judged"):
        judge(compare_runs(bare), [Gate("psnr")])


@pytest.mark.parametrize("text", ["", ":1", "psnr:x", "psnr:-1", "psnr:nan", "psnr:inf"])
def test_a_condition_that_is_none_is_one_sentence(text):
    with pytest.raises(EvalkitError, match="is no condition"):
        parse_gate(text)


def test_runs_meet_on_the_samples_that_both_have(runs, noise):
    a, b = noise(1), noise(2) + 0.5
    b[3] = np.nan
    (pair,) = compare_runs([runs.run("a", a), runs.run("b", b)]).pairs
    keep = ~np.isnan(b)
    assert (pair.board.terms.n, pair.board.common) == (59, (59, 60))
    assert pair.gap.value == pytest.approx(float((b - a)[keep].mean()))
    assert pair.one.value == pytest.approx(float(a[keep].mean()))


def test_what_cannot_be_compared_says_why(runs, noise):
    a = runs.run("a", noise(1))
    with pytest.raises(EvalkitError, match=r"no number(.|\n)*protocol evalkit-1 and clean"):
        compare_runs([a, runs.run("b", noise(2), protocol="clean")])
    with pytest.raises(EvalkitError, match="two different finished runs"):
        compare_runs([a, a])


def test_markdown_and_json_hold_the_same(two):
    found = compare_runs(two)
    judged = judge(found, [Gate("psnr", 0.1)])
    text, plain = markdown(found, judged), json.loads(json.dumps(document(found, judged)))
    assert text.startswith("### new against old: 1 better, 1 not separated")
    assert "- ✅ PSNR on photos: new is not surely worse by more than 0.1000" in text
    assert text.count("\n| ") == 3
    assert [each["outcome"] for each in plain["pairs"]] == ["better", "not separated"]
    assert plain["conditions"][0]["failed"] is False
    assert plain["pairs"][0]["difference"] == found.pairs[0].gap.value
