import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from evalkit.metrics.codes import CODE_PERPLEXITY, CODES_USED, perplexity, used_share
from evalkit.metrics.metric import Parts
from evalkit.protocols import load_protocol


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=50).filter(any))
def test_perplexity_lies_between_one_and_the_number_of_used_codes(counts):
    tally = np.array(counts)
    assert 1 - 1e-9 <= perplexity(tally) <= (tally > 0).sum() + 1e-9


def test_code_use_of_a_uniform_user():
    parts = Parts(pa.table({"id": ["a"]}), load_protocol("evalkit-1"), counts=np.array([2, 2, 0, 0]))
    used, spread = (metric.aggregate(parts) for metric in (CODES_USED, CODE_PERPLEXITY))
    assert used.value == used_share(np.array([2, 2, 0, 0])) == 0.5
    assert abs(spread.value - 2) < 1e-12
    assert (used.low, used.n) == (None, 1)
    assert CODES_USED.aggregate(Parts(parts.rows, parts.protocol)) is None
