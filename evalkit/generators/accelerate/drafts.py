"""Who drafts: a smaller model, or the accelerated model's own guesses of the round before (Jacobi)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from evalkit.generators.accelerate.ahead import Ahead, AheadRunner
from evalkit.generators.base import LogitsProcessor, Request
from evalkit.generators.sampling import Sampler, law, pick


class Draft(ABC):
    """The drafts of one image. `draws` [N]: a uniform number for each position, used whenever it is drafted.

    That a position's number is used again is no loss of exactness: what is drafted before it, and whether that is kept,
    does not depend on it, and it is judged only once.
    """

    evaluations = 0

    def __init__(self, draws: Tensor) -> None:
        self.draws = draws

    @abstractmethod
    def propose(self, codes: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """(codes [count] behind `codes`, the laws [count, V] that they were drawn from)."""

    def learn(self, settled: int, begin: int, laws: Tensor) -> None:  # noqa: B027
        """`settled` codes stand now; the verifier's laws [n, V] were those of the positions from `begin` on."""


class ModelDraft(Draft):
    """A smaller model, under the sampler and the logits processors of the accelerated one."""

    def __init__(
        self,
        runner: AheadRunner,
        request: Request,
        sampler: Sampler,
        processors: Sequence[LogitsProcessor],
        draws: Tensor,
    ) -> None:
        super().__init__(draws)
        self.ahead, self.sampler = Ahead(runner, request, sampler, processors), sampler

    def propose(self, codes: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """One code after another."""
        start, laws = len(codes), []
        for position in range(start, start + count):
            laws.append(law(self.ahead.logits(codes, 1)[-1], self.sampler))
            codes = torch.cat([codes, pick(laws[-1], self.draws[position])[None]])
        self.evaluations = self.ahead.evaluations
        return codes[start:], torch.stack(laws) if laws else self.draws.new_zeros(0, 0)

    def learn(self, settled: int, begin: int, laws: Tensor) -> None:
        """The last settled code is the verifier's own, so it has not been read."""
        self.ahead.forget(settled - 1)


class JacobiDraft(Draft):
    """Speculative Jacobi decoding (arXiv 2410.01699): no second model; positions never guessed before are uniform."""

    def __init__(self, vocabulary: int, draws: Tensor) -> None:
        super().__init__(draws)
        self.vocabulary = vocabulary
        self.guessed: dict[int, Tensor] = {}

    def propose(self, codes: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Drawn from what the verifier said of each position when it last read the guesses before it."""
        uniform = torch.full((self.vocabulary,), 1 / self.vocabulary, dtype=torch.float64, device=self.draws.device)
        places = range(len(codes), len(codes) + count)
        laws = torch.stack([self.guessed.get(place, uniform) for place in places]) if count else uniform[None][:0]
        return pick(laws, self.draws[places.start : places.stop]), laws

    def learn(self, settled: int, begin: int, laws: Tensor) -> None:
        """Its laws of the positions behind those settled are the next guesses."""
        self.guessed = {begin + i: each for i, each in enumerate(laws) if begin + i >= settled}
