"""How likely a generator of codes finds given codes: log-probabilities by teacher forcing, of the condition alone.

Neither guidance nor temperature, top-k or top-p has a part in it. The probability of an image's codes is the product over
its codes: each given those before it, of next-scale models given the scales before it (Tian et al. 2024, eq. 6).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from evalkit.errors import EvalkitError
from evalkit.generators.base import CodingGenerator, Generator, Request, TokenGenerator
from evalkit.images.geometry import fit_square
from evalkit.images.sample import Pixels
from evalkit.tokenizers.base import Tokenizer

PLACES = 512  # of an image whose probabilities of all codes are held at once
FIT = "short-bicubic"  # how images of another size reach the tokenizer


def log_probabilities(generator: TokenGenerator, requests: Sequence[Request], codes: Tensor) -> Tensor:
    """float64 [B, N, V] of every code that could stand at each place of `codes` [B, N] ([B, N, k, 2] of vectors of bits)."""
    with torch.inference_mode():
        return torch.log_softmax(generator.logits(generator.encode_conditions(requests), codes).double(), -1)


def of_codes(logs: Tensor, codes: Tensor) -> Tensor:
    """float64 [B, N]: the log-probability, in nats, of each of `codes` among `logs`; that of a vector is its bits' sum."""
    found = logs.gather(-1, codes.to(logs.device).long()[..., None]).squeeze(-1)
    return found.sum(-1) if found.ndim == 3 else found


def code_nats(generator: TokenGenerator, requests: Sequence[Request], codes: Tensor) -> Tensor:
    """float64 [B, N] on the CPU: the negative log-likelihood of each code in nats; one image at a time, so that it depends on
    no batch.
    """
    rows = []
    for request, row in zip(requests, codes, strict=True):
        with torch.inference_mode():
            logits = generator.logits(generator.encode_conditions([request]), row[None])
            parts = zip(torch.split(logits, PLACES, 1), torch.split(row[None], PLACES, 1), strict=True)
            rows.append(-torch.cat([of_codes(torch.log_softmax(x.double(), -1), part) for x, part in parts], 1))
    return torch.cat(rows).cpu()


def check_likelihood(generator: Generator) -> CodingGenerator:
    """The generator, where evalkit can tell the likelihood of an image's codes under it; raises `EvalkitError` otherwise."""
    if not isinstance(generator, TokenGenerator):
        raise EvalkitError(
            f"{generator.name} draws no discrete codes through evalkit, so images have no likelihood of codes under it. "
            "Give a model of codes, such as llamagen-b or var-d16"
        )
    if not isinstance(generator, CodingGenerator):
        raise EvalkitError(
            f"evalkit makes no codes of images for {generator.name} yet. Give a model with a tokenizer, such as llamagen-b"
        )
    return generator


class ImageLikelihood:
    """Images through a generator's own tokenizer, and the likelihood of their codes under the generator."""

    def __init__(self, generator: CodingGenerator) -> None:
        self.generator = generator
        self.side = coded_side(generator, generator.tokenizer)

    def codes(self, image: Pixels) -> Tensor:
        """int64 [1, N] ([1, N, k] of bits) of a uint8 [H, W, 3] image, brought to `side` where it has another size."""
        fitted = image if image.shape[:2] == (self.side, self.side) else fit_square(image, self.side, FIT)
        x = torch.from_numpy(fitted.copy()).permute(2, 0, 1)[None].float() / 255
        values = self.generator.tokenizer.encode(x).values
        if values.shape[1] != self.generator.tokens_per_image:
            raise EvalkitError(
                f"{self.generator.tokenizer.name} gives {values.shape[1]} codes, and {self.generator.name} draws "
                f"{self.generator.tokens_per_image}. Give the tokenizer of the model"
            )
        return values.long()

    def nats(self, image: Pixels, request: Request) -> Tensor:
        """float64 [N]: the negative log-likelihood of each code of an image under the request's prompt or class."""
        return code_nats(self.generator, [request], self.codes(image))[0]


def coded_side(generator: TokenGenerator, tokenizer: Tokenizer) -> int:
    """The side of the square images whose codes the generator draws; raises `EvalkitError` where there is none.

    Models that write smaller images than they draw (LlamaGen's of 384 px) are asked at the size that they draw.
    """
    count = generator.tokens_per_image
    sides = (tokenizer.native_size, generator.side, tokenizer.multiple * int(count**0.5))
    for side in sides:
        if side % tokenizer.multiple == 0 and tokenizer.tokens_per_image(side, side) == count:
            return side
    raise EvalkitError(
        f"no square image has {count} codes of {tokenizer.name}, which {generator.name} draws. "
        "Give the tokenizer of the model"
    )
