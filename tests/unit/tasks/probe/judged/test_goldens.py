"""Parsers, formulas and aggregation of declared suites against outputs of the official code."""

import json
from statistics import fmean

import pytest
from helpers.goldens import DATA, cases, read
from helpers.judged import judged_rows

from evalkit.judges.official import wise_found
from evalkit.metrics.recalled import recalled
from evalkit.tasks.probe.judged.formula import evaluate

SECTION_I = json.loads((DATA.parents[1] / "data" / "editing_and_judges.json").read_text())


def values(rows, name):
    return [row.values.get(name) for row in rows]


def headline(suite, rows):
    return next(iter(suite.summary(rows))).estimate.value


@pytest.mark.parametrize("case", cases("wise", "legacy extract"))
def test_the_first_wise_s_parser_finds_what_the_official_one_finds(case):
    assert wise_found(case["input"]) == case["expected"]
    whole = len(case["expected"]) == 3
    assert (read("wise", case["input"]) == case["expected"]) == whole


def test_the_verified_wise_s_parser_finds_what_the_official_one_finds():
    for case in cases("wise", "verified extract"):
        assert (read("wise-verified", case["input"]) or {}) == case["expected"]


def wise_reply(triple):
    return "Consistency: {}\nRealism: {}\nAesthetic Quality: {}".format(*triple)


def test_both_wise_weigh_scores_and_categories_as_officially():
    for case in cases("wise", "legacy wiscore"):
        _, rows = judged_rows("wise", [({}, "culture", 0, {"scores": wise_reply(case["input"])})])
        assert rows[0].score == case["expected"]
    ranges = {"wise": (400, 567, 700, 800, 900), "wise-verified": (400, 520, 640, 760, 880)}
    names = ("culture", "time", "space", "biology", "physics", "chemistry")
    for name, key in (("wise", "wise_legacy"), ("wise-verified", "wise_verified")):
        golden = SECTION_I[key]
        texts = (
            [wise_reply(golden["triples"][3 * i : 3 * i + 3]) for i in range(1000)]
            if name == "wise"
            else [f"Score: {bit}" for bit in golden["bits"]]
        )
        category = [names[sum(i >= last for last in ranges[name])] for i in range(1000)]
        suite, rows = judged_rows(name, [({}, c, 0, {"scores": t}) for c, t in zip(category, texts, strict=True)])
        scores = {score.name: score.estimate.value for score in suite.summary(rows)}
        assert scores[name] == pytest.approx(golden["overall"], rel=1e-9)
        assert scores[f"{name}/evalkit-1"] == scores[name]
        for each in names:
            assert scores[f"{name}/{each}"] == pytest.approx(golden["categories"][each.upper()], rel=1e-9)


def test_gedit_reads_and_scores_as_officially():
    for case in cases("gedit", "parse (first"):
        found = read("viescore", case["input"])
        assert (found is None) == (case["expected"] is False)
        assert found is None or (found == case["expected"]["score"] and min(found) == case["min"])
    assert read("viescore", "{score: 8, reasoning: fine}") == [8]
    for case in cases("gedit", "O"):
        assert (
            evaluate("sqrt(min(sc) * min(pq))", dict(zip(("sc", "pq"), case["input"], strict=True))) == case["expected"]
        )
    golden = SECTION_I["viescore"]
    items = [
        ({}, r["task"], 0, {k: json.dumps({"score": r[n]}) for k, n in (("sc", "SC"), ("pq", "PQ"))})
        for r in golden["rows"]
    ]
    suite, rows = judged_rows("gedit", items)
    assert values(rows, "overall") == pytest.approx([row["O"] for row in golden["rows"]], rel=1e-9)
    scores = {score.name: score.estimate.value for score in suite.summary(rows)}
    macro = [scores["gedit/consistency"], scores["gedit/quality"], scores["gedit"]]
    assert macro == pytest.approx(golden["macro"], rel=1e-9)
    assert macro != pytest.approx(golden["micro_not_official"], rel=1e-3)
    for task, means in golden["per_task"].items():
        assert scores[f"gedit/{task}"] == pytest.approx(means[2], rel=1e-9)
    even = [evaluate("balance(a, b)", dict(zip("ab", row["SC"], strict=True))) for row in golden["rows"]]
    assert even == pytest.approx(golden["balance_harmonic_VAREdit"], rel=1e-9)


def test_imgedit_reads_and_rounds_as_officially():
    for case in cases("imgedit", "item"):
        _, rows = judged_rows("imgedit", [({}, "add", 0, {"scores": case["input"]})])
        assert rows[0].score == case["expected"]
    (case,) = cases("imgedit", "types")
    texts = {4.33: "a: 4\nb: 4\nc: 5", 3.0: "a: 3", 5.0: "a: 5"}
    items = [
        ({}, case["input"]["types"][n]["edit_type"], 0, {"scores": texts[v]})
        for n, v in case["input"]["scores"].items()
    ]
    suite, rows = judged_rows("imgedit", items)
    assert headline(suite, rows) == pytest.approx(
        case["expected_kit"]["Overall"], abs=0.006
    )  # the kit rounds once more
    assert headline(suite, rows) == (case["expected_official"]["add"] + case["expected_official"]["style"]) / 2


def test_tiif_reads_as_officially():
    for case in cases("tiif", "extract"):
        text, n = case["input"]["text"], case["input"]["n"]
        _, rows = judged_rows("tiif-short", [({"yn_answer_list": ["yes"] * n}, "text", 0, {"answers": text})])
        lost = isinstance(case["expected"], dict)
        assert (rows[0].state == "answered") == (not lost)
        assert lost or read("tiif", text) == case["expected"]


def test_tiif_pools_questions_of_a_type_and_averages_groups():
    asked = [("text", 1, "yes"), ("text", 3, "yes\nyes\nno"), ("style", 1, "no"), ("2d_spatial_relation", 1, "yes")]
    items = [({"yn_answer_list": ["yes"] * n}, kind, 0, {"answers": text}) for kind, n, text in asked]
    suite, rows = judged_rows("tiif-short", items)
    assert headline(suite, rows) == pytest.approx((0.75 + 0 + 1) / 3)


def test_geneval2_takes_geometric_and_arithmetic_means():
    for case in cases("geneval2", "prompt"):
        for name, formula in (("AM", "mean(atoms)"), ("GM", "gmean(atoms)")):
            assert evaluate(formula, {"atoms": case["input"]}) == pytest.approx(case["expected"][name], rel=1e-9)


def test_rise_reads_and_scores_as_officially():
    for case in cases("risebench", "extract"):
        assert read("risebench", case["input"]) == case["expected"]
    for case in cases("risebench", "frame"):
        column = "without" not in case["fn"]
        items = [rise_item(row, column) for row in case["input"]]
        _, rows = judged_rows("risebench", items)
        for row, score, complete in zip(rows, case["expected_score"], case["expected_complete_official"], strict=True):
            if row.state == "answered":
                assert row.values["score"] / 25 + 1 == pytest.approx(score, rel=1e-9)
            assert (row.values.get("accuracy") or 0) == complete


def rise_item(row, column):
    logical, free = row["category"] == "logical_reasoning", bool(row.get("consistency_free"))
    fields = {"free": free, "logical": logical, "free_column": column, "with_source": False}
    named = {"consistency": "ApprConsistency", "reasoning": "Reasoning", "quality": "VisualPlausibility"}
    texts = {}
    for name, key in named.items():
        value = row[key]
        value = value if value is None or not logical else (value - 1) / 4  # logical items are judged 0 or 1
        texts[name] = "no idea" if value is None else f"**Final Score:** **{value:g}**"
    return fields, row["category"], 0, texts


def test_longtext_counts_words_and_characters_as_officially():
    for script in ("en", "zh"):
        for case in cases("longtext", script):
            wanted, text = case["input"]
            assert recalled([wanted], text, script) == (case["expected"]["match"], case["expected"]["gt"])
    pairs = [case["input"] for case in cases("longtext", "en")]
    total = [({"text": [wanted]}, "sign", 0, {"ocr": text}) for wanted, text in pairs[:3]]
    suite, rows = judged_rows("longtext-en", total)
    assert headline(suite, rows) == pytest.approx((2 + 2 + 1) / 6)


def test_kris_reads_as_officially():
    for case in cases("krisbench", "consistency"):
        assert read("kris-consistency", case["input"]) == case["expected"]
    for case in cases("krisbench", "dual"):
        found = read("kris-dual", case["input"])
        assert {f"{name}_score": value for name, value in found.items()} == case["expected"]


def test_dependencies_zero_as_each_benchmark_does():
    for case in json.loads((DATA / "dpg_dsg_oneig_dependency.json").read_text())["cases"]:
        given = case["input"]
        order = list(given["answers"])
        parents = [[order.index(str(p)) for p in given["dependency"][child] if p != 0] for child in order]
        exact = [float(text == "yes") for text in given["answers"].values()]
        assert evaluate("mean(cascade(a, p))", {"a": exact, "p": parents}) == pytest.approx(
            case["ella_dpg_in_place_cascade"]
        )
        assert evaluate("mean(dependent(a, p))", {"a": exact, "p": parents}) == pytest.approx(
            case["dsg_official_no_cascade"]
        )


def test_dpg_scores_and_categories_are_the_official_ones():
    golden, items = SECTION_I["dpg"], []
    for number, row in enumerate(golden["rows"]):
        order = [str(q) for q in row["question_order"]]
        names = [row["tuple"][q].split("(")[0].strip() for q in order]
        fields = {
            "id": number,
            "questions": order,
            "parents": [[order.index(str(p)) for p in row["dependency"][q] if p != 0] for q in order],
            "categories": [name.split("-")[0].strip() for name in names],
            "details": [name if "-" in name else "" for name in names],
        }
        crops = len(row["crop_scores"])
        for crop in range(crops):
            sample = 3 if crop == crops - 1 else crop
            items.append(
                (fields, "all", sample, {f"answers/{i}": row["answers"][q][crop] for i, q in enumerate(order)})
            )
    suite, rows = judged_rows("dpg", items)
    by_item = {}
    for row in rows:
        by_item.setdefault(row.prompt, []).append(row.score)
    for number, row in enumerate(golden["rows"]):
        assert by_item[str(number)] == pytest.approx(row["crop_scores"], rel=1e-9)
    assert 100 * fmean(map(fmean, by_item.values())) == pytest.approx(golden["dpg_score_x100"], rel=1e-9)
    scores = {score.name.removeprefix("dpg/"): 100 * score.estimate.value for score in suite.summary(rows)}
    for name, value in {**golden["L1"], **golden["L2"]}.items():
        assert scores[name] == pytest.approx(value, rel=1e-9)


def test_corebench_reads_and_averages_as_officially():
    for case in cases("t2i_corebench", "parse Gemini"):
        assert read("corebench", case["input"]) == case["expected"]
    (case,) = cases("t2i_corebench", "aggregate")
    words = {1: "yes", 0: "no", "": "perhaps"}
    items = [
        (
            {"Checklist": [{"question": str(i)} for i in range(len(row))]},
            "C-MI",
            0,
            {f"answers/{i}": words[a] for i, a in enumerate(row)},
        )
        for row in case["input"]
    ]
    suite, rows = judged_rows("t2i-corebench", items)
    assert [row.score if row.score is not None else "" for row in rows] == case["expected"]["image_score"]
    assert headline(suite, rows) == pytest.approx(case["expected"]["mean_score"])


def test_genexam_scores_points_as_officially():
    items = []
    for case in cases("genexam", "item"):
        given = case["input"]
        text = json.dumps({"answers": given["answers"], "global_evaluation": given["global_evaluation"]})
        items.append(
            (
                {"weights": [each["score"] for each in given["scoring_points"]]},
                "A",
                0,
                {"reply": f"```json\n{text}\n```"},
            )
        )
    _, rows = judged_rows("genexam", items)
    for row, case in zip(rows, cases("genexam", "item"), strict=True):
        assert row.values["strict"] == case["expected"]["strict_score"]
        assert row.values["relaxed"] == pytest.approx(case["expected"]["relaxed_score"])
