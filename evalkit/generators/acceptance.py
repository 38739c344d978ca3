"""Which drafted tokens a verifier keeps: exact, grouped (GSD) and relaxed by latent neighbours (LANTERN).

Exact acceptance (Leviathan et al. 2023, arXiv:2211.17192) leaves the output law of the verifier unchanged. The other two
do not: they trade it for longer accepted runs, and a run that uses them says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor


class Table(Protocol):
    """A tensor, or what computes its entries when they are asked for."""

    def __getitem__(self, at: Any, /) -> Tensor:
        """The entries at an index."""


@dataclass(frozen=True)
class Accepted:
    """The first `count` drafted tokens are kept; `residual` [V] is the law of the token after them, None if all are kept."""

    count: int
    residual: Tensor | None


@dataclass(frozen=True)
class GroupRule:
    """GSD's group of a token: its neighbours in the verifier's ranking, as likely and as close as it (arXiv 2508.07747).

    `half`: neighbours on each side. `probability`, `distance`: how far they may be away in the verifier's probability and
    in squared distance of the codes. Where the group would reach below the least likely token, the official slice is
    empty and plain acceptance is used; so it is here.
    """

    half: int = 7
    probability: float = 0.15
    distance: float = 0.5


@dataclass(frozen=True)
class Posterior:
    """LANTERN's choice in a tree of drafts: path, kept tokens after the first, law of the next token, uniforms used."""

    path: int
    kept: int
    law: Tensor
    used: int


def accept(drafted: Tensor, draft: Tensor, verifier: Tensor, uniforms: Tensor) -> Accepted:
    """Exact acceptance: token i is kept where u < min(1, p/q).

    `drafted` int64 [L]; `draft`, `verifier`: laws [L, V] that token i was drawn from and is checked against.
    """
    rows = torch.arange(len(drafted), device=drafted.device)
    ratio = (verifier[rows, drafted] / draft[rows, drafted]).clamp(max=1)
    return _first_rejection(uniforms < ratio, draft, verifier)


def accept_grouped(
    drafted: Tensor,
    draft: Tensor,
    verifier: Tensor,
    uniforms: Tensor,
    distances: Table,
    rule: GroupRule | None = None,
    *,
    ranking: Tensor | None = None,
) -> Accepted:
    """GSD: the ratio of the probabilities of the token's whole group; `distances` [V, V] squared, between codes.

    `ranking` [L, V]: what tokens are ranked by (the verifier's logits, where they order ties otherwise).
    """
    rule = rule or GroupRule()
    order = (verifier if ranking is None else ranking).argsort(-1)
    kept = []
    for token, q, p, ranked, u in zip(drafted, draft, verifier, order, uniforms, strict=True):
        rank = int((ranked == token).nonzero()[0, 0])
        group = ranked[rank - rule.half : rank + rule.half]
        ratio = p[token] / q[token]
        if len(group):
            inside = ((p[group] - p[token]).abs() < rule.probability) & (distances[token, group] < rule.distance)
            ratio = (p[group] * inside).sum() / (q[group] * inside).sum()
        kept.append(bool(u < ratio.clamp(max=1)))
    return _first_rejection(torch.tensor(kept, dtype=torch.bool), draft, verifier)


def accept_relaxed(
    drafted: Tensor, draft: Tensor, verifier: Tensor, uniforms: Tensor, nearest: Table, k: int, delta: float
) -> Accepted:
    """LANTERN in a chain: a token has the probability of its neighbours too, and those have none where it is rejected.

    Token i is kept where u < min(1, p'/q) with p' of `relaxed_probability`; else the next one is drawn from what p' has
    more than q. `k` 0 is exact acceptance. With q(x) = 1 these are the decisions of `posterior` for a single path.
    """
    for i, token in enumerate(drafted.tolist()):
        mass, added = relaxed_probability(verifier[i], token, nearest, k, delta)
        if uniforms[i] < mass / draft[i, token]:
            continue
        moved = verifier[i].clone()
        if added:
            moved[nearest[token, :added]] = 0
            moved[token] = mass
        return Accepted(i, _beyond(moved, draft[i]))
    return Accepted(len(drafted), None)


def accept_relaxed_greedily(
    drafted: Tensor, likeliest: Tensor, softened: Tensor, nearest: Table, k: int, delta: float
) -> Accepted:
    """LANTERN where decoding is greedy: a token is kept while it is the likeliest, its neighbours counted with it.

    `likeliest` [L, V]: all on the code that greedy decoding takes; `softened` [L, V]: the law without that choice.
    """
    for i, token in enumerate(drafted.tolist()):
        counted = softened[i].clone()
        counted[token] = relaxed_probability(softened[i], token, nearest, k, delta)[0]
        if likeliest[i, token] < 1 and int(counted.argmax()) != token:
            return Accepted(i, likeliest[i])
    return Accepted(len(drafted), None)


def relaxed_probability(law: Tensor, token: int, nearest: Table, k: int, delta: float) -> tuple[Tensor, int]:
    """(probability of `token` with that of its nearest codes added, how many were added) under LANTERN's bound.

    `nearest` [V, ≥ k]: codes by distance, the token itself left out. Neighbours are added in that order while their summed
    probability stays within `delta`, or, for `delta` above 1, within (delta - 1) times the token's own (arXiv 2410.03355).
    """
    mass = law[nearest[token, :k]].cumsum(0)
    own = law[token]
    within = (mass <= ((delta - 1) * own if delta > 1 else delta)).nonzero().flatten()
    if not len(within):
        return own, 0
    last = int(within[-1])
    return own + mass[last], last + 1


def posterior(
    logits: Tensor,
    candidates: Tensor,
    uniforms: Sequence[float],
    *,
    nearest: Tensor | None = None,
    k: int = 1000,
    delta: float = 0.1,
) -> Posterior:
    """Walk down a tree of drafted paths, keeping at each level the first token that is accepted; q(x) is taken as 1.

    `logits` [paths, depth, V]: row i of a path predicts its token i + 1. `candidates` [paths, depth]: column 0 is the token
    that stands already, -1 is no token. `nearest`: relaxes acceptance (LANTERN); None is plain acceptance.
    """
    draws = iter(uniforms)
    used = 0
    kept, path = candidates[0, :1], 0
    law = torch.softmax(logits[0, 0], -1)
    for level in range(1, candidates.shape[1]):
        alive = (candidates[:, :level] == kept).all(1)
        law = torch.softmax(logits[int(alive.nonzero()[0, 0]), level - 1], -1)
        rejected = False
        for row, token in _level(candidates, alive, level):
            probability, added = law[token], 0
            if nearest is not None:
                probability, added = relaxed_probability(law, token, nearest, k, delta)
            used += 1
            if next(draws) <= probability:
                kept, path = torch.cat([kept, candidates[row, level : level + 1]]), row
                break
            law = _without(law, token, nearest[token, : k + 1] if nearest is not None and added else None)
            rejected = True
        if len(kept) == level:  # nothing at this level was accepted
            if not rejected:
                law = torch.softmax(logits[path, level - 1], -1)
            return Posterior(path, level - 1, law, used)
    return Posterior(path, len(kept) - 1, torch.softmax(logits[path, len(kept) - 1], -1), used)


def greedy_posterior(
    logits: Tensor, candidates: Tensor, *, nearest: Tensor | None = None, k: int = 1000, delta: float = 0.1
) -> tuple[int, int]:
    """(path, kept tokens after the first) where a token is kept while it is the likeliest, neighbours counted with it."""
    laws = torch.softmax(logits, -1)
    lengths = []
    for path in range(candidates.shape[0]):
        length = 0
        for level in range(1, candidates.shape[1]):
            token, law = int(candidates[path, level]), laws[path, level - 1].clone()
            if token >= 0 and nearest is not None:
                law[token] = relaxed_probability(law, token, nearest, k, delta)[0]
            top = law.argmax() if nearest is not None else logits[path, level - 1].argmax()
            if token < 0 or int(top) != token:
                break
            length += 1
        lengths.append(length)
    best = max(range(len(lengths)), key=lambda i: (lengths[i], -i))
    return best, lengths[best]


def _first_rejection(kept: Tensor, draft: Tensor, verifier: Tensor) -> Accepted:
    bad = (~kept).nonzero().flatten()
    if not len(bad):
        return Accepted(len(kept), None)
    first = int(bad[0])
    return Accepted(first, _beyond(verifier[first], draft[first]))


def _beyond(verifier: Tensor, draft: Tensor) -> Tensor:
    """What one law has more than the other, as a law."""
    residual = (verifier - draft).clamp(min=0)
    total = residual.sum()
    return residual / total if total > 0 else verifier


def _level(candidates: Tensor, alive: Tensor, level: int) -> Iterator[tuple[int, int]]:
    """(path, token) of each distinct token that the surviving paths propose at `level`, in order."""
    seen: set[int] = set()
    for row in alive.nonzero().flatten().tolist():
        token = int(candidates[row, level])
        if token >= 0 and token not in seen:
            seen.add(token)
            yield row, token


def _without(law: Tensor, token: int, neighbours: Tensor | None) -> Tensor:
    law = law.clone()
    law[token] = 0
    if neighbours is not None:
        law[neighbours] = 0
    total = law.sum()
    return law / total if total > 0 else torch.full_like(law, 1 / len(law))
