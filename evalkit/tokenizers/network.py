"""Tokenizers that are torch networks: what every family shares, from the official file to images."""

from __future__ import annotations

import math
import shutil
from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from evalkit.errors import EvalkitError
from evalkit.tokenizers.base import Codes, Tokenizer
from evalkit.tokenizers.batch import Batch, as_batch
from evalkit.tokenizers.nets.search import Among, CodeSearch, listening, restricted, searches_of


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
    def outline(cls, name: str, config: Any, path: Path) -> nn.Module:
        """The network of the file or folder `path` without its weights, made where torch's device "meta" is the default."""
        return cls.build(config)

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
