"""Prompts that bring a concept back, found by a search within a budget: greedy substitution of words led by gradients.

The search makes true codes of the concept likely under the erased model, one word after another, and never looks at an
image; so its hits are not the best of several draws. Its gradients rank substitutions as GCG's do (arXiv:2307.15043).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from evalkit.erasure.training.learner import Learner, learner_of
from evalkit.errors import EvalkitError
from evalkit.generators.base import Generator, Request

WIDTH = 16  # substitutions that are evaluated at once
Ids = tuple[int, ...]


@dataclass(frozen=True)
class Found:
    """The likeliest prompt: its text, nats per code under it and under the given prompt, and evaluations of the model."""

    prompt: str
    loss: float
    before: float
    evaluations: int


def can_search(generator: Generator) -> str | None:
    """Why prompts cannot be searched with this generator; None where they can."""
    try:
        learner = learner_of(generator)
        return None if learner.vocabulary() else f"{generator.name} has no words"
    except EvalkitError as error:
        return str(error)


def search(generator: Generator, prompt: str, codes: Tensor, budget: int) -> Found:
    """Rewrite `prompt`, word by word, so that `codes` [N] become likely; `budget` evaluations, a gradient counts as one.

    Every word of the model's vocabulary may take any place. The same arguments give the same prompt.
    """
    learner = learner_of(generator)
    table = dict(learner.network.named_parameters())[learner.embedding]
    allowed = torch.tensor(learner.vocabulary(), device=table.device)
    best = learner.words(prompt)
    table.requires_grad_(True)
    try:
        return _greedy(learner, table, allowed, best, codes, budget)
    finally:
        table.requires_grad_(False)
        table.grad = None


def _greedy(learner: Learner, table: Tensor, allowed: Tensor, best: Ids, codes: Tensor, budget: int) -> Found:
    loss, ranked = _ranked(learner, table, allowed, best, codes)
    first, used, tried = loss, 1, {best}
    while used < budget:
        batch = _fresh(learner, best, ranked, tried, min(WIDTH, budget - used))
        if not batch:
            break
        losses = _losses(learner, [learner.text(ids) for ids in batch], codes)
        used += len(batch)
        least = int(losses.argmin())
        if float(losses[least]) < loss and used < budget:
            best = batch[least]
            loss, ranked = _ranked(learner, table, allowed, best, codes)
            used += 1
        elif float(losses[least]) < loss:
            best, loss = batch[least], float(losses[least])
    return Found(learner.text(best), loss, first, used)


def _ranked(
    learner: Learner, table: Tensor, allowed: Tensor, ids: Ids, codes: Tensor
) -> tuple[float, list[tuple[int, int]]]:
    """The loss of a prompt, and all (place, word) by how much a substitution is to lower it, the most first."""
    table.grad = None
    loss = _loss(learner, [learner.text(ids)], codes)
    loss.sum().backward()  # type: ignore[no-untyped-call]
    slope = torch.zeros_like(table) if table.grad is None else table.grad
    here = torch.tensor(ids, device=table.device)
    with torch.no_grad():
        words = table[allowed].float()
        gains = slope[here].float() @ words.T - (slope[here].float() * table[here].float()).sum(-1, keepdim=True)
    order = gains.flatten().argsort(stable=True).tolist()
    numbers = allowed.tolist()
    return float(loss.detach()[0]), [(flat // len(numbers), numbers[flat % len(numbers)]) for flat in order]


def _fresh(learner: Learner, best: Ids, ranked: Sequence[tuple[int, int]], tried: set[Ids], count: int) -> list[Ids]:
    """The next prompts that were not tried and that the generator reads as they are written."""
    found: list[Ids] = []
    for place, word in ranked:
        ids = (*best[:place], word, *best[place + 1 :])
        if ids in tried:
            continue
        tried.add(ids)
        if _readable(learner, ids):
            found.append(ids)
        if len(found) == count:
            break
    return found


def _readable(learner: Learner, ids: Ids) -> bool:
    text = learner.text(ids)
    try:
        learner.generator.check(Request("search", prompt=text))
        return learner.words(text) == ids
    except EvalkitError:
        return False


def _losses(learner: Learner, prompts: Sequence[str], codes: Tensor) -> Tensor:
    with torch.no_grad():
        return _loss(learner, prompts, codes)


def _loss(learner: Learner, prompts: Sequence[str], codes: Tensor) -> Tensor:
    """Nats per code [B]."""
    given = codes.to(learner.device).expand(len(prompts), *codes.shape)
    logits = learner.logits(learner.conditions(list(prompts)), given)
    nats = F.cross_entropy(logits.flatten(0, -2), given.flatten(), reduction="none")
    return nats.view(len(prompts), -1).mean(1)
