"""What training needs of a generator: its network, states and logits with gradients, and rollouts of its own."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from importlib import import_module
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from evalkit.errors import EvalkitError
from evalkit.generators.base import Generator, Request, TokenGenerator
from evalkit.generators.guidance import Guidance
from evalkit.generators.sampling import Sampler, uniforms

LEARNERS = {  # generator class to (module, learner); the first base class that stands here decides
    "WorldAR": ("evalkit.erasure.training.learner_tokens", "WorldLearner"),
    "NextTokenGenerator": ("evalkit.erasure.training.learner_tokens", "DecoderLearner"),
    "MultimodalGenerator": ("evalkit.erasure.training.learner_tokens", "LanguageLearner"),
    "NextScaleGenerator": ("evalkit.erasure.training.learner_scales", "ScaleLearner"),
    "Infinity": ("evalkit.erasure.training.learner_scales", "BitScaleLearner"),
}


class Learner(ABC):
    """A generator that is trained in place.

    `network`: holds all parameters under the names of the generator's weight file. `layer`: a regular expression whose
    group is the number of a parameter's block. `modules`: the attention's parameters, which EAR changes.
    """

    layer: ClassVar[str]
    modules: ClassVar[str]
    first: int | None = None  # codes of the first scale of models that draw scale after scale

    def __init__(self, generator: TokenGenerator) -> None:
        self.generator = generator
        self.device = torch.device(generator.device)

    @property
    def network(self) -> nn.Module:
        """The trained network."""
        found: nn.Module = self.generator.network  # type: ignore[attr-defined]
        return found

    def conditions(self, prompts: Sequence[str]) -> Tensor:
        """What the network reads of the prompts. Raises `EvalkitError` for one that the generator cannot take."""
        requests = [self._request(prompt) for prompt in prompts]
        for request in requests:
            self.generator.check(request)
        with torch.no_grad():
            return self.generator.encode_conditions(requests).to(self.device).clone()

    def raw(self, targets: Sequence[str], replacements: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Conditions of pairs as EAR's release reads them, those of a pair equally long."""
        both = self.conditions([*targets, *replacements])
        return both[: len(targets)], both[len(targets) :]

    def both(self, conditions: Tensor) -> Tensor:
        """The conditions, and behind them as many unconditional ones."""
        return torch.cat([conditions, self.null(conditions)])

    @abstractmethod
    def null(self, conditions: Tensor) -> Tensor:
        """The conditions of the unconditional branch."""

    @abstractmethod
    def logits(self, conditions: Tensor, codes: Tensor) -> Tensor:
        """float32 [B, N, V] with gradients: entry i predicts code i of `codes` [B, N] (bits: [B, N, bits, 2])."""

    def states(self, conditions: Tensor, codes: Tensor) -> tuple[Tensor, int]:
        """Last hidden states [B, prefix + N, C] (behind the last norm); the state at `prefix` + i predicts code i."""
        raise self._no_states()

    def alone(self, codes: Tensor, first: int) -> Tensor:
        """[B, n, C]: states behind each of `codes` [B, n] by itself, with no history; the first stands at place `first`."""
        raise self._no_states()

    def words(self, prompt: str) -> tuple[int, ...]:
        """Numbers of the prompt's words, rows of the parameter `embedding`."""
        raise self._no_words()

    def text(self, words: Sequence[int]) -> str:
        """The prompt of these numbers."""
        raise self._no_words()

    def vocabulary(self) -> tuple[int, ...]:
        """Numbers of the words that a prompt may hold."""
        raise self._no_words()

    @property
    def embedding(self) -> str:
        """The name of the parameter that holds the words."""
        raise self._no_words()

    def sample(self, conditions: Tensor, seeds: Sequence[int], guidance: float) -> Tensor:
        """Codes [B, N] that the network draws now, at temperature 1 and without filters; row b from `seeds[b]` alone."""
        sampler = Sampler(_guidance(self.generator.default_sampler.guidance, guidance))
        draws = uniforms(seeds, self.generator.tokens_per_image)
        with torch.inference_mode():
            codes, _ = self.generator._tokens(conditions, sampler, draws, tuple(seeds))
        return codes.to(self.device).clone()

    def _request(self, prompt: str) -> Request:
        if self.generator.conditions != "class":
            return Request("pair", prompt=prompt)
        if (found := re.fullmatch(r"class (\d{1,9})", prompt)) is None:
            raise EvalkitError(
                f"{self.generator.name} draws classes; {prompt!r} given. Give prompts such as 'class 497'"
            )
        return Request("pair", class_id=int(found[1]))

    def _no_words(self) -> EvalkitError:
        return EvalkitError(f"{self.generator.name} has no words of its own. Choose another method than name-swap")

    def _no_states(self) -> EvalkitError:
        return EvalkitError(
            f"{self.generator.name} draws scale after scale, which EAR does not know. Choose first-scale or replace+retain"
        )


def learner_of(generator: Generator) -> Learner:
    """The learner of a generator. Raises `EvalkitError` for one that cannot be trained here."""
    for base in type(generator).__mro__:
        if base.__name__ in LEARNERS and isinstance(generator, TokenGenerator):
            module, name = LEARNERS[base.__name__]
            made: Learner = getattr(import_module(module), name)(generator)
            return made
    raise EvalkitError(
        f"{generator.name} cannot be trained here; world-ar, LlamaGen, Janus, Emu3, VAR and Infinity can. Choose one of them"
    )


def _guidance(own: Guidance, scale: float) -> Guidance:
    """Plain guidance of canonical strength `scale` in the numbers of the generator's own form."""
    if own.form in ("var", "flexvar"):
        return Guidance(own.form, scale - 1.0)
    return Guidance("llamagen", scale)


def flat_cross_entropy(logits: Tensor, codes: Tensor) -> Tensor:
    """Mean nats for each code (or bit) of logits [..., V] and codes [...]."""
    return torch.nn.functional.cross_entropy(logits.flatten(0, -2), codes.flatten())


def divergence(kept: Tensor, found: Tensor) -> Tensor:
    """KL [...] in nats of the distributions `found` from those that are `kept`, both as logits [..., V]."""
    p, q = kept.log_softmax(-1), found.log_softmax(-1)
    each: Any = (p.exp() * (p - q)).sum(-1)
    return torch.as_tensor(each)
