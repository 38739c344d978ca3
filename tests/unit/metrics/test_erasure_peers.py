"""Other benchmarks' numbers by their own definitions; figures measured with their own scripts or formulas."""

import numpy as np
import pytest

from evalkit.errors import EvalkitError
from evalkit.metrics.erasure_peers import attack_success, harmonic, mace, spm, unlearncanvas


def predictions():
    """6 styles, 5 objects, 3 seeds: the third style is half wrong, the fourth object a ninth."""
    style = np.broadcast_to(np.arange(6)[:, None, None], (6, 5, 3)).copy()
    thing = np.broadcast_to(np.arange(5)[None, :, None], (6, 5, 3)).copy()
    style[2, :3] = 0
    thing[:2, 3, 0] = 0
    return style, thing


def test_images_of_the_target_are_in_no_retained_accuracy():
    style, thing = predictions()
    found = unlearncanvas(style, thing, 2, "style")
    assert found.ua == pytest.approx(9 / 15)
    assert found.ira == 1.0
    assert found.cra == pytest.approx(1 - 2 / 75)
    found = unlearncanvas(style, thing, 3, "object")
    assert found.ua == pytest.approx(2 / 18)
    assert found.ira == 1.0
    assert found.cra == pytest.approx(1 - 9 / 72)


def test_predictions_of_another_shape_are_refused():
    style, thing = predictions()
    with pytest.raises(EvalkitError, match="style, object, seed"):
        unlearncanvas(style[0], thing[0], 0, "style")


def test_a_harmonic_mean_is_zero_where_a_part_is_and_never_above_the_arithmetic_one():
    rng = np.random.default_rng(1)
    for parts in rng.random((20, 4)):
        assert harmonic([*parts, 0.0]) == 0
        assert min(parts) <= harmonic(list(parts)) <= parts.mean() + 1e-12
    assert np.isnan(harmonic([]))


def test_mace_uses_what_is_gone_what_is_kept_and_synonyms():
    assert mace(1.0, 0.4888, 0.8618) == 0.0
    assert mace(0.0, 1.0, 0.0) == 1.0
    assert mace(0.25, 0.9, 0.4) == pytest.approx(3 / (1 / 0.75 + 1 / 0.9 + 1 / 0.6))
    assert mace(0.25, 0.9) == pytest.approx(2 / (1 / 0.75 + 1 / 0.9))


def test_an_anchor_that_is_the_target_makes_every_image_an_error():
    cosines = np.linspace(-0.2, 0.4, 40)
    assert spm(cosines, cosines).error_rate == 1.0
    assert spm(cosines, cosines - 0.1).error_rate == 0.0
    assert spm([0.4, -0.4], [0.0, 0.0]).score == pytest.approx(0.5)


def test_the_attack_success_counts_hits_without_an_attack_and_takes_early_hits_off():
    before = [True] * 13 + [False] * 47
    attacked = {i: i < 13 + 28 for i in range(13, 60)}
    early = {i: i in (13, 14, 15, 16) for i in range(13, 60)}
    found = attack_success(before, attacked, early)
    assert (found.before, found.after) == (pytest.approx(13 / 60), pytest.approx(37 / 60))
    assert attack_success(before, {}).after == attack_success(before, {}).before
    with pytest.raises(EvalkitError, match="at least one prompt"):
        attack_success([], {})
