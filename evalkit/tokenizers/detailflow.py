"""DetailFlow: ordered tokens, coarse to fine (arXiv 2505.21473; ByteFlow-AI/DetailFlow modelling/tokenizer.py)."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from evalkit.errors import EvalkitError
from evalkit.tokenizers.base import Codes
from evalkit.tokenizers.nets.detailflow import DetailFlowConfig, DetailFlowDecoder, DetailFlowEncoder
from evalkit.tokenizers.nets.quantize import Codebook
from evalkit.tokenizers.network import NetworkTokenizer
from evalkit.tokenizers.registry import register


class DetailFlowNetwork(nn.Module):
    """Encoder, linear projections around an l2-normalised codebook, decoder."""

    def __init__(self, config: DetailFlowConfig) -> None:
        super().__init__()
        self.encoder = DetailFlowEncoder(config)
        self.decoder = DetailFlowDecoder(config)
        self.quant_conv = nn.Linear(config.encoder.width, config.code_dim)
        self.post_quant_conv = nn.Linear(config.code_dim, config.decoder.width)
        self.quantize = Codebook(config.codes, config.code_dim, l2=True)


@register("detailflow-64", weights="detailflow-64", config=DetailFlowConfig(tokens=512))
@register("detailflow-32", weights="detailflow-32", config=DetailFlowConfig(tokens=256))
@register("detailflow-16", weights="detailflow-16", config=DetailFlowConfig(tokens=128))
class DetailFlow(NetworkTokenizer):
    """DetailFlow at 256 x 256. The first t codes alone decode to a coarser image."""

    wrapping: ClassVar[tuple[str, ...]] = ("model",)
    unused: ClassVar[tuple[str, ...]] = (
        r"^(global_token_proj|repa_model|repa_preprocessor|projection|refine_conv)\.",
        r"^encoder\.refined_tokens$",
        r"^quantize\.codebook_used$",
    )
    architecture = DetailFlowNetwork
    config: DetailFlowConfig
    network: DetailFlowNetwork

    def setup(self) -> None:
        """Learned positions and the number of tokens fix the size."""
        self.vocab_size, self.fixed_count = self.config.codes, self.config.tokens
        self.native_size = self.config.size
        self.fixed_size = True

    def resolution(self, tokens: int) -> int:
        """Side in pixels of what the first `tokens` codes were trained to hold: R - (R-1) ((N-t)/(N-1))^1.5."""
        self._check_tokens(tokens)
        size, most = self.config.size, self.config.tokens
        lost = (size - 1) / (most - 1) ** self.config.power * (most - tokens) ** self.config.power
        return max(1, min(size, int(size - lost)))

    @torch.inference_mode()
    def decode_prefix(self, codes: Codes, tokens: int, *, side: int | None = None) -> Tensor:
        """Images [B, 3, side, side] on the [0, 1] scale from the first `tokens` codes only, not clamped.

        `side`: a multiple of the patch; by default the smallest one that holds `resolution(tokens)`, as the official
        sampling script decodes. Raises `EvalkitError` for a number of tokens or a side that the model does not have.
        """
        patch = self.config.patch
        if side is None:
            side = math.ceil(self.resolution(tokens) / patch) * patch
        if side < patch or side % patch or side > self.config.size:
            raise EvalkitError(
                f"{self.name} does not decode a side of {side}; give {patch} to {self.config.size} in steps of {patch}"
            )
        found = codes.values.shape[1]
        if tokens > found:
            raise EvalkitError(f"the first {tokens} codes were asked for; {found} given")
        with self._autocast():
            y = self._pixels(codes.values[:, :tokens], side)
        return (y.float() + 1) / 2

    def _check_tokens(self, tokens: int) -> None:
        if not 1 <= tokens <= self.config.tokens:
            raise EvalkitError(f"{self.name} decodes 1 to {self.config.tokens} tokens per image; {tokens} given")

    def _pixels(self, indices: Tensor, side: int) -> Tensor:
        self._check_tokens(indices.shape[1])
        z = self.network.quantize.lookup(indices, (1, indices.shape[1])).squeeze(2).transpose(1, 2)
        out: Tensor = self.network.decoder(self.network.post_quant_conv(z), side)
        return out

    def _encode(self, x: Tensor) -> Codes:
        z = self.network.quant_conv(self.network.encoder(x))
        return Codes(indices=self.network.quantize.indices(z.transpose(1, 2).unsqueeze(2)))

    def _decode(self, codes: Codes, seed: int, noise: Tensor | None) -> Tensor:
        return self._pixels(codes.values, self.config.size)
