"""world-ar: images of the reference world from captions, trained by this project and shipped with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Self, cast

import torch
from torch import Tensor

from evalkit.errors import EvalkitError
from evalkit.generators.base import Conditions, Request, Step
from evalkit.generators.guidance import Guidance
from evalkit.generators.nets.llama import KVCache
from evalkit.generators.network import LOGIT, NetworkTokenGenerator
from evalkit.generators.pixels import to_uint8
from evalkit.generators.registry import Source, register
from evalkit.generators.sampling import Sampler
from evalkit.images.sample import Pixels
from evalkit.weights.find import find_weights
from evalkit.weights.layout import fit, without_init
from evalkit.weights.reading import file_sha256, read_checkpoint
from evalkit.world.ar_net import WorldARConfig, WorldARNet
from evalkit.world.second.int8 import widened
from evalkit.world.second.words import lexicon
from evalkit.world.text import Lexicon, first_lexicon

PART = 16  # rows that a thread has at least; its keys and values stay near the processor


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for matrices so small that threads wait for each other longer than they work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def parts_of(rows: int, threads: int) -> int:
    """Into how many batches `rows` are divided for as many threads: a power of two, `PART` rows in each at least.

    >>> parts_of(64, 2), parts_of(64, 7), parts_of(8, 7)
    (2, 4, 1)
    """
    return max(count for count in (1, 2, 4, 8, 16) if count == 1 or (count <= threads and count * PART <= rows))


@register(
    "world-ar-draft",
    weights="world_ar_draft.safetensors",
    config=WorldARConfig(width=128, layers=2, heads=2),
    tokenizer="world-vq",
)
@register("world-ar", weights="world_ar.safetensors", config=WorldARConfig(), tokenizer="world-vq")
class WorldAR(NetworkTokenGenerator):
    """64 codes, row by row, behind the words of a caption; the empty caption is the unconditional one.

    `world-ar-draft` is a small one, trained for minutes: a draft for speculative decoding, no generator to be judged.
    """

    conditions: Conditions = "text"
    rows = rows_on_cpu = 64
    one_by_one = True
    architecture = WorldARNet
    config: WorldARConfig
    network: WorldARNet

    @classmethod
    def load(cls, source: Source) -> Self:
        """The runner with the weights of its file, floats or whole numbers of one byte."""
        path = find_weights(source.weights_key or "", source.weights)
        with without_init():
            network = cls.build(source.config)
        fit(network, widened(read_checkpoint(path)), path, source.name)
        made = cls(source, network)
        made.weights_sha256 = file_sha256(path)
        return made

    def lexicon(self) -> Lexicon:
        """The words that captions may have."""
        return first_lexicon()

    def setup(self) -> None:
        """Sizes follow from the configuration."""
        self.vocab_size, self.tokens_per_image = self.config.codes, self.config.side**2
        self.side = 8 * self.config.side
        self.default_sampler = Sampler(Guidance("llamagen", 1.0))  # what it learned; stronger guidance loses places

    def row_bytes(self) -> int:
        """Keys and values, and what sampling makes of the logits."""
        config = self.config
        length = config.text + config.side**2
        return self._cache_bytes(config.layers, config.width, length) + LOGIT * config.codes

    def check(self, request: Request) -> None:
        """Also refuse words that the world does not have."""
        super().check(request)
        try:
            self.lexicon().encode(request.prompt or "")
        except EvalkitError as error:
            raise EvalkitError(f"request {request.id!r}: {error}") from None

    def encode_conditions(self, requests: Sequence[Request]) -> Tensor:
        """int64 [B, words]."""
        encode = self.lexicon().encode
        return torch.tensor([encode(request.prompt or "") for request in requests], device=self.device)

    def logits(self, conditions: Tensor, tokens: Tensor) -> Tensor:
        """float32 [B, N, V]: entry i predicts code i of `tokens` [B, N] under the words `conditions` [B, words]."""
        with torch.inference_mode(), self._autocast():
            found: Tensor = self.network(conditions.to(self.device), tokens.to(self.device))
        return found.float()

    def _tokens(
        self, conditions: Tensor, sampler: Sampler, draws: Tensor, seeds: tuple[int, ...]
    ) -> tuple[Tensor, int]:
        """On a processor each thread has some rows of its own, which is faster than all threads on each product."""
        on_cpu = conditions.device.type == "cpu" and not self.logits_processors  # those may count calls
        parts = parts_of(len(conditions), torch.get_num_threads()) if on_cpu else 1
        with one_thread():
            if parts == 1:
                return self._drawn(conditions, sampler, draws, seeds), self.tokens_per_image
            size = -(-len(conditions) // parts)

            def part(start: int) -> Tensor:
                rows = slice(start, start + size)
                return self._drawn(conditions[rows], sampler, draws[rows], seeds[start : start + size])

            with ThreadPoolExecutor(parts, initializer=torch.set_num_threads, initargs=(1,)) as pool:
                return torch.cat(list(pool.map(part, range(0, len(conditions), size)))), self.tokens_per_image

    @torch.inference_mode()
    def _drawn(self, conditions: Tensor, sampler: Sampler, draws: Tensor, seeds: tuple[int, ...]) -> Tensor:
        rows, count, guidance = len(conditions), self.tokens_per_image, sampler.guidance
        both = conditions if guidance.off else torch.cat([conditions, torch.zeros_like(conditions)])
        draws = draws.to(conditions.device)  # once, not at every step
        tokens = torch.zeros(rows, count, dtype=torch.int64, device=conditions.device)
        with self._autocast():
            logits, cache = self.network.begin(both)
            for i in range(count):
                if i:
                    logits = self.network.block(tokens[:, i - 1 : i].repeat(len(both) // rows, 1), i - 1, cache)[:, 0]
                chosen = logits.float()
                if not guidance.off:
                    chosen = guidance.combine(chosen[:rows], chosen[rows:], i / (count - 1))
                step = Step(i, range(i, i + 1), tokens[:, :i], seeds)
                tokens[:, i] = self.choose(chosen[:, None], step, sampler, draws)[:, 0]
        return tokens

    def null(self, conditions: Tensor) -> Tensor:
        """The empty caption."""
        return torch.zeros_like(conditions)

    def decoding(self, conditions: Tensor) -> WorldDecoding:
        """The state of images that grow by any number of codes at a time."""
        return WorldDecoding(self, conditions)

    def _pixels(self, tokens: Tensor, seeds: tuple[int, ...]) -> list[Pixels]:
        side = self.config.side
        return to_uint8(self._decode(tokens, seeds, (side, side)), "round")


SECOND = WorldARConfig(
    width=256, layers=6, heads=4, codes=2048, side=12, text=lexicon().length, vocabulary=len(lexicon().words) + 1
)


@register("world-ar2", weights="world_ar2.safetensors", config=SECOND, tokenizer="world-vq2")
class WorldAR2(WorldAR):
    """The second edition: 144 codes of world-vq2 behind the words of a caption; its weights are whole numbers."""

    def lexicon(self) -> Lexicon:
        """The second edition's words."""
        return lexicon()

    def setup(self) -> None:
        """Guidance of 3 meets more captions than what it learned, and leaves places and images as various."""
        super().setup()
        self.default_sampler = Sampler(Guidance("llamagen", 3.0))


class WorldDecoding:
    """Images of captions [B, words] that grow by any number of codes at a time."""

    def __init__(self, runner: WorldAR, conditions: Tensor) -> None:
        self.runner, self.conditions = runner, conditions
        self.cache: KVCache | None = None

    def first(self) -> Tensor:
        """float32 [B, V] of the first code."""
        with self.runner._autocast(), one_thread():
            logits, self.cache = self.runner.network.begin(self.conditions)
        return logits.float()

    def block(self, codes: Tensor, start: int) -> Tensor:
        """float32 [B, n, V] behind codes [B, n] from position `start` on; whatever stood there before is forgotten."""
        if self.cache is None:
            self.first()
        with self.runner._autocast(), one_thread():
            found: Tensor = self.runner.network.block(codes, start, cast(KVCache, self.cache))
        return found.float()
