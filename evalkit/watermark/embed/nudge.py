"""Marking by pixels: an image keeps its own pixels, and changes by few grey levels until its encoder reads green codes.

LBW's marking afterwards paints the whole image anew through the decoder, which costs what the tokenizer loses, and part
of the green codes is read back as others. Here gradients through the encoder (Adam on the pixels, each within so many
levels of its own) push each code's features to the green code that `encode_among` chose, with a margin that survives
rounding to 8 bits. Flat areas repeat one code, and a repeated code is one coin: `spread` sends repeats to different near
green codes, so that flat images can be marked at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim.adam import adam

from evalkit.errors import EvalkitError
from evalkit.images.sample import Pixels
from evalkit.tokenizers.base import Codes, Tokenizer
from evalkit.watermark.attacks.sizes import to_pixels, to_tensor
from evalkit.watermark.embed.full_size import seen_again
from evalkit.watermark.methods.subject import compared

RATE = 2.0  # grey levels that a pixel moves in a step, at most
MARGIN = 0.75  # of the mean squared distance between neighbouring codes
SAMPLED = 512  # codes whose neighbours that mean is taken over


@dataclass(frozen=True)
class Nudge:
    """`steps` of gradient descent, `levels` of grey that a value may change by, `spread` codes that repeats may go to."""

    steps: int = 40
    levels: float = 8.0
    spread: int = 8

    def __post_init__(self) -> None:
        if self.steps < 1 or not 0 < self.levels <= 255 or self.spread < 1:
            raise EvalkitError(
                f"steps and spread are whole numbers from 1, levels above 0 up to 255; {self.steps}, {self.spread}, "
                f"{self.levels:g} given"
            )


def nudge(
    tokenizer: Tokenizer,
    images: Sequence[Pixels],
    chosen: Tensor,
    green: Tensor,
    how: Nudge,
    between: int | None = None,
) -> Tensor:
    """Changes float [B, 3, S, S] of images on [0, 1] that give them the green codes of `chosen` [B, N], as far as levels allow.

    `green`: bool [B, V], or [B, N, V] where places differ; codes of `chosen` that are not green are left to themselves.
    `between`: the side of the squares that the changes go to and come back from before the tokenizer sees them [S].
    Raises `EvalkitError` for tokenizers without gradients or a codebook.
    """
    table, by_dot = compared(tokenizer)
    table = table.float()
    half = torch.zeros(len(table), device=table.device) if by_dot else table.square().sum(1)
    x = to_tensor(images).to(table.device)
    between = between or int(x.shape[-1])
    green = green.to(table.device)
    margin = MARGIN * _spacing(table)
    with torch.no_grad():
        near = _nearness(tokenizer, x, table, half)
        target, wanted = _targets(near, chosen.to(table.device), green, how.spread)
    low, high = (-x).clamp(min=-how.levels / 255), (1 - x).clamp(max=how.levels / 255)  # beyond it gradients vanish
    change = torch.zeros_like(x, requires_grad=True)
    step = _adam(change)
    for _ in range(how.steps):
        near = _nearness(tokenizer, x + seen_again(change, between), table, half)
        own = near.gather(-1, target[..., None])[..., 0]
        other = near.scatter(-1, target[..., None], -torch.inf).amax(-1)
        loss = (torch.relu(margin + other - own) * wanted).sum()
        (slope,) = torch.autograd.grad(loss, change)
        with torch.no_grad():
            step(slope)
            change.clamp_(low, high)
    return change.detach()


def _adam(change: Tensor) -> Callable[[Tensor], None]:
    """Steps of Adam by the slope that each is given; torch's optimiser objects load its compiler, 200 MB."""
    first, second, count = torch.zeros_like(change), torch.zeros_like(change), torch.tensor(0.0)

    def step(slope: Tensor) -> None:
        adam(
            *([change], [slope], [first], [second], [], [count]),
            lr=RATE / 255,
            beta1=0.9,
            beta2=0.999,
            eps=1e-8,
            weight_decay=0.0,
            amsgrad=False,
            maximize=False,
        )

    return step


def nudged(tokenizer: Tokenizer, images: Sequence[Pixels], chosen: Codes, green: Tensor, how: Nudge) -> list[Pixels]:
    """uint8 images at the tokenizer's size with the changes of `nudge`."""
    return to_pixels(to_tensor(images) + nudge(tokenizer, images, chosen.values, green, how).cpu())


def _nearness(tokenizer: Tokenizer, x: Tensor, table: Tensor, half: Tensor) -> Tensor:
    """[B, N, V]: larger is nearer, in units of squared distance."""
    features = tokenizer.features(x).reshape(len(x), -1, table.shape[1])
    return 2 * features @ table.t() - half


def _targets(near: Tensor, chosen: Tensor, green: Tensor, spread: int) -> tuple[Tensor, Tensor]:
    """(codes [B, N] to go to, 1 where green and 0 elsewhere): repeats take turns among the nearest green codes.

    Where places differ each is a coin of its own, and repeats need not go anywhere else.
    """
    if near.shape[:2] != chosen.shape:
        raise EvalkitError(f"features for {near.shape[1]} codes and {chosen.shape[1]} codes do not belong together")
    if green.ndim == 3:
        return chosen.clone(), green.gather(2, chosen[..., None])[..., 0].to(near.dtype)
    count = min(spread, int(green.sum(1).min()))
    order = near.masked_fill(~green[:, None], -torch.inf).topk(count, -1).indices
    target, wanted = chosen.clone(), green.gather(1, chosen).to(near.dtype)
    for row in range(len(chosen)):
        seen: dict[int, int] = {}
        for at, code in enumerate(chosen[row].tolist()):
            turn = seen.get(code, 0)
            seen[code] = turn + 1
            if wanted[row, at] and turn % count:
                target[row, at] = order[row, at, turn % count]
    return target, wanted


def _spacing(table: Tensor) -> float:
    """Mean squared distance of codes to their nearest other."""
    some = torch.arange(0, len(table), max(1, len(table) // SAMPLED), device=table.device)
    distance = torch.cdist(table[some], table).square()
    distance[torch.arange(len(some), device=table.device), some] = torch.inf
    return float(distance.amin(1).mean())
