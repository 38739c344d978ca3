import math

import pytest

from evalkit.errors import EvalkitError
from evalkit.watermark.service.limits import Limits, client_of


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_bucket_empties_and_fills_with_time():
    clock = Clock()
    limits = Limits(60, 3, clock=clock)
    assert [limits.take("a") for _ in range(3)] == [0, 0, 0]
    assert limits.take("a") == pytest.approx(1.0)
    clock.now = 1.0
    assert limits.take("a") == 0
    assert limits.take("b", 3) == 0


def test_who_is_refused_pays_nothing_and_a_batch_beyond_the_burst_never_passes():
    clock = Clock()
    limits = Limits(60, 3, clock=clock)
    assert limits.take("a", 4) > 0
    assert limits.take("a", 3) == 0
    clock.now = 1e6
    assert limits.take("a", 4) > 0


def test_clients_are_forgotten_when_there_are_too_many():
    limits = Limits(1, 1, most=10)
    assert all(limits.take(str(number)) == 0 for number in range(1000))
    assert len(limits._buckets) == 10


def test_a_network_of_ipv6_is_one_client_and_odd_names_are_one():
    assert client_of("2001:db8::1") == client_of("2001:db8::ffff") != client_of("2001:db8:0:1::1")
    assert client_of("::ffff:10.0.0.1") == client_of("10.0.0.1")
    assert client_of(None) == client_of("testclient")


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (math.inf, 1), (1, 0)])
def test_limits_are_above_nothing(rate, burst):
    with pytest.raises(EvalkitError, match="more than 0"):
        Limits(rate, burst)
