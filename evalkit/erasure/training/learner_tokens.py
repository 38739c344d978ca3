"""Learners of models that draw one code after another."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from evalkit.erasure.training.learner import Learner
from evalkit.errors import EvalkitError
from evalkit.generators.multimodal import MultimodalGenerator
from evalkit.generators.nets.decoder import Decoder
from evalkit.generators.next_token import NextTokenGenerator
from evalkit.generators.world_ar import WorldAR
from evalkit.world.text import encode_caption
from evalkit.world.text import words as world_words


class WorldLearner(Learner):
    """`world-ar` and its draft."""

    layer: ClassVar[str] = r"^blocks\.(\d+)\."
    modules: ClassVar[str] = r"\.(qkv|out)\."
    generator: WorldAR

    def null(self, conditions: Tensor) -> Tensor:
        """The empty caption."""
        return self.generator.null(conditions)

    def logits(self, conditions: Tensor, codes: Tensor) -> Tensor:
        """float32 [B, N, V]."""
        with self.generator._autocast():
            found: Tensor = self.generator.network(conditions, codes)
        return found.float()

    def states(self, conditions: Tensor, codes: Tensor) -> tuple[Tensor, int]:
        """Those of all words and of the positions of the codes."""
        with self.generator._autocast():
            return self.generator.network.whole(conditions, codes), self.generator.config.text

    def alone(self, codes: Tensor, first: int) -> Tensor:
        """A code and its place, which sees itself only."""
        network, n = self.generator.network, codes.shape[1]
        with self.generator._autocast():
            x = network.codes(codes) + network.map()[first + 1 : first + 1 + n]
            return network.states(x, torch.eye(n, dtype=torch.bool, device=codes.device))

    def words(self, prompt: str) -> tuple[int, ...]:
        """Word numbers without padding."""
        return tuple(number for number in encode_caption(prompt) if number)

    def text(self, words: Sequence[int]) -> str:
        """A caption, which need not make sense."""
        return " ".join(world_words()[number - 1] for number in words)

    def vocabulary(self) -> tuple[int, ...]:
        """All words of the world."""
        return tuple(range(1, len(world_words()) + 1))

    @property
    def embedding(self) -> str:
        """The table of words."""
        return "words.weight"


class DecoderLearner(Learner):
    """LlamaGen and those of its relatives that draw one code after another from its plain head."""

    layer: ClassVar[str] = r"^layers\.(\d+)\."
    modules: ClassVar[str] = r"\.attention\."
    generator: NextTokenGenerator

    def __init__(self, generator: NextTokenGenerator) -> None:
        super().__init__(generator)
        if type(generator.network).head_of is not Decoder.head_of or not generator.one_by_one:
            raise EvalkitError(f"{generator.name} draws codes in groups. Choose a model such as llamagen-b or world-ar")

    def null(self, conditions: Tensor) -> Tensor:
        """The unconditional class or text."""
        return self.generator.null(conditions)

    def logits(self, conditions: Tensor, codes: Tensor) -> Tensor:
        """float32 [B, N, V]."""
        found: Tensor = self.generator.network(conditions, codes)
        return found

    def states(self, conditions: Tensor, codes: Tensor) -> tuple[Tensor, int]:
        """Those of the condition's positions and of the codes."""
        net = self.generator.network
        cond = net.condition(conditions)
        at = torch.arange(codes.shape[1] - 1, device=codes.device)
        x = torch.cat([cond, net.embed(codes[:, :-1], at)], 1)
        found: Tensor = net.norm(net.run(x, cond, net.mask(conditions, x.shape[1])))
        return found, cond.shape[1] - 1

    def alone(self, codes: Tensor, first: int) -> Tensor:
        """A code that sees itself only, so that its rotary position says nothing."""
        net, n = self.generator.network, codes.shape[1]
        if type(net).steer is not Decoder.steer:
            raise EvalkitError(
                f"every block of {self.generator.name} reads the condition. Choose ear, not ear-released"
            )
        x = net.embed(codes, torch.arange(first, first + n, device=codes.device))
        found: Tensor = net.norm(net.run(x, x[:, :1], torch.eye(n, dtype=torch.bool, device=codes.device)))
        return found


class LanguageLearner(Learner):
    """Janus and Emu3, whose language model takes embeddings of codes."""

    layer: ClassVar[str] = r"language_model\.layers\.(\d+)\.|^model\.text_model\.layers\.(\d+)\."
    modules: ClassVar[str] = r"\.self_attn\."
    generator: MultimodalGenerator

    @property
    def network(self) -> nn.Module:
        """The whole model of transformers; the tokenizer inside never changes."""
        found: nn.Module = self.generator.model
        return found

    def raw(self, targets: Sequence[str], replacements: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Plain text without the chat template, each replacement cut or padded to the length of its target."""
        first, second = [self.words(text) for text in targets], [self.words(text) for text in replacements]
        fill = (self.generator.padding,)
        second = [(b + fill * len(a))[: len(a)] for a, b in zip(first, second, strict=True)]
        return self.generator.pad(first), self.generator.pad(second)

    def both(self, conditions: Tensor) -> Tensor:
        """Rows of equal length; the unconditional prompt may be the longer one."""
        other = self.null(conditions)
        length = max(conditions.shape[2], other.shape[2])
        return torch.cat([self.generator._longer(each, length) for each in (conditions, other)])

    def null(self, conditions: Tensor) -> Tensor:
        """The family's unconditional prompt."""
        return self.generator.unconditional(conditions)

    def logits(self, conditions: Tensor, codes: Tensor) -> Tensor:
        """float32 [B, N, V]."""
        hidden, ends = self.generator.states(conditions, codes)
        return self.generator.scores(hidden[:, ends]).float()

    def states(self, conditions: Tensor, codes: Tensor) -> tuple[Tensor, int]:
        """Those of the prompt and of the places where a code is predicted, without the padding that all rows begin with."""
        hidden, ends = self.generator.states(conditions, codes)
        start = int(conditions[:, 1].any(0).to(torch.uint8).argmax())
        return torch.cat([hidden[:, start : ends[0] + 1], hidden[:, ends[1:]]], 1), ends[0] - start

    def alone(self, codes: Tensor, first: int) -> Tensor:
        """Sequences of one code each, in one batch for each length; a word may stand behind a code."""
        count = codes.shape[1]
        parts = [self.generator.embed(codes[:, i : i + 1], first + i) for i in range(count)]
        found: dict[int, Tensor] = {}
        for length in {part.shape[1] for part in parts}:
            places = [i for i, part in enumerate(parts) if part.shape[1] == length]
            x = torch.cat([parts[i] for i in places])
            mask = torch.ones(x.shape[:2], dtype=torch.int64, device=x.device)
            states = self.generator.hidden(x, mask)[:, -1]
            found.update(zip(places, torch.split(states, len(codes)), strict=True))
        return torch.stack([found[i] for i in range(count)], 1)

    def words(self, prompt: str) -> tuple[int, ...]:
        """Token ids of the plain text."""
        return tuple(int(i) for i in self.generator.processor.tokenizer(prompt)["input_ids"])

    def text(self, words: Sequence[int]) -> str:
        """The text without special tokens."""
        return str(self.generator.processor.tokenizer.decode(list(words), skip_special_tokens=True)).strip()

    def vocabulary(self) -> tuple[int, ...]:
        """Tokens that stand for letters of English words."""
        tokens = self.generator.processor.tokenizer.get_vocab()
        return tuple(sorted(number for token, number in tokens.items() if re.fullmatch(r"[Ġ▁]?[a-z]+", token)))

    @property
    def embedding(self) -> str:
        """The language model's table of tokens."""
        table = self.generator.model.get_input_embeddings().weight
        return next(name for name, value in self.network.named_parameters() if value is table)
