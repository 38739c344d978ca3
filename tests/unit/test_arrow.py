"""Arrow columns without pandas are those that pyarrow makes."""

import math
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from evalkit.arrow import array, equal, numbers, table_of_rows

FLAT = [
    (["a", None, "ü", "", "a\0b"], pa.string()),
    (["a", "b"], pa.string()),
    (["a", b"b"], pa.string()),
    ([1.5], pa.int32()),
    ([1.5, None, math.nan, -math.inf, np.float32(0.1)], pa.float64()),
    ([1, 2.5, None], pa.float64()),
    ([3, None, -7] * 5, pa.int32()),
    ([2**53 + 1, None], pa.int64()),
    ([True, None, False], pa.bool_()),
    ([[1, 2], None], pa.list_(pa.int64())),
    ([None, None], pa.string()),
    ([], pa.float64()),
]
WRONG = [
    (["\ud800"], pa.string(), UnicodeEncodeError),
    ([3], pa.string(), pa.ArrowException),
    ([2**31], pa.int32(), pa.ArrowException),
    (["1"], pa.float64(), pa.ArrowException),
]


@pytest.mark.parametrize(("values", "kind"), FLAT)
def test_plain_values_make_the_array_that_pyarrow_makes(values, kind):
    made = array(values, kind)
    made.validate(full=True)
    assert made.type == kind
    assert made.is_valid().to_pylist() == [value is not None for value in values]
    assert repr(made.to_pylist()) == repr(pa.array(values, kind).to_pylist())


@pytest.mark.parametrize(("values", "kind", "error"), WRONG)
def test_values_that_pyarrow_refuses_are_refused(values, kind, error):
    with pytest.raises(error):
        array(values, kind)


def test_rows_lack_what_they_do_not_name_and_carry_nothing_else():
    schema = pa.schema([("a", pa.string()), ("b", pa.float64())])
    table = table_of_rows(iter([{"b": 1.0, "c": 3}, {"a": "x"}]), schema)
    assert table.schema == schema
    assert table.to_pylist() == [{"a": None, "b": 1.0}, {"a": "x", "b": None}]


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32(), pa.int32(), pa.int64(), pa.bool_()])
def test_numbers_are_those_of_numpy_over_any_pieces(kind):
    whole = pa.array([1, None, 0, 1, None, 0, 1], pa.int32()).cast(kind)
    column = pa.chunked_array([whole.slice(1, 3), whole.slice(0, 0), whole.slice(4)])
    wanted = [math.nan if each is None else float(each) for each in column.to_pylist()]
    np.testing.assert_array_equal(numbers(column), wanted)
    assert numbers(column).flags.writeable
    assert numbers(pa.chunked_array([], kind)).shape == (0,)


def test_a_text_equals_itself_and_no_null():
    column = pa.chunked_array([["a", None], ["b", "a"]])
    assert equal(column, "a").to_pylist() == [True, None, False, True]
    assert equal(column, "").to_pylist() == pc.equal(column, "").to_pylist()


def test_no_pandas_is_loaded():
    code = """
import sys, pyarrow as pa
from evalkit.arrow import equal, numbers, table_of_rows
table = table_of_rows([{"a": "x", "b": 1.0}, {"a": "y"}], pa.schema([("a", pa.string()), ("b", pa.float64())]))
table = table.filter(equal(table["a"], "x"))
print(numbers(table["b"]), "pandas" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[1.] False"
