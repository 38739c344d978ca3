"""Draft and verify: an image's codes in fewer passes of the network (Leviathan et al. 2023, arXiv 2211.17192).

Each round drafts some codes, reads all of them in one pass of the accelerated model, keeps the first ones by the rule, and
adds one code of the model's own. Images are drawn one at a time, so that an image depends on its request alone however
many of its drafts are kept. A position has three uniform numbers of its own: for drafts, for judging, and for the model's
own choice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from evalkit.generators.accelerate.ahead import Ahead, AheadRunner
from evalkit.generators.accelerate.drafts import Draft, JacobiDraft, ModelDraft
from evalkit.generators.accelerate.rules import Rule, Said
from evalkit.generators.base import Request
from evalkit.generators.sampling import Sampler, law, pick, uniforms
from evalkit.metrics.generation import ACCEPTANCE_LENGTH, ACCEPTANCE_RATE, STEP_COMPRESSION


@dataclass(frozen=True)
class Counted:
    """What one image took: passes of both models, rounds, and codes drafted, kept, and made in all."""

    target_evaluations: int
    draft_evaluations: int
    rounds: int
    drafted: int
    kept: int
    codes: int


class Speculation:
    """The draft-and-verify loop of `runner`; `draft` None is Jacobi's. Assign it to `runner.drawing`."""

    def __init__(self, runner: AheadRunner, draft: AheadRunner | None, rule: Rule, length: int) -> None:
        self.runner, self.draft, self.rule, self.length = runner, draft, rule, length
        self.counted: dict[int, Counted] = {}

    def draw(self, requests: Sequence[Request], sampler: Sampler) -> tuple[Tensor, int]:
        """(codes [B, N], the most passes of the accelerated model that one of the images took)."""
        done = [self.image(request, sampler) for request in requests]
        self.counted = {request.seed: counted for request, (_, counted) in zip(requests, done, strict=True)}
        return torch.stack([codes for codes, _ in done]), max(counted.target_evaluations for _, counted in done)

    def notes(self, seed: int) -> dict[str, Any]:
        """What the image took."""
        return {"acceleration": asdict(self.counted[seed])}

    def image(self, request: Request, sampler: Sampler) -> tuple[Tensor, Counted]:
        """Codes int64 [N] of one request, and what they took."""
        count = self.runner.tokens_per_image
        target = Ahead(self.runner, request, sampler, self.runner.logits_processors)
        nothing = torch.zeros(0, dtype=torch.int64, device=getattr(self.runner, "device", "cpu"))
        first = law(target.logits(nothing, 1)[0], sampler)
        guesses, judged, own = uniforms((request.seed,), 3 * count).view(3, count).to(first.device)
        draft = self._draft(request, sampler, guesses)
        codes = pick(first, own[0])[None]
        rounds = drafted = kept = 0
        while (done := len(codes)) < count:
            guess, laws = draft.propose(codes, min(self.length, count - done - 1))
            n = len(guess)
            logits = target.logits(torch.cat([codes, guess]), n + 1)
            known = law(logits, sampler)
            taken, after = 0, known[n]
            if n:
                accepted = self.rule(guess, laws, Said(logits[:n], known[:n], sampler), judged[done : done + n])
                taken, after = accepted.count, known[n] if accepted.residual is None else accepted.residual
            codes = torch.cat([codes, guess[:taken], pick(after, own[done + taken])[None]])
            target.forget(len(codes) - 1)
            draft.learn(len(codes), done, known)
            rounds, drafted, kept = rounds + 1, drafted + n, kept + taken
        return codes, Counted(target.evaluations, draft.evaluations, rounds, drafted, kept, count)

    def _draft(self, request: Request, sampler: Sampler, draws: Tensor) -> Draft:
        if self.draft is None:
            return JacobiDraft(self.runner.vocab_size, draws)
        return ModelDraft(self.draft, request, sampler, self.runner.logits_processors, draws)


def totals(counted: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Over the notes of all images: codes a pass of the accelerated model, drafted codes that a round keeps, their share."""
    summed = {name: sum(each[name] for each in counted) for name in counted[0]} if counted else {}
    if not summed:
        return {}
    ratio: Callable[[str, str], float | None] = lambda a, b: round(summed[a] / summed[b], 4) if summed[b] else None  # noqa: E731
    return {
        **summed,
        STEP_COMPRESSION.name: ratio("codes", "target_evaluations"),
        ACCEPTANCE_LENGTH.name: ratio("kept", "rounds"),
        ACCEPTANCE_RATE.name: ratio("kept", "drafted"),
    }
