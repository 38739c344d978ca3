"""Regeneration: an image encoded and decoded again, by any tokenizer of the zoo (n passes) or by a continuous one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor

from evalkit.errors import EvalkitError
from evalkit.images.sample import Pixels
from evalkit.tokenizers.base import Codes, Tokenizer
from evalkit.tokenizers.registry import TOKENIZERS, describe_tokenizer, load_tokenizer
from evalkit.watermark.attacks.base import Attack, seed_of
from evalkit.watermark.attacks.sizes import MOST, ROUND_TRIP, Shape, eight_bits, through, tokenizer_shape
from evalkit.watermark.attacks.spelling import Options, Parameter, register


@dataclass(frozen=True)
class TokenizerAttack(Attack):
    """An attack that holds a tokenizer; it is loaded at the first image."""

    name: str
    parameters: Mapping[str, Any]
    options: Options
    given: Tokenizer | None = None
    size: str = ROUND_TRIP
    codec: str = "png"
    network: bool = True
    packages: tuple[str, ...] = ("numpy", "pillow", "torch")
    most: ClassVar[int] = MOST  # pixels of one forward pass; larger images are seen smaller

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The model that was given, or the one of that name with the weights that the options name."""
        if self.given is not None:
            return self.given
        name = str(self.parameters["tokenizer"])
        return load_tokenizer(name, self.options.weights_of(name), self.options.device, self.options.dtype)

    def apply(self, image: Pixels, seed: int = 0) -> Pixels:
        """The attacked image."""
        return self.apply_many([image], [seed])[0]

    def apply_many(self, images: Sequence[Pixels], seeds: Sequence[int]) -> list[Pixels]:
        """The attacked images, in batches of one size."""
        return through(images, seeds, self.shape_for, self.change, self.options.batch, self.most)

    def shape_for(self, shape: Shape) -> Shape:
        """The size at which the model sees an image."""
        return tokenizer_shape(self.tokenizer, shape, self.most)

    def change(self, x: Tensor, seeds: list[int]) -> Tensor:
        """The change of float32 [B, 3, H, W] images on [0, 1] at the model's size."""
        raise EvalkitError(f"{self.name} changes nothing; use one of its subclasses")

    def release(self) -> None:
        """A model that was loaded goes."""
        self.__dict__.pop("tokenizer", None)

    def record(self) -> dict[str, Any]:
        """With the digest of the weights, which are not loaded for it."""
        model = self.given or self.__dict__.get("tokenizer")
        if model is None:
            name = str(self.parameters["tokenizer"])
            model = describe_tokenizer(name, self.options.weights_of(name))
        return {**super().record(), "most_pixels": self.most, "weights_sha256": model.weights_sha256}

    def decoded(self, codes: Codes, seeds: list[int]) -> Tensor:
        """Images of codes; a stochastic decoder gets each image's own seed."""
        if self.tokenizer.deterministic:
            return self.tokenizer.decode(codes)
        parts = [self.tokenizer.decode(_row(codes, i), seed=seed) for i, seed in enumerate(seeds)]
        return torch.cat(parts)


@dataclass(frozen=True)
class Retokenize(TokenizerAttack):
    """`passes` times encoded and decoded, rounded to 8 bits after each."""

    def change(self, x: Tensor, seeds: list[int]) -> Tensor:
        """The images after the last pass."""
        for number in range(int(self.parameters["passes"])):
            drawn = [seed_of(seed, f"pass {number}") for seed in seeds]
            x = eight_bits(self.decoded(self.tokenizer.encode(x), drawn)).float() / 255
        return x


@dataclass(frozen=True)
class LatentNoise(TokenizerAttack):
    """Encoded to a continuous latent, `sigma` times its own spread of Gaussian noise added, and decoded."""

    def change(self, x: Tensor, seeds: list[int]) -> Tensor:
        """A(phi(x) + noise) of the regeneration attacks (arXiv:2306.01953)."""
        codes = self.tokenizer.encode(x)
        if codes.latent is None:
            raise EvalkitError(
                f"{self.name}: {self.tokenizer.name} has discrete codes; type retokenize:{self.tokenizer.name}, or give "
                "a continuous one such as sd-vae-ft-mse"
            )
        z = codes.latent
        spread = z.flatten(1).std(1).reshape(-1, *[1] * (z.ndim - 1))
        drawn = [torch.randn(z.shape[1:], generator=torch.Generator().manual_seed(seed)) for seed in seeds]
        noisy = z + float(self.parameters["sigma"]) * spread * torch.stack(drawn).to(z.device)
        return self.decoded(Codes(latent=noisy, grid=codes.grid), seeds)


def _row(codes: Codes, number: int) -> Codes:
    part = codes.values[number : number + 1]
    kind = "indices" if codes.indices is not None else "bits" if codes.bits is not None else "latent"
    return Codes(**{kind: part}, scale_lengths=codes.scale_lengths, grid=codes.grid)


TOKENIZER = Parameter("tokenizer", "word")


@register(
    "retokenize", TOKENIZER, Parameter("passes", "whole", 1, 100, default=1),
    about="encoded and decoded by a tokenizer of the zoo, so many times",
)  # fmt: skip
def retokenize(name: str, values: Mapping[str, Any], options: Options) -> Attack:
    """The natural regeneration attack on tokens."""
    TOKENIZERS.get(str(values["tokenizer"]))
    return Retokenize(name, values, options)


@register(
    "vae", TOKENIZER, Parameter("sigma", low=0, high=100, default=0.0),
    about="encoded and decoded by a continuous autoencoder, with noise of sigma times the latent's spread between",
)  # fmt: skip
def vae(name: str, values: Mapping[str, Any], options: Options) -> Attack:
    """Latents are the posterior's mode; the noise is the only random part."""
    TOKENIZERS.get(str(values["tokenizer"]))
    return LatentNoise(name, values, options)
