import math

import numpy as np
import pyarrow as pa
import pytest

from evalkit.leaderboard.samples import SampleTable
from evalkit.stats.intervals import ratio_interval

ROW = {"task": "reconstruction", "dataset": "set", "metric": "psnr", "protocol": "evalkit-1", "n": 4}


def samples(columns, **more):
    n = len(next(iter(columns.values())))
    fixed = {"id": [f"s{i}" for i in range(n)], "protocol": ["evalkit-1"] * n, "error": pa.nulls(n, pa.string())}
    return SampleTable(pa.table(fixed | columns | more), "set")


def test_the_rows_that_give_the_number_again_are_its_samples():
    found = samples({"psnr": [1.0, 2.0, 3.0, 4.0]}).scores(ROW, 2.5)
    assert found.plain
    assert found.values.tolist() == [1, 2, 3, 4]
    assert found.ids.tolist() == ["s0", "s1", "s2", "s3"]


def test_rows_that_give_another_number_are_not_believed():
    assert samples({"psnr": [1.0, 2.0, 3.0, 4.0]}).scores(ROW, 2.6) is None
    assert samples({"psnr": [1.0, 2.0, 3.0, 4.0]}).scores(ROW | {"n": 3}, 2.5) is None
    assert samples({"psnr": [1.0, 2.0]}).scores(ROW, math.inf) is None
    assert samples({"ssim": [1.0, 2.0]}).scores(ROW, 1.5) is None
    assert samples({"psnr": ["a", "b"]}).scores(ROW, 1.5) is None


def test_subset_task_and_protocol_are_told_apart():
    table = samples(
        {"psnr": [1.0, 2.0, 3.0, 9.0]},
        subset=["a", "a", "b", "a"],
        task=["text", "text", "text", "text"],
        protocol=["evalkit-1", "evalkit-1", "evalkit-1", "other"],
    )
    row = ROW | {"dataset": "set/a", "task": "text", "n": 2}
    assert table.scores(row, 1.5).values.tolist() == [1, 2]
    assert table.scores(row | {"protocol": "other", "n": 1}, 9.0).values.tolist() == [9]


def test_one_script_of_a_subset_is_found():
    table = samples({"psnr": [1.0, 2.0, 3.0]}, subset=["a"] * 3, script=["Greek", "Latin", "Greek"])
    assert table.scores(ROW | {"dataset": "set/a[Greek]", "n": 2}, 2.0).ids.tolist() == ["s0", "s2"]


def test_failed_and_missing_rows_are_left_out():
    table = samples({"psnr": [1.0, None, 3.0, 7.0]}, error=[None, None, None, "unreadable"])
    assert table.scores(ROW | {"n": 2}, 2.0).ids.tolist() == ["s0", "s2"]


def test_a_corpus_rate_keeps_lengths_as_weights():
    texts = ["abcd", "ab", "abcdefgh"]
    edits, chars = np.array([1.0, 2.0, 0.0]), np.array([4.0, 2.0, 8.0])
    table = samples({"cer_truth": edits / chars}, text_truth=texts)
    found = table.scores(ROW | {"metric": "cer_truth", "n": 3}, 3 / 14)
    assert not found.plain
    assert found.values.tolist() == [1, 2, 0]
    wanted = ratio_interval(edits, chars)
    assert found.units.mean == pytest.approx(wanted.value)


def test_word_recall_of_a_text_without_words_counts_nothing():
    table = samples({"word_recall_truth": [0.5, 1.0]}, text_truth=["two words", ""])
    found = table.scores(ROW | {"metric": "word_recall_truth", "n": 2}, 0.5)
    assert found.values.tolist() == [1, 0]


def test_psnr_of_the_pooled_error_is_a_function_of_the_mean_error():
    errors = np.array([0.01, 0.03])
    table = samples({"psnr": [20.0, 15.2]}, mse=errors, target_low=[0.0, 0.0], target_high=[1.0, 0.9])
    value = -10 * math.log10(0.02)
    found = table.scores(ROW | {"n": 2}, value)
    assert found.values.tolist() == errors.tolist()
    step = 1e-6
    slope = (-10 * math.log10(0.02 + step) + 10 * math.log10(0.02 - step)) / (2 * step)
    assert found.gradient == pytest.approx(slope, rel=1e-6)


def test_prompts_with_several_images_are_clusters_and_single_ones_are_not():
    row = ROW | {"metric": "correct"}
    table = samples({"correct": [True, False, True, True]}, prompt_id=["p", "p", "q", "q"])
    found = table.scores(row, 0.75)
    assert found.binary
    assert found.units.count == 2
    assert found.names.tolist() == ["p", "q"]
    assert samples({"correct": [1, 0, 1, 1]}, prompt_id=list("pqrs")).scores(row, 0.75).clusters is None
    assert samples({"correct": [1, 0, 1, 1]}, prompt_id=["p", "p", None, "q"]).scores(row, 0.75).clusters is None


def test_the_digest_is_that_of_the_ids():
    one, two = (samples({"psnr": [1.0, 3.0]}, id=ids).scores(ROW | {"n": 2}, 2.0) for ids in (["a", "b"], ["a", "c"]))
    assert one.digest != two.digest
