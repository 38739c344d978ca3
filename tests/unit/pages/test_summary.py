from evalkit.pages.provenance import facts, protocol_differences, speed
from evalkit.pages.summary import First, headlines, summary, verdict
from evalkit.text import as_float, day_text, number_text

ROW = ("evalkit-1", "reconstruction", "sample/photos", "psnr")


def test_the_first_is_marked_where_all_that_was_measured_was_ranked_with_it(make_run):
    runs = [make_run(name) for name in "abc"]
    marked = {row.key: row.best for row in summary(runs, {ROW: First(1, frozenset({0, 1, 2}))})}
    assert marked[ROW] == 1
    assert {best for key, best in marked.items() if key != ROW} == {None}
    assert {row.best for row in summary(runs, {ROW: First(1, frozenset({0, 1}))})} == {None}
    runs[2].results[0] |= {"status": "unavailable", "value": None}
    assert {row.key: row.best for row in summary(runs, {ROW: First(1, frozenset({0, 1}))})}[ROW] == 1


def test_headlines_take_the_largest_part_so_that_an_easy_one_does_not_stand_for_all(make_run):
    run = make_run()
    text = next(r for r in run.results if r["metric"] == "cer_truth")
    run.results.append({**text, "dataset": "sample/text-hard", "n": 99, "value": 0.9})
    shown = {row.key[3]: row.key[2] for row in headlines(summary([run]))}
    assert shown["cer_truth"] == "sample/text-hard"
    assert "lpips_alex" not in shown


def test_verdict_claims_no_winner_where_none_is_known(make_run):
    runs = [make_run("a"), make_run("b")]
    said = verdict(runs, summary(runs))
    assert said.startswith("2 runs on the same 8 images of sample")
    assert said.endswith("in PSNR on sample/photos no run is first at 95 % confidence.")


def test_facts_leave_out_what_the_record_does_not_say(make_run):
    run = make_run(record={"seed": None, "environment": {}, "timings": {}})
    terms = {fact.term for fact in facts(run)}
    assert {"command", "model", "weights", "data"} <= terms
    assert not {"seed", "environment", "packages", "source"} & terms
    assert speed(run) == ""


def test_facts_name_what_surprises(make_run):
    record = {
        "model": {"name": "m", "weights_sha256": None, "deterministic": False, "device": "cuda", "dtype": "float32"},
        "environment": {"git": {"commit": "abc", "dirty": True}, "gpu": "A GPU", "cuda": "12.8", "packages": {}},
        "judges": {"weights": {"ocr": None, "fid": "f" * 64}},
        "protocols": [{"id": "p", "title": "P", "misfed": True, "side": 256}],
    }
    said = " ".join(f"{fact.term} {fact.value}" for fact in facts(make_run(record=record)))
    for part in (
        "none needed",
        "stochastic",
        "uncommitted",
        "CUDA 12.8",
        "ocr; fid ffff",
        "another value range",
        "256 px",
    ):
        assert part in said


def test_equal_protocols_do_not_differ():
    assert protocol_differences([{"id": "a", "x": {"y": 1}}, {"id": "b", "x": {"y": 1}}]) == []


def test_numbers_are_read_as_results_json_writes_them():
    assert [as_float(v) for v in ("inf", "-inf", "x", None, True, float("nan"), 3)] == [
        float("inf"),
        float("-inf"),
        None,
        None,
        None,
        None,
        3.0,
    ]
    assert [number_text(v) for v in (1e-9, 3.2e9, -0.5, "-inf")] == ["1.00e−09", "3.20e+09", "−0.5000", "−∞"]


def test_a_record_without_a_date_has_no_day():
    assert day_text({}) == ""
    assert day_text({"created": "2026-02-01"}) == "1 February 2026"
