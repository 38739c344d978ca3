import numpy as np
import pytest

from evalkit.errors import EvalkitError
from evalkit.stats.units import units_of


def test_clusters_fold_sums_and_counts_and_leave_nan_out():
    units = units_of([1, 2, np.nan, 6], ["a", "a", "b", "b"])
    assert units.top.tolist() == [3, 6]
    assert units.bottom.tolist() == [2, 1]
    assert units.mean == 3
    assert units.word == "clusters"


def test_influence_sums_to_zero():
    rng = np.random.default_rng(0)
    units = units_of(rng.normal(size=60), rng.integers(0, 12, 60))
    assert units.influence.sum() == pytest.approx(0, abs=1e-12)


def test_clustered_standard_error_is_that_of_a_cluster_robust_regression():
    sm = pytest.importorskip("statsmodels.api")
    rng = np.random.default_rng(1)
    groups = rng.integers(0, 15, 90)
    values = rng.normal(size=90) + rng.normal(size=15)[groups]
    fit = sm.OLS(values, np.ones(90)).fit(cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False})
    mine = units_of(values, groups).standard_error
    count = len(np.unique(groups))
    assert mine * np.sqrt((count - 1) / count) == pytest.approx(float(fit.bse[0]), rel=1e-9)


def test_one_unit_has_no_standard_error_and_none_no_mean():
    assert np.isnan(units_of([1.0]).standard_error)
    assert np.isnan(units_of([np.nan]).mean)


def test_lengths_must_agree():
    with pytest.raises(EvalkitError, match="one cluster for each value"):
        units_of([1, 2], [1])
