"""One code after another behind a class or a caption: the loop of LlamaGen and its closest relatives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from evalkit.errors import EvalkitError
from evalkit.generators.base import Request, Step
from evalkit.generators.guidance import Guidance
from evalkit.generators.nets.decoder import Decoder, DecoderSizes, Decoding
from evalkit.generators.network import LOGIT, NetworkTokenGenerator
from evalkit.generators.sampling import Sampler
from evalkit.images.sample import Pixels


def class_ids(requests: Sequence[Request], classes: int, name: str, device: torch.device | str) -> Tensor:
    """int64 [B]; raises `EvalkitError` for a class that the model does not have."""
    ids = []
    for request in requests:
        if request.class_id is None or not 0 <= request.class_id < classes:
            raise EvalkitError(
                f"{name} knows the classes 0 to {classes - 1}; request {request.id!r} gives {request.class_id}"
            )
        ids.append(request.class_id)
    return torch.tensor(ids, device=device)


class NextTokenGenerator(NetworkTokenGenerator):
    """Guided decoding with a cache of keys and values; conditional and unconditional rows run as one batch."""

    wrapping: ClassVar[tuple[str, ...]] = ("model", "module", "state_dict")
    unused: ClassVar[tuple[str, ...]] = (r"^freqs_cis$",)
    network: Decoder
    config: DecoderSizes
    classes: int
    rows_of_codes: int | None = None  # of the square code map; None for codes in a learned order
    resize: int | None = None  # the side to which the official script resizes images before it saves them

    def setup(self) -> None:
        """Sizes, and the sampler of most authors; a family adds its own."""
        self.classes, self.vocab_size = self.config.classes, self.config.codes
        self.default_sampler = Sampler(Guidance("llamagen", self.config.scale))

    def lower(self, network: nn.Module) -> None:
        """All parameters; norms and rotary tables work in float32 all the same."""
        for parameter in network.parameters():
            parameter.data = parameter.data.to(self.dtype)

    def row_bytes(self) -> int:
        """Keys and values, and what sampling makes of the logits."""
        length = self.tokens_per_image + (getattr(self.config, "caption_tokens", 0) or 1)
        return self._cache_bytes(self.config.layers, self.config.width, length) + LOGIT * self.vocab_size

    def encode_conditions(self, requests: Sequence[Request]) -> Tensor:
        """Class ids [B]."""
        return class_ids(requests, self.classes, self.name, self.device)

    def logits(self, conditions: Tensor, tokens: Tensor) -> Tensor:
        """float32 [B, N, V]: entry i predicts token i of `tokens` [B, N] under the condition alone.

        `tokens` may be the first ones of an image. Raises `EvalkitError` where there are too many.
        """
        if not 0 < tokens.shape[1] <= self.tokens_per_image or len(conditions) != len(tokens):
            raise EvalkitError(
                f"{self.name} takes 1 to {self.tokens_per_image} tokens for each condition; "
                f"{len(conditions)} conditions and tokens of shape {tuple(tokens.shape)} given"
            )
        with torch.inference_mode():
            logits: Tensor = self.network(conditions.to(self.device), tokens.to(self.device))
        return logits

    def _tokens(
        self, conditions: Tensor, sampler: Sampler, draws: Tensor, seeds: tuple[int, ...]
    ) -> tuple[Tensor, int]:
        rows, count, guidance = len(conditions), self.tokens_per_image, sampler.guidance
        draws = draws.to(conditions.device)  # once, not at every step
        guided = not guidance.off
        both = torch.cat([conditions, self.network.null(conditions)]) if guided else conditions
        decoding = Decoding(self.network, both, count)
        tokens = torch.zeros(rows, count, dtype=torch.int64, device=conditions.device)
        logits = decoding.first()
        for i in range(count):
            if i:
                # what guidance no longer needs is not computed any more
                guided = guided and guidance.active(i - 1)
                last = tokens[:, i - 1]
                logits = decoding.after(torch.cat([last, last]) if guided else last)
            if guided:
                logits = guidance.combine(logits[:rows], logits[rows:], i / max(count - 1, 1))
            step = Step(i, range(i, i + 1), tokens[:, :i], seeds)
            tokens[:, i] = self.choose(logits[:, None], step, sampler, draws)[:, 0]
        return tokens, count

    def null(self, conditions: Tensor) -> Tensor:
        """The conditions of the unconditional branch."""
        return self.network.null(conditions)

    @property
    def one_by_one(self) -> bool:
        """Whether codes are drawn one after the other; some relatives draw groups."""
        return type(self)._tokens is NextTokenGenerator._tokens

    def decoding(self, conditions: Tensor) -> Decoding:
        """The state of images that grow by any number of codes at a time."""
        return Decoding(self.network, conditions, self.tokens_per_image)

    def _pixels(self, tokens: Tensor, seeds: tuple[int, ...]) -> list[Pixels]:
        from evalkit.generators.pixels import to_uint8

        grid = (self.rows_of_codes, self.rows_of_codes) if self.rows_of_codes else None
        return to_uint8(self._decode(tokens, seeds, grid), "llamagen", resize=self.resize)
