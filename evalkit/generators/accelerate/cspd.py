"""CSpD: a small MAR drafts latents, a large one judges them by densities (arXiv 2411.11925; MarkXCloud/CSpD spec_decode/).

As in the official runner: both models denoise under the same noise; the densities are those of the last denoising step,
their ratio times that of the widths of the steps before it; the drafts of `length` iterations are judged in one pass,
which sees none of them; a rejected latent is drawn again from what the large model's last step has more than the small
one's. That is an approximation, so the law of the images changes. Where the official code leaves a latent at zero after
the last try, the large model's own sample under the same noise is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from evalkit.generators.accelerate.settings import Cspd
from evalkit.generators.accelerate.speculate import Counted
from evalkit.generators.base import Request
from evalkit.generators.latent import Draw
from evalkit.generators.mar import Mar, Part, schedule
from evalkit.generators.nets.diffusion_head import Trace
from evalkit.generators.nets.mar import put
from evalkit.generators.sampling import Sampler


@dataclass(frozen=True)
class Judged:
    """`kept` [n]: which latents stand; `latents` [n, c]: those, or what takes their place."""

    kept: Tensor
    latents: Tensor


class ContinuousSpeculation:
    """The draft-and-verify loop of a MAR; assign it to `runner.drawing`."""

    def __init__(self, runner: Mar, draft: Mar, settings: Cspd) -> None:
        self.runner, self.draft, self.settings = runner, draft, settings
        draft.head_steps = runner.head_steps

    def latents(self, requests: Sequence[Request], sampler: Sampler) -> tuple[Tensor, list[dict[str, Any]]]:
        """(latents [B, c, h, w], what each image took)."""
        orders, stream = self.runner.streams(requests)
        conditions = self.runner.class_ids(requests)
        rows, length = orders.shape
        tokens = torch.zeros(rows, length, self.runner.config.channels, device=self.runner.device)
        parts = schedule(sampler.steps or 256, length)
        prefilled = round(self.settings.prefill * len(parts))
        kept = torch.zeros(rows, dtype=torch.int64)
        own = [torch.Generator().manual_seed(request.seed ^ _OWN) for request in requests]
        target = drafted = 0
        for part in parts[:prefilled]:
            tokens = self._step(self.runner, conditions, sampler, tokens, orders, part, stream)[0]
            target += 1
        for start in range(prefilled, len(parts), self.settings.length):
            group = parts[start : start + self.settings.length]
            tokens, right = self._round(conditions, sampler, tokens, orders, group, stream, own)
            kept += right
            target, drafted = target + 1, drafted + group[0].hidden - group[-1].end
        rounds = target - prefilled
        notes = [asdict(Counted(target, len(parts) - prefilled, rounds, drafted, int(count), length)) for count in kept]
        return self.runner.as_map(tokens), notes

    def _step(
        self,
        model: Mar,
        conditions: Tensor,
        sampler: Sampler,
        tokens: Tensor,
        orders: Tensor,
        part: Part,
        stream: Draw,
    ) -> tuple[Tensor, Trace, list[Tensor]]:
        """(tokens with the part's latents, their traces, the noise used: [B, n, c] for the start and each step)."""
        places = orders[:, part.end : part.hidden].sort(1).values
        used: list[Tensor] = []

        def draw() -> Tensor:
            used.append(stream(places.shape[1]))
            return used[-1]

        with torch.inference_mode():
            made = model.trace(conditions, sampler, tokens, orders, part, places, draw)
        return put(tokens, places, made.mean.reshape(len(tokens), -1, tokens.shape[-1])), made, used

    def _round(
        self,
        conditions: Tensor,
        sampler: Sampler,
        tokens: Tensor,
        orders: Tensor,
        group: Sequence[Part],
        stream: Draw,
        own: Sequence[torch.Generator],
    ) -> tuple[Tensor, Tensor]:
        """(tokens with the latents of a group of iterations, how many drafts of each row [B] were kept)."""
        before, rows = tokens, len(tokens)
        places, traces, noises = [], [], []
        for part in group:
            tokens, made, used = self._step(self.draft, conditions, sampler, tokens, orders, part, stream)
            places.append(orders[:, part.end : part.hidden].sort(1).values)
            traces.append(made.rows(rows))
            noises.append(used)
        at = torch.cat(places, 1)
        again = iter([torch.cat(step, 1) for step in zip(*noises, strict=True)])
        whole = Part(group[0].hidden, group[-1].end, group[-1].following)
        with torch.inference_mode():
            found = self.runner.trace(conditions, sampler, before, orders, whole, at, lambda: next(again))
        drafts = [Trace.joined(row) for row in zip(*traces, strict=True)]
        judged = [judge(*each, self.settings) for each in zip(drafts, found.rows(rows), own, strict=True)]
        right = torch.tensor([int(each.kept.sum()) for each in judged])
        return put(before, at, torch.stack([each.latents for each in judged])), right


def judge(draft: Trace, target: Trace, own: torch.Generator, settings: Cspd) -> Judged:
    """Which drafted latents (`draft.mean` [n, c]) stand before the target's law, drawn with the numbers of `own`."""
    drafted = draft.mean
    widths = (target.widths - draft.widths).sum(-1)
    away = ((drafted - target.mean) / target.deviation / settings.slack).square().sum(-1)
    narrower = (draft.deviation.log() - target.deviation.log()).sum(-1)
    kept = torch.rand(len(drafted), generator=own).to(drafted.device).log() < widths + narrower - away / 2
    latents, open_ = torch.where(kept[:, None], drafted, target.mean), ~kept
    for _ in range(settings.tries):
        if not bool(open_.any()):
            break
        noise = torch.randn(drafted.shape, generator=own).to(drafted.device)
        proposal = target.mean + target.deviation * noise
        # the share of the target's density that the draft's does not cover
        share = 1 - torch.exp(_log_density(draft, proposal) - _log_density(target, proposal) - widths)
        taken = open_ & (torch.rand(len(drafted), generator=own).to(drafted.device) < share)
        latents, open_ = torch.where(taken[:, None], proposal, latents), open_ & ~taken
    return Judged(kept, latents)


def _log_density(law: Trace, x: Tensor) -> Tensor:
    """Of a normal law at x [n, c], up to a constant of c."""
    return -(((x - law.mean) / law.deviation).square() / 2 + law.deviation.log()).sum(-1)


_OWN = 0x5EC0DE  # a request's numbers for judging are of another stream than those of its noise
