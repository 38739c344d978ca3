import numpy as np
import pytest
from scipy.stats import chi2_contingency, fisher_exact

from evalkit.errors import EvalkitError
from evalkit.judges.losses import loss_test


def told(**table):
    names = [name for name, (_, n) in table.items() for _ in range(n)]
    lost = [i < gone for gone, n in table.values() for i in range(n)]
    return names, lost


def test_two_categories_take_fisher_s_exact_test():
    found = loss_test(*told(people=(8, 40), objects=(1, 60)))
    assert found.p == pytest.approx(fisher_exact([[8, 32], [1, 59]])[1])
    assert found.test == "Fisher's exact test"
    assert found.table == {"people": (8, 40), "objects": (1, 60)}


def test_several_large_categories_take_the_chi_square_test():
    found = loss_test(*told(a=(30, 100), b=(10, 100), c=(12, 150)))
    assert found.p == pytest.approx(chi2_contingency([[30, 70], [10, 90], [12, 138]], correction=False).pvalue)
    assert "a 30 of 100, but c 12 of 150" in found.warning


def test_several_small_categories_are_shuffled():
    found = loss_test(*told(a=(3, 4), b=(0, 6), c=(0, 5)))
    assert "shuffles" in found.test
    exact = 4 / 455  # all three losses in the category of four: C(4,3) of C(15,3)
    assert found.p == pytest.approx(exact, abs=0.004)


def test_equal_losses_give_no_warning():
    assert loss_test(*told(a=(5, 50), b=(5, 50))).warning == ""


@pytest.mark.parametrize("table", [{"a": (3, 9)}, {"a": (0, 9), "b": (0, 9)}, {"a": (9, 9), "b": (4, 4)}])
def test_where_nothing_can_differ_p_is_1(table):
    assert (loss_test(*told(**table)).p, loss_test(*told(**table)).warning) == (1, "")


@pytest.mark.parametrize("sizes", [(40, 60), (8, 8, 8), (200, 300, 250)])
def test_false_warnings_are_at_most_nominal(sizes):
    rng = np.random.default_rng(2)
    names = [str(i) for i, n in enumerate(sizes) for _ in range(n)]
    warned = sum(bool(loss_test(names, (rng.random(len(names)) < 0.2).tolist(), level=0.1).warning) for _ in range(200))
    assert warned <= 30  # of 20 expected; 30 has p = .01


def test_lengths_that_differ_are_refused():
    with pytest.raises(EvalkitError, match="1 categories and 2 losses"):
        loss_test(["a"], [True, False])
