"""The contract of every visual tokenizer: images on [0, 1] in, codes, images on [0, 1] out."""

from __future__ import annotations

import math
import shutil
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from evalkit.errors import EvalkitError
from evalkit.tokenizers.batch import Batch, as_batch
from evalkit.tokenizers.nets.search import Among, CodeSearch, listening, restricted, searches_of

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
            bits=None if bits is None else bits.to(torch.int8),
            latent=None if latent is None else latent.float(),
            grid=grid,
        )

    def bits_per_code(self) -> float | None:
        """Bits that one code carries at a uniform rate: log2 of the vocabulary, or None for continuous codes."""
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


class NetworkTokenizer(Tokenizer):
    """A tokenizer that is a torch network with an official checkpoint.

    A family subclasses it and gives `architecture` (or `build`), `_encode` and `_decode`; range conversion, devices,
    dtypes, size checks and the loading of the official wrapping are done here. `config` is its frozen dataclass.
    """

    architecture: ClassVar[type[nn.Module] | None] = None  # its parameter names are the official checkpoint's keys
    value_range: ClassVar[tuple[float, float]] = (-1.0, 1.0)  # what the network was trained on
    wrapping: ClassVar[tuple[str, ...]] = ()  # top-level keys an official loader tries, in its order
    prefixes: ClassVar[tuple[str, ...]] = ()  # stripped from every key that has them
    unused: ClassVar[tuple[str, ...]] = ()  # regular expressions of checkpoint keys that inference does not need
    fixed_count: int | None = None  # codes of every image; None: one for each `multiple` x `multiple` block
    from_folder: ClassVar[bool] = False  # a library or a program builds it, from the folder of its weights only

    def __init__(self, name: str, config: Any, network: nn.Module, device: torch.device, dtype: torch.dtype) -> None:
        self.name = name
        self.config = config
        self.device = device
        self.dtype = dtype
        self.network = network.eval().requires_grad_(False).to(device=device)
        for parameter in self.network.parameters():
            if parameter.ndim == 4:  # convolutions run faster, and equal, with channels last
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        self.setup()

    @classmethod
    def build(cls, config: Any) -> nn.Module:
        """The network without its weights; raises `EvalkitError` where only the folder of the weights describes it."""
        if cls.architecture is None:
            raise EvalkitError(f"{cls.__name__} is built from its folder; use load_tokenizer(name, weights=FOLDER)")
        return cls.architecture(config)

    @classmethod
    def load_network(cls, name: str, config: Any, path: Path) -> nn.Module:
        """The network with the weights of the official file (or folder) `path`; raises `WeightsError`."""
        from evalkit.weights.layout import fit, without_init
        from evalkit.weights.reading import read_checkpoint

        checkpoint = read_checkpoint(path)
        with without_init():
            network = cls.build(config)
        fit(network, cls.official_state(checkpoint, network), path, name, unused=cls.unused)
        return network

    @classmethod
    def official_state(cls, checkpoint: dict[str, Any], network: nn.Module) -> dict[str, Tensor]:
        """The state dict that the official loader would choose; override where the rule is a special one (EMA)."""
        from evalkit.weights.layout import unwrap

        return unwrap(checkpoint, cls.wrapping, cls.prefixes)

    def setup(self) -> None:
        """Set the attributes that follow from `config` (vocab_size, native_size, …)."""

    def tokens_per_image(self, height: int, width: int) -> int:
        """`fixed_count`, or one code (or latent vector) for each block of `multiple` x `multiple` pixels."""
        return self.fixed_count or (height // self.multiple) * (width // self.multiple)

    @abstractmethod
    def _encode(self, x: Tensor) -> Codes:
        """Codes of images in the network's own value range."""

    @abstractmethod
    def _decode(self, codes: Codes, seed: int, noise: Tensor | None) -> Tensor:
        """Images in the network's own value range."""

    @torch.inference_mode()
    def encode(self, images: Batch) -> Codes:
        """Codes of images [B, 3, H, W] in [0, 1], a float tensor or array."""
        x = self._scaled(as_batch(images))
        with self._exact():
            return self._encode(x)

    def _scaled(self, images: Tensor) -> Tensor:
        """Images on the device in the network's own value range; raises for sizes it does not take."""
        self.check_size(int(images.shape[2]), int(images.shape[3]))
        low, high = self.value_range
        return images.to(self.device, torch.float32, memory_format=torch.channels_last) * (high - low) + low

    @torch.inference_mode()
    def encode_among(
        self, images: Tensor, allowed: Tensor, *, most_cost: float = math.inf, fraction: float = 1.0
    ) -> Codes:
        """Codes that avoid those where `allowed` is False; see `Tokenizer.encode_among`."""
        searches = self.searches()
        if not searches:
            return super().encode_among(images, allowed)
        places = self.tokens_per_image(int(images.shape[2]), int(images.shape[3]))
        shapes = {(self.vocab_size,), (len(images), self.vocab_size), (len(images), places, self.vocab_size)}
        if allowed.dtype != torch.bool or tuple(allowed.shape) not in shapes or not bool(allowed.any(-1).all()):
            raise EvalkitError(
                f"allowed is bool [{self.vocab_size}] or [{len(images)}, {self.vocab_size}] for {self.name} with at "
                f"least one code True; {allowed.dtype} {tuple(allowed.shape)} given"
            )
        x = self._scaled(as_batch(images))
        with self._exact(), restricted(searches, Among(allowed.to(self.device), most_cost, fraction)):
            return self._encode(x)

    def searches(self) -> list[CodeSearch]:
        """Where codes are searched for: parts of the network, or one that a family holds beside it."""
        return searches_of(self.network)

    def features(self, images: Tensor) -> Tensor:
        """The latent, the features that codes are searched for, or the encoder's output, [B, n]; see `Tokenizer`."""
        encoder = getattr(self.network, "encoder", None)
        with torch.enable_grad(), self._exact(), listening(self.searches(), encoder) as heard:
            codes = self._encode(self._scaled(images))
        parts = heard if codes.latent is None else [codes.latent]
        if not parts or (images.requires_grad and not any(part.requires_grad for part in parts)):
            return super().features(images)
        return torch.cat([part.float().flatten(1) for part in parts], dim=1)

    @torch.inference_mode()
    def decode(self, codes: Codes, *, seed: int = 0, noise: Tensor | None = None) -> Tensor:
        """Images [B, 3, H, W] on the [0, 1] scale, not clamped unless the official decode clamps inside."""
        low, high = self.value_range
        with self._autocast():
            y = self._decode(codes, seed, noise).float()
        if (
            self.dtype == torch.float16 and not torch.isfinite(y).all()
        ):  # float16 ends at 65504; some decoders exceed it
            y = self._decode(codes, seed, noise).float()
        return (y - low) / (high - low)

    def compile(self) -> None:
        """Let torch compile the network's parts at their first use; raises `EvalkitError` where nothing can compile."""
        if self.device.type == "cpu" and not shutil.which("g++") and not shutil.which("clang++"):
            raise EvalkitError("--compile needs a C++ compiler on a CPU (g++ or clang++); install one or leave it out")
        for name, part in self.network.named_children():
            if any(True for _ in part.parameters()):
                setattr(self.network, name, torch.compile(part))

    def _exact(self) -> torch.autocast:
        """Encoding always runs in float32: in lower precision codes flip (docs/speed.md), and with them all that follows."""
        return torch.autocast(self.device.type, enabled=False)

    def _autocast(self) -> torch.autocast:
        low_precision = self.dtype in (torch.bfloat16, torch.float16)
        return torch.autocast(self.device.type, dtype=self.dtype if low_precision else None, enabled=low_precision)
