"""How many images a client may ask about: a bucket for each that fills with time. A detector is an oracle for removal."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable

from evalkit.errors import EvalkitError

MOST_CLIENTS = 100_000  # that are remembered; who has not asked for the longest is forgotten first


class Limits:
    """`rate` images a minute for each client, up to `burst` at once; for one thread."""

    def __init__(
        self, rate: float, burst: int, *, most: int = MOST_CLIENTS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if not (0 < rate < math.inf and burst >= 1):
            raise EvalkitError(f"a client may ask for more than 0 images a minute; {rate:g} and {burst} given")
        self.rate, self.burst, self._most, self._clock = rate / 60, burst, most, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # images left, at that time

    def take(self, client: str, images: int = 1) -> float:
        """0 where the client may ask about so many images now, and they are counted; else the seconds to wait."""
        now = self._clock()
        left, then = self._buckets.pop(client, (float(self.burst), now))
        left = min(self.burst, left + (now - then) * self.rate)
        wait = max(0.0, images - left) / self.rate
        self._buckets[client] = (left if wait else left - images, now)
        while len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return wait


def client_of(host: str | None) -> str:
    """Who counts as one client: an address, of IPv6 its network of 64 bits.

    >>> client_of("2001:db8::1") == client_of("2001:db8::2")
    True
    """
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped or ipaddress.ip_network((address, 64), strict=False))
    return str(address)
