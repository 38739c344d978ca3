from evalkit.metrics.metric import Parts
from evalkit.protocols import load_protocol
from evalkit.tasks.tokenizer.rows import table
from evalkit.tasks.tokenizer.texts import text_results

PROTOCOL = load_protocol("evalkit-1")


def rows(*texts):
    return table(
        {"id": str(i), "text_truth": truth, "text_original": truth, "text_reconstruction": found, "script": script}
        for i, (script, truth, found) in enumerate(texts)
    )


def test_rates_are_also_given_for_each_script_where_there_are_several():
    part = rows(("Latin", "one two", "one two"), ("Devanagari", "\u0928\u092e", "\u0928x"), ("Han", "\u4f60\u597d", ""))
    found = {(r.dataset, r.metric): r for r in text_results("set", Parts(part, PROTOCOL), None)}
    assert found["set", "cer_truth"].n == 3
    assert found["set[Latin]", "cer_truth"].value == 0.0
    assert found["set[Devanagari]", "cer_truth"].value == 0.5
    assert found["set[Han]", "cer_truth"].value == 1.0
    assert ("set[Latin]", "wer_truth") in found
    assert ("set[Han]", "wer_truth") not in found
    assert ("set[Han]", "word_recall_truth") not in found


def test_one_script_needs_no_rows_of_its_own():
    part = rows(("Latin", "one", "one"), ("Latin", "two", "tow"), (None, "12", "12"))
    assert {r.dataset for r in text_results("set", Parts(part, PROTOCOL), None)} == {"set"}


def test_a_missing_reader_is_a_row_with_its_reason():
    found = list(text_results("set", Parts(rows(), PROTOCOL), "no reader here"))
    assert [(r.metric, r.status, r.reason) for r in found] == [
        ("cer_truth", "unavailable", "no reader here"),
        ("cer_original", "unavailable", "no reader here"),
    ]


def test_originals_in_which_nothing_was_read_are_called_so():
    rows = [{"task": "text", "text_truth": "Привет", "text_original": "", "text_reconstruction": ""}]
    results = list(text_results("d", Parts(table(rows), load_protocol("evalkit-1")), None))
    found = {row.metric: row for row in results}
    assert found["cer_truth"].value == 1
    assert found["cer_original"].status == "unavailable"
    assert "no text in these originals" in found["cer_original"].reason
