"""Marking by pixels: an image keeps its own pixels, and changes by few grey levels until its encoder reads green codes.

LBW's marking afterwards paints the whole image anew through the decoder, which costs what the tokenizer loses, and part
of the green codes is read back as others. Here gradients through the encoder push each code's features to a green code,
with a margin that survives rounding to 8 bits and compression. The sum of squares of the change is what is spent (a PSNR
against the file), so steps follow the gradient itself, more of it where texture hides it. Every other step sees the
image slightly displaced, so that the mark is read beside the grid, too. Flat areas repeat one code, and a repeated code
is one coin: `spread` sends repeats to different near green codes, so that flat images can be marked at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from evalkit.errors import EvalkitError
from evalkit.images.sample import Pixels
from evalkit.tokenizers.base import Tokenizer
from evalkit.watermark.attacks.sizes import to_tensor
from evalkit.watermark.embed.full_size import Frame, seen_again
from evalkit.watermark.embed.patterned import has_room, patterned
from evalkit.watermark.identity import prepared
from evalkit.watermark.keys import Key
from evalkit.watermark.methods.subject import compared

STRIDE = 0.3  # of the change's size, that a first step goes; later ones are shorter
MOMENTUM = 0.9
SWAY = 1.5  # pixels of the tokenizer's square by which every other step is displaced at most
MARGIN = 0.75  # of the mean squared distance between neighbouring codes
SAMPLED = 512  # codes whose neighbours that mean is taken over
PLAIN = 0.03  # what flat areas count as in the deviation, on [0, 1], of the texture that hides a change
WINDOW = 5  # pixels of a side over which texture is measured
TINY = 1e-12


@dataclass(frozen=True)
class Nudge:
    """`steps` of gradient descent, `levels` of grey that a value may change by, `spread` codes that repeats may go to.

    `psnr`: dB against the file that the change keeps at least, before it is rounded to 8 bits. `template`: the share of the
    squared change that goes to the pattern by which detectors find moved images; small images get none.
    """

    steps: int = 20
    levels: float = 8.0
    spread: int = 8
    psnr: float = 40.0
    template: float = 0.08

    def __post_init__(self) -> None:
        if self.steps < 1 or not 0 < self.levels <= 255 or self.spread < 1 or not 0 < self.psnr <= 100:
            raise EvalkitError(
                f"steps and spread are whole numbers from 1, levels above 0 up to 255, psnr above 0 up to 100; "
                f"{self.steps}, {self.spread}, {self.levels:g}, {self.psnr:g} given"
            )

        if not 0 <= self.template <= 0.9:
            raise EvalkitError(f"a template takes from 0 to 0.9 of the change; {self.template:g} given")

    def as_dict(self) -> dict[str, Any]:
        """Its numbers; without a template as runs said them before there was one."""
        return {name: value for name, value in asdict(self).items() if name != "template" or value}

    @property
    def size(self) -> float:
        """Root mean square, on [0, 1], of the whole change."""
        return float(10 ** (-self.psnr / 20))


def nudge(
    tokenizer: Tokenizer,
    images: Sequence[Pixels],
    chosen: Tensor,
    green: Tensor,
    how: Nudge,
    between: int | None = None,
    sizes: Sequence[float] = (),
) -> Tensor:
    """Changes float [B, 3, S, S] of images on [0, 1] that give them green codes, as far as PSNR and levels allow.

    `chosen` [B, N]: codes that are not green in it are left to themselves. `green`: bool [B, V], whose codes go to those
    of `chosen`; or [B, N, V] where places differ, and each goes to any green code. `between`: the side of the squares
    that the changes go to and come back from before the tokenizer sees them [S]. `sizes`: root mean square, on [0, 1], of
    the change of each square [`how.size`]. Raises `EvalkitError` for tokenizers without gradients or a codebook.
    """
    table, by_dot = compared(tokenizer)
    table = table.float()
    half = torch.zeros(len(table), device=table.device) if by_dot else table.square().sum(1)
    x = to_tensor(images).to(table.device)
    between = between or int(x.shape[-1])
    with torch.no_grad():
        near = _nearness(tokenizer, x, table, half)
        reach, wanted = _reach(near, chosen.to(table.device), green.to(table.device), how.spread)
    margin = MARGIN * _spacing(table)
    low, high = (-x).clamp(min=-how.levels / 255), (1 - x).clamp(max=how.levels / 255)  # beyond it gradients vanish
    most = torch.tensor(list(sizes) or [how.size] * len(x), device=x.device)[:, None, None, None]
    hidden, change, moving = _texture(x), torch.zeros_like(x), torch.zeros_like(x)
    for step in range(how.steps):
        change.requires_grad_()
        near = _nearness(tokenizer, _swayed(x + seen_again(change, between), step), table, half)
        own, other = near.masked_fill(~reach, -torch.inf).amax(-1), near.masked_fill(reach, -torch.inf).amax(-1)
        (slope,) = torch.autograd.grad((F.softplus((other - own) / margin) * wanted).sum(), change)
        stuck = ((change <= low) & (slope > 0)) | ((change >= high) & (slope < 0))  # white grows no whiter
        slope = (slope * hidden).masked_fill(stuck, 0)
        moving = moving.masked_fill(stuck, 0)
        moving = MOMENTUM * moving + (1 - MOMENTUM) * slope / (_size_of(slope) + TINY)
        stride = STRIDE * most * (1 - step / how.steps) / (_size_of(moving) + TINY)
        change = (change.detach() - stride * moving).clamp(low, high)
        change = change * (most / (_size_of(change) + TINY)).clamp(max=1)
    return change


def nudged_files(
    tokenizer: Tokenizer,
    images: Sequence[Pixels],
    chosen: Tensor,
    green: Tensor,
    how: Nudge,
    key: Key | None = None,
) -> list[Pixels]:
    """Images at their own sizes with the pattern of `key`, where there is one, and the changes that `nudge` makes."""
    held = [how.template if key is not None and has_room(image) else 0.0 for image in images]
    bases = [patterned(x, key, how.size * t**0.5) if key and t else x for x, t in zip(images, held, strict=True)]
    squares = [prepared(base, tokenizer) for base in bases]
    frames = [Frame.of(base, square.shape[0]) for base, square in zip(bases, squares, strict=True)]
    done: dict[int, Pixels] = {}
    for between in sorted({frame.between for frame in frames}):
        rows = [number for number, frame in enumerate(frames) if frame.between == between]
        sizes = [how.size * ((1 - held[number]) / frames[number].share) ** 0.5 for number in rows]
        some = [squares[number] for number in rows]
        changes = nudge(tokenizer, some, chosen[rows], green[rows], how, between, sizes)
        for number, change in zip(rows, changes, strict=True):
            done[number] = frames[number].added(bases[number], change, how.levels, images[number])
    return [done[number] for number in range(len(images))]


def _size_of(x: Tensor) -> Tensor:
    """Root mean square of each image [B, 1, 1, 1]."""
    return x.square().mean((1, 2, 3), keepdim=True).sqrt()


def _texture(x: Tensor) -> Tensor:
    """[B, 1, S, S], 1 on average: the deviation of grey around each pixel, and `PLAIN`."""
    grey, edge = x.mean(1, keepdim=True), WINDOW // 2
    mean, square = (
        F.avg_pool2d(F.pad(each, (edge,) * 4, mode="replicate"), WINDOW, 1) for each in (grey, grey.square())
    )
    found = (square - mean.square()).clamp(min=0).sqrt() + PLAIN
    return found / found.mean((1, 2, 3), keepdim=True)


def _swayed(x: Tensor, step: int) -> Tensor:
    """The images in even steps; in odd ones moved by up to `SWAY` pixels, the same way for all and in every run."""
    if step % 2 == 0:
        return x
    turn = 2.399963 * (step // 2)  # the golden angle visits all directions evenly
    at = torch.tensor([turn]).cos().item(), torch.tensor([turn]).sin().item()
    reach = 2 * SWAY * ((step * 0.618034) % 1) ** 0.5 / x.shape[-1]
    moved = torch.tensor([[1, 0, reach * at[0]], [0, 1, reach * at[1]]], dtype=x.dtype, device=x.device)
    grid = F.affine_grid(moved.expand(len(x), 2, 3), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)


def _nearness(tokenizer: Tokenizer, x: Tensor, table: Tensor, half: Tensor) -> Tensor:
    """[B, N, V]: larger is nearer, in units of squared distance."""
    features = tokenizer.features(x).reshape(len(x), -1, table.shape[1])
    return 2 * features @ table.t() - half


def _reach(near: Tensor, chosen: Tensor, green: Tensor, spread: int) -> tuple[Tensor, Tensor]:
    """(bool [B, N, V]: codes that each may go to, [B, N]: 1 where it should go, 0 elsewhere).

    Where places differ each is a coin of its own, and any green code will do. Of one list repeats take turns among the
    nearest green codes.
    """
    if near.shape[:2] != chosen.shape:
        raise EvalkitError(
            f"features for {near.shape[1]} codes and {chosen.shape[1]} codes do not belong together. Give both of one image"
        )
    if green.ndim == 3:
        mixed = green.any(-1) & ~green.all(-1)  # elsewhere nothing can be won
        return green, (green.gather(2, chosen[..., None])[..., 0] & mixed).to(near.dtype)
    count = min(spread, int(green.sum(1).min()))
    order = near.masked_fill(~green[:, None], -torch.inf).topk(count, -1).indices
    target, wanted = chosen.clone(), green.gather(1, chosen)
    for row in range(len(chosen)):
        seen: dict[int, int] = {}
        for at, code in enumerate(chosen[row].tolist()):
            turn = seen.get(code, 0)
            seen[code] = turn + 1
            if wanted[row, at] and turn % count:
                target[row, at] = order[row, at, turn % count]
    return F.one_hot(target, near.shape[2]).bool(), wanted.to(near.dtype)


def _spacing(table: Tensor) -> float:
    """Mean squared distance of codes to their nearest other."""
    some = torch.arange(0, len(table), max(1, len(table) // SAMPLED), device=table.device)
    distance = torch.cdist(table[some], table).square()
    distance[torch.arange(len(some), device=table.device), some] = torch.inf
    return float(distance.amin(1).mean())
