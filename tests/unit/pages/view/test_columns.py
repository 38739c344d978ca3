import datetime
import json

import numpy as np
import pyarrow as pa
import pytest

from evalkit.pages.view.columns import columns

INF = float("inf")


def by_name(table):
    return {each.name: each for each in columns(table)}


def test_numbers_keep_seven_digits_and_say_infinity_in_words():
    table = pa.table({"id": ["a"] * 5, "psnr": [1 / 3, INF, -INF, float("nan"), 1.7e308]})
    psnr = by_name(table)["psnr"]
    assert psnr.values == [0.3333333, "inf", "-inf", None, "inf"]
    assert (psnr.kind, psnr.label, psnr.better) == ("number", "PSNR", "higher")
    assert psnr.about == "peak signal-to-noise ratio, dB"


@pytest.mark.parametrize("kind", [pa.int8(), pa.int64(), pa.float32(), pa.float64(), pa.decimal128(25, 2)])
def test_every_number_type_is_a_number(kind):
    found = by_name(pa.table({"id": ["a", "b"], "x": pa.array([1, None], pa.int64()).cast(kind)}))["x"]
    assert (found.kind, found.values) == ("number", [1, None])


def test_big_integers_stay_exact():
    assert by_name(pa.table({"id": ["a"], "seed": [2**31 - 1]}))["seed"].values == [2**31 - 1]


def test_verdicts_are_flags_and_structures_are_text():
    day = datetime.datetime(2026, 11, 23)
    table = pa.table(
        {
            "id": ["a", "b"],
            "correct": [True, None],
            "boxes": [[1, 2], None],
            "day": [day, None],
            "raw": [b"\xff<b>", None],
            "kind": pa.array(["x", "y"]).dictionary_encode(),
        }
    )
    found = by_name(table)
    assert (found["correct"].kind, found["correct"].values) == ("flag", [True, None])
    assert found["boxes"].values == ["[1, 2]", None]
    assert found["day"].values == ["2026-11-23 00:00:00", None]
    assert found["raw"].values == ["\\xff<b>", None]
    assert found["kind"].values == ["x", "y"]


def test_columns_without_a_value_are_left_out_but_never_the_id():
    table = pa.table({"id": pa.array([None], pa.string()), "psnr": pa.array([None], pa.float64())})
    assert list(by_name(table)) == ["id"]


def test_all_columns_are_json():
    rng = np.random.default_rng(0)
    table = pa.table(
        {"id": ["a\ud800"[:1] + "\u202e<b>"] * 9, "x": rng.normal(size=9), "day": [datetime.date.today()] * 9}
    )
    json.dumps([each.as_dict() for each in columns(table)], allow_nan=False)
