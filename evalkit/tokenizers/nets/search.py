"""Nearest-code search: in float32 and bounded memory, among all codes or only among some (watermarks after generation)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from evalkit.errors import EvalkitError

MATRIX_BYTES = 256 * 2**20  # of one piece of the [positions, codes] matrix


def nearest_code(z: Tensor, codebook: Tensor, *, by_dot: bool = False, allowed: Tensor | None = None) -> Tensor:
    """Index int64 [n] of the code of `codebook` [v, d] nearest to each row of `z` [n, d] by squared L2 distance.

    `by_dot`: the largest dot product instead (IBQ). `allowed`: bool [v] or [n, v], only these codes are found. Ties go to
    the lower index. Computed in float32 whatever the autocast state, in pieces of at most `MATRIX_BYTES`.
    """
    with torch.autocast(z.device.type, enabled=False):
        z, codebook = z.float(), codebook.float()
        bias = torch.zeros_like(codebook[:, 0]) if by_dot else codebook.square().sum(1).mul_(-0.5)
        step = max(1, MATRIX_BYTES // (4 * codebook.shape[0]))
        masks: Sequence[Tensor | None] = [None] * len(z)
        if allowed is not None and allowed.ndim == 2:
            masks = torch.split(~allowed.to(bias.device), step)
        elif allowed is not None:
            bias = bias.masked_fill(~allowed.to(bias.device), -math.inf)
        pieces = []
        for piece, mask in zip(torch.split(z, step), masks, strict=False):
            scores = torch.addmm(bias, piece, codebook.t())
            pieces.append((scores if mask is None else scores.masked_fill(mask, -math.inf)).argmax(1))
    return torch.cat(pieces) if pieces else z.new_zeros(0, dtype=torch.long)


@dataclass(frozen=True)
class Among:
    """Codes that an encoding should use, and what it may cost.

    `allowed`: bool [v], or [B, v] with a row per image, or [B, n, v] where places differ.
    `most_cost`: a code outside is exchanged only where the distance
    (squared L2, on the unit sphere for codebooks that live there; loss of dot product for those searched by it) grows
    by no more. `fraction`: of an image's exchanges only this share, the cheapest (of each scale's for several scales).
    """

    allowed: Tensor
    most_cost: float = math.inf
    fraction: float = 1.0


class CodeSearch(nn.Module):
    """What searching codes has in common: the codes can be restricted, and the features that are searched for kept."""

    among: Among | None = None
    heard: list[Tensor] | None = None

    def codes(self, flat: Tensor, table: Tensor, images: int, *, by_dot: bool = False) -> Tensor:
        """Codes int64 [B, n] for features `flat` [B * n, d] of `images` images among those of `table` [v, d]."""
        nearest = nearest_code(flat, table, by_dot=by_dot).reshape(images, -1)
        return self.settle(flat.reshape(*nearest.shape, -1), nearest, table, by_dot=by_dot)

    def settle(self, z: Tensor, nearest: Tensor, table: Tensor, *, by_dot: bool = False) -> Tensor:
        """Codes int64 [B, n] for features `z` [B, n, d] whose nearest codes of `table` [v, d] are `nearest`."""
        if self.heard is not None:
            self.heard.append(z)
        if self.among is None:
            return nearest
        allowed = self.among.allowed.to(z.device)
        if allowed.ndim == 3 and allowed.shape[1] != nearest.shape[1]:
            raise EvalkitError(
                f"lists for {allowed.shape[1]} places do not fit a search of {nearest.shape[1]}; codes of several scales "
                "cannot be exchanged place by place"
            )
        rows = zip(z, nearest, allowed if allowed.ndim == 3 else allowed.expand(len(z), -1), strict=True)
        return torch.stack([exchange(*row, table, self.among, by_dot=by_dot) for row in rows])


def exchange(
    z: Tensor, nearest: Tensor, allowed: Tensor, table: Tensor, among: Among, *, by_dot: bool = False
) -> Tensor:
    """Codes int64 [n] of one image: `nearest` where allowed ([v] or [n, v]), or where the exchange would cost too much."""
    right = allowed[nearest] if allowed.ndim == 1 else allowed.gather(1, nearest[:, None])[:, 0]
    wrong = (~right).nonzero().flatten()
    if not len(wrong):
        return nearest
    if allowed.ndim == 2:
        allowed = allowed[wrong]
    with torch.autocast(z.device.type, enabled=False):
        here = z[wrong].float()
        other = nearest_code(here, table, by_dot=by_dot, allowed=allowed)
        cost = _distance(here, table[other], by_dot) - _distance(here, table[nearest[wrong]], by_dot)
    cheapest = cost.argsort(stable=True)[: round(among.fraction * len(wrong))]
    taken = cheapest[cost[cheapest] <= among.most_cost]
    return nearest.index_put((wrong[taken],), other[taken])


def _distance(z: Tensor, codes: Tensor, by_dot: bool) -> Tensor:
    codes = codes.float()
    return -(z * codes).sum(1) if by_dot else (z - codes).square().sum(1)


def searches_of(network: nn.Module) -> list[CodeSearch]:
    """The parts of the network that search a codebook."""
    return [module for module in network.modules() if isinstance(module, CodeSearch)]


@contextmanager
def restricted(searches: Sequence[CodeSearch], among: Among) -> Iterator[None]:
    """Within the context the searches find the codes of `among` only, as far as its limits allow."""
    for search in searches:
        search.among = among
    try:
        yield
    finally:
        for search in searches:
            search.among = None


@contextmanager
def listening(searches: Sequence[CodeSearch], encoder: object) -> Iterator[list[Tensor]]:
    """Within the context every search adds its features [B, n, d], with their gradient, to the list.

    Without a search (bits) it is what the module `encoder` puts out, where that is one tensor of floats.
    """
    heard: list[Tensor] = []
    for search in searches:
        search.heard = heard
    hooks = []
    if not searches and isinstance(encoder, nn.Module):
        hooks.append(encoder.register_forward_hook(lambda _, __, out: _keep(heard, out)))
    try:
        yield heard
    finally:
        for search in searches:
            search.heard = None
        for hook in hooks:
            hook.remove()


def _keep(heard: list[Tensor], out: object) -> None:
    if isinstance(out, Tensor) and out.is_floating_point():
        heard.append(out)
