"""Plain next-token training on images of given prompts: how fast a model learns, or learns again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor

from evalkit.erasure.training.learner import Learner, flat_cross_entropy, learner_of
from evalkit.errors import EvalkitError
from evalkit.generators.base import Generator

BATCH = 8


@dataclass(frozen=True)
class Example:
    """A prompt and the codes [N] of an image that it asks for."""

    prompt: str
    codes: tuple[int, ...]


def finetune(
    generator: Generator,
    examples: Sequence[Example],
    *,
    steps: int,
    learning_rate: float,
    seed: int = 0,
    batch: int = BATCH,
    on_step: Callable[[int, float], bool | None] | None = None,
) -> tuple[float, ...]:
    """Change all parameters of `generator` by `steps` steps of Adam; gives the cross-entropy in nats per code of each.

    Batches are drawn from `seed` alone, without replacement within a pass over the examples. `on_step(done, loss)` is
    called behind each step and may evaluate the generator; True ends the training. Raises `EvalkitError` for a
    generator that cannot be trained here, and where there is no example.
    """
    if not examples or steps < 0 or batch < 1:
        raise EvalkitError(
            f"{len(examples)} examples, {steps} steps of {batch} given. Give at least one example and step"
        )
    learner = learner_of(generator)
    # a decoder of images that drew already holds inference tensors; the codes' likelihood does not depend on it
    trained = [parameter for parameter in learner.network.parameters() if not parameter.is_inference()]
    optimiser = torch.optim.Adam(trained, lr=learning_rate)
    for parameter in trained:
        parameter.requires_grad_(True)
    losses: list[float] = []
    try:
        for done, chosen in enumerate(_batches(len(examples), steps, batch, seed), start=1):
            loss = _loss(learner, [examples[i] for i in chosen])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            losses.append(float(loss.detach()))
            if on_step is not None and on_step(done, losses[-1]):
                break
    finally:
        for parameter in trained:
            parameter.requires_grad_(False)
    return tuple(losses)


def _loss(learner: Learner, examples: Sequence[Example]) -> Tensor:
    codes = torch.tensor([example.codes for example in examples], device=learner.device)
    return flat_cross_entropy(learner.logits(learner.conditions([e.prompt for e in examples]), codes), codes)


def _batches(count: int, steps: int, batch: int, seed: int) -> Iterator[list[int]]:
    """Places of the examples of each step: shuffled passes, cut into batches of equal size."""
    rng, ahead = Random(f"finetune-{seed}"), list[int]()
    for _ in range(steps):
        while len(ahead) < min(batch, count):
            ahead += rng.sample(range(count), count)
        yield ahead[:batch]
        ahead = ahead[batch:]
