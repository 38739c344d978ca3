import numpy as np
import pytest

from evalkit.errors import EvalkitError
from evalkit.stats.multiplicity import benjamini_hochberg, benjamini_yekutieli, holm


@pytest.mark.parametrize(
    ("mine", "name"), [(holm, "holm"), (benjamini_hochberg, "fdr_bh"), (benjamini_yekutieli, "fdr_by")]
)
def test_adjusted_p_values_are_those_of_statsmodels(mine, name):
    peer = pytest.importorskip("statsmodels.stats.multitest")
    p = np.random.default_rng(0).random(40) ** 3
    p[3] = p[7]
    np.testing.assert_allclose(mine(p), peer.multipletests(p, method=name)[1], rtol=1e-12)


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg, benjamini_yekutieli])
def test_adjusting_never_lowers_and_keeps_the_order(adjust):
    p = np.random.default_rng(1).random(25)
    adjusted = adjust(p)
    assert np.all(adjusted >= p)
    assert np.all(np.diff(adjusted[np.argsort(p)]) >= 0)
    assert adjust([]).tolist() == []


def test_what_is_no_p_value_is_refused():
    with pytest.raises(EvalkitError, match="between 0 and 1"):
        holm([0.5, np.nan])
