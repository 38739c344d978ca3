"""D-AR's sequential diffusion tokenizer (arXiv 2505.23660; showlab/D-AR tokenizer/tokenizer_image/vq_model.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from evalkit.errors import EvalkitError
from evalkit.tokenizers.base import Codes
from evalkit.tokenizers.nets.dar import DarSize, DenoisingCore, GatedBlock, plain_norm
from evalkit.tokenizers.nets.quantize import Codebook
from evalkit.tokenizers.registry import register
from evalkit.tokenizers.shapes import NoiseTokenizer

TABLE = 1024  # rows of the official query and position tables, of which the first `tokens` are used

BASE = DarSize()


@dataclass(frozen=True)
class DarConfig:
    """Sizes (official: configs/tokenizer_v1.yaml); step i of `steps` sees the i-th share of the codes only."""

    size: DarSize = BASE
    layers: int = 8
    patch: int = 16
    side: int = 256
    tokens: int = 256
    codes: int = 16384
    code_dim: int = 8
    query_dim: int = 8
    depth: int = 12
    pixel_patch: int = 8
    steps: int = 8
    data_std: float = 0.6
    time_shift: float = 2.0

    def times(self) -> Tensor:
        """Float32 [steps + 1] from 0 (noise) to 1 (image)."""
        t = torch.tensor([i / self.steps for i in range(self.steps)] + [1.0])
        return t / (t + self.time_shift * (1 - t))


class DiffusionDecoder(nn.Module):
    """Holds the denoising network under its official name, `net`."""

    def __init__(self, config: DarConfig) -> None:
        super().__init__()
        self.net = DenoisingCore(config.size, config.depth, config.pixel_patch)


class DarNetwork(nn.Module):
    """Encoder (patches and causal queries), codebook, causal decoder of the codes, diffusion decoder of the pixels."""

    def __init__(self, config: DarConfig) -> None:
        super().__init__()
        width = config.size.width
        self.patchify = nn.Conv2d(3, width, config.patch, stride=config.patch)
        self.query_embedding = nn.Embedding(TABLE, config.query_dim)
        self.query_linear = nn.Linear(config.query_dim, width)
        self.encoder_layers = nn.ModuleList(GatedBlock(config.size) for _ in range(config.layers))
        self.quant_in_conv = nn.Conv2d(width, config.code_dim, 1, bias=False)
        self.quantize = Codebook(config.codes, config.code_dim, l2=True)
        self.quant_out_conv = nn.Conv2d(config.code_dim, width, 1, bias=False)
        self.decoder_embedding = nn.Embedding(TABLE, width)
        self.decoder_layers = nn.ModuleList(GatedBlock(config.size) for _ in range(config.layers))
        self.diff_decoder = DiffusionDecoder(config)
        self.config = config

    def prequant(self, x: Tensor) -> Tensor:
        """Features [B, code_dim, 1, tokens] before the nearest-code search, of images [B, 3, H, W]."""
        count = self.config.tokens
        patches = self.patchify(x)
        turn = self.config.size.turn(int(patches.shape[2]), int(patches.shape[3]), x.device)
        patches = plain_norm(patches.flatten(2).transpose(1, 2))
        queries = self.query_linear(self.query_embedding.weight[:count]).expand(len(x), -1, -1)
        tokens = torch.cat((patches, queries.to(patches.dtype)), dim=1)
        mask = torch.ones(tokens.shape[1], tokens.shape[1], dtype=torch.bool, device=x.device).tril()
        mask[:, : patches.shape[1]] = True
        for layer in self.encoder_layers:
            tokens = layer(tokens, mask, turn)
        last = plain_norm(tokens[:, -count:]).transpose(1, 2)[:, :, None]
        out: Tensor = self.quant_in_conv(last)
        return out

    def conditions(self, indices: Tensor) -> Tensor:
        """What the diffusion decoder is told: [B, tokens, W] of codes [B, tokens]; token n depends on codes up to n."""
        count = self.config.tokens
        tokens = self.quant_out_conv(self.quantize.lookup(indices, (1, count)))[:, :, 0].transpose(1, 2)
        tokens = tokens + self.decoder_embedding.weight[:count]
        mask = torch.ones(count, count, dtype=torch.bool, device=tokens.device).tril()
        for layer in self.decoder_layers:
            tokens = layer(tokens, mask)
        return plain_norm(tokens)


@register("d-ar", weights="D-AR-tokenizer_v1.pt", config=DarConfig(), aliases=("d-ar-v1",))
class Dar(NoiseTokenizer):
    """D-AR's tokenizer at 256 px; the decoder starts from noise that `seed` draws, alike for every image."""

    wrapping: ClassVar[tuple[str, ...]] = ("ema", "model")
    unused: ClassVar[tuple[str, ...]] = (r"^quantize\.codebook_used$", r"^diff_decoder\.net\.repa_out\.")
    architecture = DarNetwork
    config: DarConfig
    network: DarNetwork

    def setup(self) -> None:
        """Vocabulary and side follow from the configuration."""
        self.vocab_size, self.fixed_count = self.config.codes, self.config.tokens
        self.native_size = self.config.side
        self.multiple = self.config.patch

    def prequant(self, images: Tensor) -> Tensor:
        """Features float32 [B, tokens, code_dim] before the code search, of images [B, 3, H, W] in [0, 1]."""
        self.check_size(int(images.shape[2]), int(images.shape[3]))
        with torch.inference_mode(), self._exact():
            z = self.network.prequant(images.to(self.device, torch.float32) * 2 - 1)
        return z[:, :, 0].transpose(1, 2).float()

    def _encode(self, x: Tensor) -> Codes:
        return Codes(indices=self.network.quantize.indices(self.network.prequant(x)), grid=(1, self.config.tokens))

    def _decode(self, codes: Codes, seed: int, noise: Tensor | None) -> Tensor:
        config = self.config
        if codes.indices is None or codes.indices.shape[1] != config.tokens:
            raise EvalkitError(
                f"{self.name} decodes indices [B, {config.tokens}]; codes of shape {tuple(codes.values.shape)} given"
            )
        state = self._start(len(codes), seed, noise)
        shares = self.network.conditions(codes.indices.to(self.device)).chunk(config.steps, dim=1)
        times = config.times().to(self.device)
        before: Tensor | None = None
        for share, t, length in zip(shares, times, times.diff(), strict=False):
            speed = self.network.diff_decoder.net(state, t.expand(len(state)), share).float()
            state = state + length * (speed if before is None else 1.5 * speed - 0.5 * before)  # Adams-Bashforth
            before = speed
        return state * (1 / config.data_std)
