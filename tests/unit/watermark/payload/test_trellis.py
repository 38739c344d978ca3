"""The code of messages: its decoder is exhaustive search, its sums are sums over all messages, and it meets its bound."""

import numpy as np
import pytest

from evalkit.watermark.payload.capacity import message_table, read_chance
from evalkit.watermark.payload.trellis import Trellis, agreement, best_message, log_sum
from evalkit.watermark.power import MarkPlan


def coins(bits, count, seed):
    rng, trellis = np.random.default_rng(seed), Trellis(bits)
    windows = trellis.windows(rng.random(count))
    masks = rng.integers(1, 1 << trellis.span, count)
    return trellis, windows, masks, rng


def shown(trellis, windows, masks, message):
    part = np.array([(message >> int(shift)) & ((1 << trellis.span) - 1) for shift in trellis.shifts])
    return np.bitwise_count(part[windows] & masks).astype(np.int64) & 1


@pytest.mark.parametrize("bits", [8, 12, 16, 20])
def test_the_best_message_is_that_of_exhaustive_search(bits):
    for seed in range(4):
        trellis, windows, masks, rng = coins(bits, 40, seed)
        signs = rng.choice([-1, 1], 40)
        metrics = trellis.metrics(windows, masks, signs)
        every = np.arange(1 << bits, dtype=np.uint64)
        leads = agreement(trellis, metrics, every)
        message, lead = best_message(metrics)
        assert lead == leads.max() == leads[message]
        some = int(rng.integers(1 << bits))
        assert leads[some] == (signs * (1 - 2 * shown(trellis, windows, masks, some))).sum()
        for slope in (0.1, 1.5):
            assert log_sum(metrics, slope) == pytest.approx(np.log(np.exp(slope * leads.astype(float)).sum()), rel=1e-9)


@pytest.mark.parametrize(("bits", "count", "wrong"), [(16, 64, 0.1), (32, 96, 0.05), (64, 200, 0.08)])
def test_messages_are_read_about_as_often_as_the_bound_promises(bits, count, wrong):
    right, tries = 0, 40
    for seed in range(tries):
        trellis, windows, masks, rng = coins(bits, count, seed)
        message = int.from_bytes(rng.bytes(8), "big") >> (64 - bits)
        flips = rng.random(count) < wrong
        signs = 1 - 2 * (shown(trellis, windows, masks, message) ^ flips)
        right += best_message(trellis.metrics(windows, masks, signs))[0] == message
    assert right / tries > read_chance(bits, count * 4 // 3, 1 - wrong) - 0.12


def test_windows_cover_every_bit_and_ends_get_more_coins():
    trellis = Trellis(64)
    assert trellis.shifts.tolist() == list(range(48, -1, -4))
    counts = np.bincount(trellis.windows(np.linspace(0, 1, 17_000, endpoint=False)))
    assert len(counts) == 13
    assert counts[0] == pytest.approx(3 * counts[5], rel=0.01)
    assert counts[-1] == pytest.approx(counts[0], rel=0.01)


def test_plans_need_more_codes_for_longer_messages_and_noisier_ways():
    plans = [MarkPlan(2, match=match) for match in (1.0, 0.7)]
    short, long = message_table(plans, 16, 256), message_table(plans, 64, 256)
    assert [row.needed for row in short] < [row.needed for row in long]
    assert short[0].needed < short[1].needed
    for row in (*short, *long):
        assert read_chance(row.bits, row.needed, row.plan.green) >= 0.9
        assert read_chance(row.bits, row.needed - 1, row.plan.green) < 0.9
    assert long[1].read < 0.1 < 0.8 < long[1].present  # pilots say that something is there
