"""The contract of every visual tokenizer: images on [0, 1] in, codes, images on [0, 1] out."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.errors import EvalkitError
from evalkit.images.sample import Pixels

if TYPE_CHECKING:
    from torch import Tensor

    from evalkit.tokenizers.batch import Batch

OPEN_CODEBOOKS = "type llamagen-vq16, var, taming-f16-16384, janus or world-vq, for example"


@dataclass(frozen=True)
class Codes:
    """What a tokenizer makes of a batch of images; exactly one of `indices`, `bits`, `latent` is given.

    `indices`: int64 [B, N] in the model's own order; codecs with a variable number of codes pad with -1.
    `bits`: int8 [B, N, bits] of 0 and 1, where an index does not fit.
    `latent`: float32 [B, C, h, w] (or the model's own shape) for continuous tokenizers.
    `scale_lengths`: codes a scale, coarse to fine, of multi-scale models. `grid`: (h, w) of the last code map where
    it is not square.
    """

    indices: Tensor | None = None
    bits: Tensor | None = None
    latent: Tensor | None = None
    scale_lengths: tuple[int, ...] = ()
    grid: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        given = [name for name in ("indices", "bits", "latent") if getattr(self, name) is not None]
        if len(given) != 1:
            raise EvalkitError(f"Codes holds exactly one of indices, bits and latent; {given or 'none'} given")

    @property
    def values(self) -> Tensor:
        """The one tensor that is given."""
        found = next(v for v in (self.indices, self.bits, self.latent) if v is not None)
        return found

    def __len__(self) -> int:
        return int(self.values.shape[0])

    def map_grid(self) -> tuple[int, int]:
        """(h, w) of the last code map: `grid`, or the square that holds the codes of the last scale."""
        if self.grid is not None:
            return self.grid
        n = self.scale_lengths[-1] if self.scale_lengths else int(self.values.shape[1])
        side = round(n**0.5)
        if side * side != n:
            raise EvalkitError(f"{n} codes do not fill a square; give codes(..., grid=(rows, columns))")
        return side, side


class Tokenizer(ABC):
    """A visual tokenizer; `encode` and `decode` take and give float32 [B, 3, H, W] on the [0, 1] scale."""

    name: str
    vocab_size: int | None = None  # None: continuous, or bits that no index holds
    bits_of_index: int | None = None  # an index packs this many bits that each mean something by themselves
    native_size: int = 256  # side of the square it was made for
    multiple: int = 1  # sides must be multiples of this
    fixed_size: bool = False  # only native_size works (learned positions)
    deterministic: bool = True  # decode(codes) is a function of the codes alone
    weights_sha256: str | None = None
    weights_source: str | None = None  # where its weights were found

    @abstractmethod
    def encode(self, images: Batch) -> Codes:
        """Codes of images [B, 3, H, W] in [0, 1], a float tensor or array; `batch.as_batch` reads them."""

    @abstractmethod
    def decode(self, codes: Codes, *, seed: int = 0, noise: Tensor | None = None) -> Tensor:
        """Images [B, 3, H, W] on the [0, 1] scale, not clamped; `seed` and `noise` matter to stochastic decoders only.

        Image b of a batch is decoded with seed `seed` whatever its place in the batch; `noise` is the initial
        state as the official sampler draws it.
        """

    @abstractmethod
    def tokens_per_image(self, height: int, width: int) -> int | None:
        """Number of codes of a height x width image; None where it depends on the image (codecs)."""

    def encode_among(
        self, images: Tensor, allowed: Tensor, *, most_cost: float = math.inf, fraction: float = 1.0
    ) -> Codes:
        """Codes of images [B, 3, H, W] in [0, 1] that avoid the codes where `allowed` is False.

        `allowed`: bool [V], [B, V], or [B, N, V] where each place has codes of its own (models of one scale only).

        The nearest allowed code in the quantiser's own metric takes the place of one that is not allowed, inside the
        residual loop of multi-scale models. `most_cost` and `fraction`: see `nets.search.Among`. Raises
        `EvalkitError` for tokenizers that do not search a codebook.
        """
        raise EvalkitError(f"{self.name} searches no codebook, so its codes cannot be restricted; {OPEN_CODEBOOKS}")

    def features(self, images: Tensor) -> Tensor:
        """What codes are made from, float32 [B, n], as a differentiable function of images [B, 3, H, W] in [0, 1].

        Raises `EvalkitError` for tokenizers without gradients (codecs, compiled networks).
        """
        raise EvalkitError(f"{self.name} has no gradients; give a tokenizer that is a network, such as llamagen-vq16")

    def codes(
        self,
        *,
        indices: Tensor | None = None,
        bits: Tensor | None = None,
        latent: Tensor | None = None,
        grid: tuple[int, int] | None = None,
    ) -> Codes:
        """Codes from given values in the model's own order."""
        return Codes(
            indices=None if indices is None else indices.long(),
            bits=None if bits is None else bits.char(),
            latent=None if latent is None else latent.float(),
            grid=grid,
        )

    def bits_per_code(self) -> float | None:
        """Bits that one code carries at a uniform rate: log2 of the vocabulary, or None for continuous codes."""
        import torch  # here, so that codecs do without it

        return None if not self.vocab_size else float(torch.log2(torch.tensor(float(self.vocab_size))))

    def image_bits(self, codes: Codes) -> list[float | None]:
        """Bits spent on each image of the batch (None where the codes are continuous)."""
        if codes.bits is not None:
            return [float(codes.bits[0].numel())] * len(codes)
        rate = self.bits_per_code()
        if codes.indices is None or rate is None:
            return [None] * len(codes)
        return [float((row >= 0).sum()) * rate for row in codes.indices]

    def check_size(self, height: int, width: int) -> None:
        """Raise unless the tokenizer takes height x width images."""
        if self.fixed_size and (height, width) != (self.native_size, self.native_size):
            raise EvalkitError(
                f"{self.name} takes {self.native_size}x{self.native_size} images only (learned positions); "
                f"{height}x{width} given. Leave out --size, or resize first"
            )
        if height % self.multiple or width % self.multiple:
            raise EvalkitError(f"{self.name} takes sides that are multiples of {self.multiple}; {height}x{width} given")


class PixelTokenizer(Tokenizer):
    """A tokenizer of 8-bit images whose codes are the bytes of a file; it works without torch, in any thread."""

    @abstractmethod
    def to_bytes(self, image: Pixels) -> bytes:
        """The codes of a uint8 [H, W, 3] image."""

    @abstractmethod
    def to_image(self, stream: bytes) -> Pixels:
        """uint8 [H, W, 3] of codes; raises an exception of any kind where they are no image."""
