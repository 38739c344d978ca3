import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from evalkit.metrics.codes import code_use, perplexity, used_share


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=50).filter(any))
def test_perplexity_lies_between_one_and_the_number_of_used_codes(counts):
    tally = np.array(counts)
    assert 1 - 1e-9 <= perplexity(tally) <= (tally > 0).sum() + 1e-9


def test_code_use_of_a_uniform_user():
    found = code_use(np.array([2, 2, 0, 0]), pictures=1)
    assert found["codes_used"].value == used_share(np.array([2, 2, 0, 0])) == 0.5
    assert abs(found["code_perplexity"].value - 2) < 1e-12
    assert found["codes_used"].low is None
