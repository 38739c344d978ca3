"""Keys and values kept by budget, one for each of two classes of heads (HACK, arXiv 2504.09261).

Contextual heads look at the same few keys from everywhere: they keep those that drew most attention so far. Structural
heads look where the query stands: they keep the first two scales and the newest one, and of the rest those that drew most.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from evalkit.generators.nets.next_scale import Cache, Seen

FIRST = 2  # scales that structural heads never give up while there is room


@dataclass(frozen=True)
class Held:
    """Keys and values [B, h, n, D], the attention that each drew so far [B, h, n], and its position in the sequence."""

    k: Tensor
    v: Tensor
    mass: Tensor
    places: Tensor

    @property
    def size(self) -> int:
        """Bytes of all four."""
        return sum(each.numel() * each.element_size() for each in (self.k, self.v, self.mass, self.places))


class BudgetCache(Seen):
    """`contextual` [layers, H] is True for that class; `keep`: keys that a (contextual, structural) head keeps.

    `lengths`: positions of each scale. Attention is measured with `observed` queries of a scale, evenly spread. Nothing is
    kept of the last scale. `peak_keys` (a head, on average) and `peak_bytes`: the most that was held between two scales;
    `plain_bytes`: what a plain run holds before its last scale.
    """

    def __init__(self, contextual: Tensor, keep: tuple[int, int], lengths: tuple[int, ...], observed: int) -> None:
        self.used, self.keep, self.total, self.observed = 0, keep, sum(lengths), observed
        self.first = sum(lengths[:FIRST])
        self.groups = [(row.nonzero()[:, 0], (~row).nonzero()[:, 0]) for row in contextual]
        self.heads = contextual.numel()
        self.held: dict[tuple[int, int], Held] = {}
        self.peak_keys, self.peak_bytes, self.plain_bytes = 0.0, 0, 0

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
        """Attention over what is held and the new keys; then each class of heads keeps its budget."""
        out = torch.empty_like(v)
        if self.used + k.shape[2] < self.total:
            self.plain_bytes += 2 * k.numel() * k.element_size()
        for number, heads in enumerate(self.groups[layer]):
            if len(heads):
                heads = heads.to(q.device)
                of, keys, values = (each.index_select(1, heads) for each in (q, k, v))
                out.index_copy_(1, heads, self._of_class(layer, number, of, keys, values, scale))
        return out

    def _of_class(self, layer: int, number: int, q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
        new = k.shape[2]
        places = torch.arange(self.used, self.used + new, device=k.device, dtype=torch.int32).expand(*k.shape[:3])
        mass = torch.zeros(k.shape[:3], device=k.device)
        before = self.held.pop((layer, number), None)
        if before is not None:
            k, v = torch.cat([before.k, k], 2), torch.cat([before.v, v], 2)
            mass, places = torch.cat([before.mass, mass], 2), torch.cat([before.places, places], 2)
        if self.used + new < self.total:
            mass = mass + attention(q, k, scale, self.observed).mean(2)
            self.held[layer, number] = self._kept(Held(k, v, mass, places), number)
        return F.scaled_dot_product_attention(q, k, v, scale=scale)

    def _kept(self, held: Held, number: int) -> Held:
        count = self.keep[number]
        if held.k.shape[2] <= count:
            return held
        rank = held.mass
        if number == 1:
            fixed = (held.places < self.first) | (held.places >= self.used)
            rank = rank + fixed * (1 + rank.amax())
        best = rank.topk(count, -1).indices.sort(-1).values
        wide = best[..., None].expand(*best.shape, held.k.shape[-1])
        return Held(
            held.k.gather(2, wide), held.v.gather(2, wide), held.mass.gather(2, best), held.places.gather(2, best)
        )

    def advance(self, count: int) -> None:
        """All layers have seen `count` more positions; what they hold now is counted."""
        super().advance(count)
        keys = sum(each.k.shape[1] * each.k.shape[2] for each in self.held.values()) / self.heads
        self.peak_keys = max(self.peak_keys, keys)
        self.peak_bytes = max(self.peak_bytes, sum(each.size for each in self.held.values()))


class Observer(Seen):
    """A whole cache that notes how much each head's attention differs from query to query.

    `spread` [layers, H]: the variance over queries of the attention that a key draws, summed over keys, averaged over the
    rows and over the `scales` so far (those with two positions at least).
    """

    def __init__(self, cache: Cache, observed: int) -> None:
        self.cache, self.observed, self.scales = cache, observed, 0
        self.spread = torch.zeros(cache.store.shape[0], cache.store.shape[3], dtype=torch.float64)

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
        """All keys are kept."""
        keys, values = self.cache.extend(layer, k, v)
        if q.shape[2] > 1:
            seen = attention(q, keys, scale, self.observed)
            self.spread[layer] += seen.var(2, correction=0).sum(-1).double().mean(0).cpu()
            self.scales += layer == 0
        return F.scaled_dot_product_attention(q, keys, values, scale=scale)

    def advance(self, count: int) -> None:
        """All layers have seen `count` more positions."""
        super().advance(count)
        self.cache.advance(count)


def attention(q: Tensor, k: Tensor, scale: float, observed: int) -> Tensor:
    """float32 [B, H, queries, keys]: attention of `observed` queries, evenly spread over q [B, H, n, D]."""
    count = min(observed, q.shape[2])
    rows = torch.linspace(0, q.shape[2] - 1, count, device=q.device).round().long()
    scores = q.index_select(2, rows).float() @ k.float().transpose(-1, -2)
    return torch.softmax(scores * scale, -1)
