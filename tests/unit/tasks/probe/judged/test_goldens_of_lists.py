"""Suites whose replies hold lists, and whose headline is no plain mean, against outputs of the official code."""

import gzip
import json
import os
from pathlib import Path

import pytest
from helpers.goldens import DATA, cases, read
from helpers.judged import judged_rows

from evalkit.judges.aggregates import weighted_categories
from evalkit.judges.parse import Scale
from evalkit.judges.policy import POLICIES, Item
from evalkit.judges.scored import apply_policy
from evalkit.metrics.recalled import reread
from evalkit.protocols.judged import load_declaration
from evalkit.tasks.probe.judged.formula import evaluate
from evalkit.tasks.probe.judged.official_files import official_evidence
from evalkit.tasks.probe.judged.suite import judged_suite


def scores_of(suite, rows):
    return {score.name: score.estimate.value for score in suite.summary(rows)}


@pytest.mark.parametrize("case", cases("unigenbench", "parse"))
def test_unigenbench_reads_as_officially(case):
    found, expected = read("unigenbench", case["input"]["text"] or ""), case["expected"]
    points = case["input"]["testpoint"]
    if expected is None:
        assert found is None or len(found) != len(points)
    else:
        assert found == expected[1]


def test_unigenbench_counts_test_points_by_kind_and_leaves_lost_images_out():
    (case,) = cases("unigenbench", "aggregate")
    items = [
        (
            {
                "testpoints": row["testpoint"],
                "primaries": [point.split("-", 1)[0].strip() for point in row["testpoint"]],
                "details": [point if "-" in point else "" for point in row["testpoint"]],
            },
            "all",
            0,
            {"points": "perhaps" if row["score"] is None else unigen_reply(row["score"])},
        )
        for row in case["input"]
    ]
    suite, rows = judged_rows("unigenbench-en", items)
    scores = scores_of(suite, rows)
    for name, expected in case["expected"]["primary_dimensions"].items():
        assert round(scores[f"unigenbench-en/{name.strip()}"], 4) == expected["accuracy"]
    for name, expected in case["expected"]["sub_dimensions"].items():
        assert round(scores[f"unigenbench-en/{name}"], 4) == expected["accuracy"]
    assert scores["unigenbench-en"] == pytest.approx((2 / 3 + 1 / 3) / 2)


def unigen_reply(score):
    return f"<analysis>{['a'] * len(score)}</analysis><score>{score}</score>"


def test_wiseedit_reads_and_scales_as_officially():
    for case in cases("wiseedit", "extract"):
        assert read("wiseedit", case["input"]) == case["expected"]
    for case in cases("wiseedit", "scale"):
        value = case["input"] or 1  # a lost score counts as none here, as 0 there
        assert evaluate("percents(v, 1, 10)", {"v": [value]}) == [case["expected"]]


def wise_rows(scores):
    """One row of the basic tasks in both languages; 0 stands for a reply that holds no score."""
    slots = [[f"{language}/Awareness/{name}" for name in ("DP", "IF", "VQ", "KF")] for language in ("cn", "en")]
    calls = ("detail", "instruction_score", "quality", "knowledge")
    items = []
    for number, (cn, en) in enumerate(scores):
        fields = {"id": number, "has_knowledge": True, "has_fusion": False, "slots": slots}
        for sample, score in enumerate((cn, en)):
            text = json.dumps({"score": score}) if score else "none"
            items.append((fields, "Awareness", sample, dict.fromkeys(calls, text)))
    return items


def test_wiseedit_leaves_a_row_out_of_both_languages_where_one_is_lost():
    for case in cases("wiseedit", "row_skipped"):
        one = tuple(int(case["input"][f"IF_score_{language}"]) for language in ("cn", "en"))
        suite, rows = judged_rows("wiseedit-en", wise_rows([(10, 10), one]))
        expected = 100.0 if case["expected"] else (100 + round((5 - 1) / 9 * 100, 4)) / 2
        assert scores_of(suite, rows)["wiseedit-en"] == pytest.approx(round(expected, 1))


def test_wiseedit_rounds_the_mean_of_each_score_before_it_takes_their_mean():
    suite, rows = judged_rows("wiseedit-cn", wise_rows([(5, 5), (6, 6), (6, 6)]))
    assert scores_of(suite, rows)["wiseedit-cn"] == pytest.approx(round(14 / 3 / 9 * 100, 1))


@pytest.mark.parametrize("case", cases("t2i_reasonbench", "extract"))
def test_reasonbench_reads_as_officially(case):
    expected = case["expected_official"]
    assert read("reasonbench", case["input"]) == (None if "raises" in expected else expected["score"])


def reason_rows(name, scores):
    texts = [{call: json.dumps({"score": values}) for call, values in row.items()} for row in scores]
    detailed = {"detailed": "detail" in scores[0], "script": "", "asked": "", "asked_quality": "", "asked_detail": ""}
    counts = dict.fromkeys(("criteria", "criteria_detail", "criteria_quality"), 1)
    return judged_rows(name, [({**detailed, **counts}, "all", 0, {"described": "a dog", **row}) for row in texts])


def test_reasonbench_weighs_details_and_reports_quality_apart():
    (case,) = cases("t2i_reasonbench", "model_score")
    suite, rows = reason_rows("t2i-reasonbench-idiom", [{"reasoning": [a], "quality": [q]} for a, q in case["input"]])
    scores = scores_of(suite, rows)
    assert 100 * scores["t2i-reasonbench-idiom"] == float(case["expected"][1])
    assert 100 * scores["t2i-reasonbench-idiom/quality"] == float(case["expected"][3])
    told = [{"reasoning": [1], "detail": [0.5], "quality": [1]}, {"reasoning": [0], "detail": [1], "quality": [0.5]}]
    suite, rows = reason_rows("t2i-reasonbench-entity", told)
    scores = scores_of(suite, rows)
    assert 100 * scores["t2i-reasonbench-entity"] == pytest.approx(57.5)
    assert 100 * scores["t2i-reasonbench-entity/quality"] == pytest.approx(75)


def test_compbench_combines_three_networks_as_officially():
    rule = load_declaration("t2i-compbench-complex").scores[0].formula
    for case in cases("t2i_compbench", "3_in_1"):
        given = case["input"]
        names = {"phrases": [given["blip_vqa"]], "unidet": [given["unidet_2d"]], "clip_t": given["clip"], "sample": 0}
        assert evaluate(rule, {**names, "kind": given["subset"]}) == pytest.approx(case["expected"], rel=1e-9)
    (case,) = cases("t2i_compbench", "blip_vqa")
    rule = load_declaration("t2i-compbench-color").scores[0].formula
    assert evaluate(rule, {"phrases": case["input"]}) == pytest.approx(case["expected"])


@pytest.mark.parametrize("case", cases("oneig_text"))
def test_oneig_reads_texts_as_officially(case):
    wanted, seen = case["input"]
    expected = case["expected"]
    assert reread(wanted, seen) == tuple(float(expected[name]) for name in ("ED", "CR", "match", "gt_count"))
    for name in ("en", "zh"):
        suite, rows = judged_rows(f"oneig-text-{name}", [({"wanted": wanted, "count": 2}, "all", 0, {"ocr": seen})])
        key = f"text_score_if_only_item_{name.upper()}"
        assert rows[0].score == pytest.approx(expected[key], rel=1e-9)
        assert scores_of(suite, rows)[f"oneig-text-{name}"] == pytest.approx(expected[key], rel=1e-9)


def test_oneig_applies_its_formula_once_to_pooled_means():
    pairs = [("HELLO WORLD", "WORLD HELLO"), ("SALE SALE", "SALE"), ("A", "A")]
    items = [({"wanted": wanted, "count": 2}, "all", 0, {"ocr": seen}) for wanted, seen in pairs]
    suite, rows = judged_rows("oneig-text-en", items)
    edits, complete, words = (8 + 5 + 0) / 3, 1 / 3, (2 + 1 + 1) / 5
    score = next(iter(suite.summary(rows)))
    assert score.estimate.value == pytest.approx(1 - edits * (1 - complete) * (1 - words) / 100)
    assert score.estimate.low <= score.estimate.value <= score.estimate.high


def test_four_items_come_to_other_numbers_by_each_policy():
    items = [Item("a", "t", 1.0), Item("b", "t", 0.5), Item("c", "t", None, "refused"), Item("d", "t", None, "missing")]
    by_name = {case["policy"].split(" ")[0]: case for case in cases("failure_policy_demo")}
    for name in ("drop", "zero", "abort"):
        found = apply_policy(items, name, Scale(0, 1, whole=False))
        assert found.value == by_name[name]["expected"]
        assert found.coverage == by_name[name].get("coverage", 0.5)
    guesses = [k / 10 for k in range(11)]
    found = apply_policy(items, "random-drop-missing", Scale(0, 1, whole=False), guesses=guesses)
    assert found.value == pytest.approx(2 / 3, abs=0.02)
    assert found.spread == pytest.approx((0.5, 2.5 / 3), abs=0.02)
    assert POLICIES["drop-abort-missing"].action("missing") == "abort"


def test_the_released_answers_to_dsg1k_come_to_the_official_scores():
    """24,522 answers of three judges about images of Stable Diffusion 2.1, through parser, dependencies and means."""
    golden = json.loads(gzip.decompress((DATA / "dsg1k_replay.json.gz").read_bytes()))
    for judge, answers in golden["answers"].items():
        items = []
        for name, bits in answers.items():
            parents, source = golden["items"][name]
            fields = {"id": name, "questions": list(bits), "parents": parents, "categories": [""] * len(bits)}
            texts = {f"answers/{place}": ("no", "yes")[int(bit)] for place, bit in enumerate(bits)}
            items.append((fields, source, 0, texts))
        suite, rows = judged_rows("dsg1k", items)
        scores, expected = scores_of(suite, rows), golden["expected"][judge]
        assert scores["dsg1k"] == pytest.approx(expected["all"], rel=1e-9)
        assert scores["dsg1k/without-dependency"] == pytest.approx(expected["without"], rel=1e-9)
        for source in {source for _, source in golden["items"].values()}:
            assert scores[f"dsg1k/{source}"] == pytest.approx(expected[source], rel=1e-9)


@pytest.mark.skipif("TIIF_BENCH" not in os.environ, reason="TIIF_BENCH names no copy of A113N-W3I/TIIF-Bench")
@pytest.mark.parametrize("case", cases("tiif", "aggregate"))
def test_the_released_replies_of_tiif_come_to_the_official_scores(case):
    """The repository's own replies, which have no licence, through reader, parser and aggregation."""
    repository = Path(os.environ["TIIF_BENCH"])
    results = repository / "eval-results" / "testmini_subset_eval_results" / "testmini_subset_eval_results_GPT-4o"
    for length, expected in case["expected"].items():
        suite = judged_suite(f"tiif-{length}").opened(repository)
        rows = suite.rules(official_evidence(suite, results / case["input"]))
        assert len(rows) == expected["files"]
        assert round(scores_of(suite, rows)[f"tiif-{length}"], 4) == expected["overall"]


def exam(*rows):
    """GenExam's images of (subject, whether each of two points is right, the three global scores)."""
    names = ("Spelling", "Clarity and Readability", "Logical Consistency")
    items = []
    for subject, answers, globals_ in rows:
        said = {name: {"score": score} for name, score in zip(names, globals_, strict=True)}
        text = json.dumps({"answers": [{"answer": each} for each in answers], "global_evaluation": said})
        items.append(({"weights": [0.4, 0.6]}, subject, 0, {"reply": text}))
    suite, found = judged_rows("genexam", items)
    return scores_of(suite, found)


def test_genexam_gives_means_over_images_and_over_subjects():
    scores = exam(("A", (1, 1), (2, 2, 2)), *[("B", (0, 0), (0, 0, 0))] * 2, ("B", (1, 0), (2, 1, 1)))
    assert [scores[f"genexam{name}"] for name in ("", "/relaxed")] == pytest.approx([0.25, 0.37])
    by_subject = [scores[f"genexam/{name}-by-subject"] for name in ("strict", "relaxed")]
    assert by_subject == pytest.approx([0.5, 0.58])


def test_rise_gives_each_judgement_over_the_images_that_have_it():
    plain = {"free": False, "logical": False, "free_column": True}
    rows = [
        ({**plain, "free": True}, "causal_reasoning", {"reasoning": 5, "quality": 3}),
        (plain, "spatial_reasoning", {"consistency": 3, "reasoning": 1, "quality": 5}),
        ({**plain, "logical": True}, "logical_reasoning", {"consistency": 1, "reasoning": 0}),
    ]
    items = [
        ({**fields, "with_source": False}, category, 0, {name: f"**Final Score:** {v}" for name, v in values.items()})
        for fields, category, values in rows
    ]
    suite, found = judged_rows("risebench", items)
    scores = scores_of(suite, found)
    assert scores["risebench/reasoning"] == pytest.approx((100 + 0 + 0) / 3)
    assert scores["risebench/consistency"] == pytest.approx((50 + 100) / 2)
    assert scores["risebench/plausibility"] == pytest.approx((50 + 100) / 2)


def test_corebench_gives_composition_and_reasoning_apart():
    items = [
        ({"Checklist": [{"question": "q"}]}, kind, 0, {"answers/0": answer})
        for kind, answer in (("C-MI", "yes"), ("C-MI", "yes"), ("C-TR", "no"), ("R-LR", "yes"))
    ]
    suite, found = judged_rows("t2i-corebench", items)
    scores = scores_of(suite, found)
    assert scores["t2i-corebench"] == pytest.approx(2 / 3)
    assert (scores["t2i-corebench/composition"], scores["t2i-corebench/reasoning"]) == (0.5, 1.0)


def test_means_between_two_roundings_go_the_way_of_a_plain_sum():
    values = [2.67, 3.33, 4.0, 1.67, 5.0, 4.33, 2.33, 3.67, 1.0, 2.94]
    aggregate = weighted_categories({"a": 1.0}, digits=2)
    for n in range(1, len(values)):
        plain = 0.0
        for each in values[:n]:
            plain += each
        assert aggregate([Item(str(i), "a", v) for i, v in enumerate(values[:n])]) == round(plain / n, 2)


@pytest.mark.parametrize("kinds", [1, 4])
def test_prompts_that_count_in_several_kinds_are_drawn_whole(kinds):
    """Four equal answers about an image say no more than one."""
    names = ["Style", "Grammar", "World Knowledge", "Text Generation"][:kinds]
    fields = {"testpoints": names, "primaries": names, "details": [""] * kinds}
    items = [({**fields, "id": i}, "all", 0, {"points": unigen_reply([int(i % 3 > 0)] * kinds)}) for i in range(60)]
    suite, rows = judged_rows("unigenbench-en", items)
    scores = {score.name: score.estimate for score in suite.summary(rows)}
    whole, one = scores["unigenbench-en"], scores["unigenbench-en/Style"]
    assert whole.value == pytest.approx(2 / 3)
    assert whole.high - whole.low > 0.9 * (one.high - one.low)
