"""The bootstrap over prompts, and influences on functions of sums."""

import numpy as np
import pytest

from evalkit.stats.corrected import Operating, rogan_gladen
from evalkit.stats.resampled import influences, percentiles, resampled_sums

N = np.array([4, 2, 4, 2, 5, 3, 5, 1, 1, 6, 1, 1, 4, 2, 5, 3, 5, 1, 1, 1, 2, 3, 3, 3, 4], float)
HITS = np.array([1, 0, 1, 1, 0, 2, 0, 1, 0, 0, 0, 0, 1, 2, 5, 2, 2, 1, 0, 1, 1, 2, 0, 0, 3], float)


def test_the_percentile_interval_over_clusters_is_that_of_the_stated_generator():
    rng = np.random.Generator(np.random.PCG64(12346))
    sums = resampled_sums(np.stack([HITS, N, HITS / N], 1), 2000, rng)
    assert percentiles(sums[:, 0] / sums[:, 1]) == pytest.approx((0.21737318840579709, 0.532284946236559), rel=1e-9)


def test_strata_keep_their_sizes():
    strata = np.repeat(["a", "b"], [10, 15])
    sizes = resampled_sums(np.eye(2)[(strata == "b").astype(int)], 50, np.random.default_rng(0), strata)
    assert (sizes == [10, 15]).all()


def test_no_number_gives_no_interval():
    assert percentiles(np.array([np.nan])) is None


def test_influences_of_a_ratio_sum_to_zero_and_give_its_standard_error():
    columns = np.stack([HITS, N], 1)
    found = influences(lambda s: s[..., 0] / s[..., 1], columns)
    assert found.sum() == pytest.approx(0, abs=1e-9)
    expected = (HITS - HITS.sum() / N.sum() * N) / N.sum()
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-9)


@pytest.mark.parametrize(("share", "expected"), [(0.3, 0.2941176470588235), (0.0, 0.0), (1.0, 1.0)])
def test_corrected_rates_stay_shares(share, expected):
    assert rogan_gladen(share, Operating(0.9, 0.95)) == pytest.approx(expected, rel=1e-9)


def test_a_detector_that_tells_nothing_apart_corrects_nothing():
    assert rogan_gladen(0.3, Operating(0.4, 0.6)) is None
