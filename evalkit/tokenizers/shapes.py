"""The two shapes that most tokenizers have: a map of codes between convolutions, and a decoder that starts from noise."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from evalkit.errors import EvalkitError
from evalkit.tokenizers.base import Codes
from evalkit.tokenizers.network import NetworkTokenizer


class MapTokenizer(NetworkTokenizer):
    """Encoder, one index for each block of its map in raster order, decoder; any sides that are multiples of a block.

    The network has `encoder`, `decoder`, and `quantize` with `indices(z)` and `lookup(values, grid)`, unless a family
    gives `_indices` and `_vectors` of its own.
    """

    projected: ClassVar[bool] = True  # 1x1 convolutions, `quant_conv` and `post_quant_conv`, stand around the codes
    network: Any

    def _indices(self, z: Tensor) -> Tensor:
        """int64 [B, h*w] of features [B, C, h, w]."""
        indices: Tensor = self.network.quantize.indices(z)
        return indices

    def _vectors(self, codes: Codes) -> Tensor:
        """Float32 [B, C, h, w]: what the codes stand for."""
        vectors: Tensor = self.network.quantize.lookup(codes.values, codes.map_grid())
        return vectors

    def _encode(self, x: Tensor) -> Codes:
        z = self.network.encoder(x)
        if self.projected:
            z = self.network.quant_conv(z)
        return Codes(indices=self._indices(z), grid=(int(z.shape[2]), int(z.shape[3])))

    def _decode(self, codes: Codes, seed: int, noise: Tensor | None) -> Tensor:
        z = self._vectors(codes)
        out: Tensor = self.network.decoder(self.network.post_quant_conv(z) if self.projected else z)
        return out


class NoiseTokenizer(NetworkTokenizer):
    """Its decoder starts from noise that `seed` draws, alike for every image of a batch; images of one size only."""

    deterministic = False
    fixed_size = True

    def initial_noise(self, seed: int) -> Tensor:
        """The state float32 [1, 3, H, W] from which `decode` starts with `seed`; the same on every device."""
        side = self.native_size
        return torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(seed))

    def _start(self, images: int, seed: int, noise: Tensor | None) -> Tensor:
        """The first state, float32 [images, 3, H, W]: `noise` where it is given; raises for other shapes."""
        start = self.initial_noise(seed) if noise is None else noise
        shape = (images, 3, self.native_size, self.native_size)
        if start.ndim != 4 or start.shape[0] not in (1, images) or start.shape[1:] != shape[1:]:
            raise EvalkitError(f"{self.name} starts from noise of shape {shape}; {tuple(start.shape)} given")
        return start.to(self.device, torch.float32).expand(shape)
