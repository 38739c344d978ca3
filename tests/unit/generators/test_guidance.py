"""Laws of guidance: forms agree in the canonical scale, schedules stay in range, off is off."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from helpers.near import same
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import EvalkitError
from evalkit.generators.guidance import SCHEDULES, Form, Guidance

LAW = settings(deadline=None)  # machines under test may be busy
SHARE = st.floats(0.0, 1.0)
SCALE = st.floats(1.0, 20.0)
PAIR = st.integers(0, 10**6).map(lambda seed: torch.randn(2, 4, 9, generator=torch.Generator().manual_seed(seed)))


@LAW
@given(PAIR, SCALE)
def test_t_of_var_is_s_of_llamagen_less_one(pair: torch.Tensor, s: float) -> None:
    var, llamagen = Guidance("var", s - 1, schedule="constant"), Guidance("llamagen", s)
    assert var.at(0.5) == pytest.approx(llamagen.at(0.5))
    same(var.combine(pair[0], pair[1], 0.5), llamagen.combine(pair[0], pair[1], 0.5))


@LAW
@given(PAIR, st.sampled_from(get_args(Form)), SHARE)
def test_a_neutral_scale_leaves_the_conditional_branch(pair: torch.Tensor, form: Form, progress: float) -> None:
    guidance = Guidance(form, 0.0 if form in ("var", "flexvar") else 1.0)
    assert guidance.off
    assert guidance.at(progress) == 1.0
    same(guidance.combine(pair[0], pair[1], progress), pair[0])


@LAW
@given(st.sampled_from(sorted(SCHEDULES)), SHARE)
def test_schedules_give_a_share_of_the_strength(name: str, progress: float) -> None:
    assert -1e-9 <= SCHEDULES[name](progress) <= 1.0 + 1e-9


@LAW
@given(st.sampled_from(sorted(SCHEDULES)), SCALE, SHARE)
def test_scheduled_scales_lie_between_none_and_full(name: str, scale: float, progress: float) -> None:
    assert 1.0 - 1e-9 <= Guidance("llamagen", scale, schedule=name).at(progress) <= scale + 2e-4


@LAW
@given(SCALE, st.floats(1.0, 5.0))
def test_d_ar_goes_from_start_to_scale(scale: float, start: float) -> None:
    guidance = Guidance("d-ar", scale, start=start)
    if not guidance.off:
        assert guidance.at(0.0) == pytest.approx(start)
        assert guidance.at(1.0) == pytest.approx(scale)
        assert guidance.at(0.5) == pytest.approx((start + scale) / 2)


def test_a_window_moves_where_guidance_is_on() -> None:
    guidance = Guidance("llamagen", 3.0, schedule="rectangular", window=(0.4, 0.6))
    assert [guidance.at(p) > 2 for p in (0.1, 0.4, 0.5, 0.6, 0.7)] == [False, True, True, True, False]
    with pytest.raises(EvalkitError, match="rectangular and step"):
        Guidance("llamagen", 3.0, window=(0.4, 0.6))


def test_detailflow_scales_the_number_itself() -> None:
    guidance = Guidance("detailflow", 4.0, schedule="linear_re")
    assert [guidance.at(p) for p in (0.0, 0.5, 0.9)] == pytest.approx([4.0, 2.0, 0.4])


def test_an_interval_runs_out_after_its_tokens() -> None:
    guidance = Guidance("llamagen", 2.0, interval=3)
    assert [guidance.active(n) for n in (0, 3, 4)] == [True, True, False]
    assert Guidance("llamagen", 2.0, interval=-1).active(999)
    assert Guidance("llamagen", 2.0).active(999)


def test_an_unknown_schedule_is_named_with_those_that_exist() -> None:
    with pytest.raises(EvalkitError, match=r"'sigmoid'.*linear_re"):
        Guidance("llamagen", 2.0, schedule="sigmoid")


def test_records_hold_native_and_canonical_numbers() -> None:
    record = Guidance("var", 1.5).as_dict()
    assert record["scale"] == 1.5
    assert record["canonical"] == [1.0, 2.5]
