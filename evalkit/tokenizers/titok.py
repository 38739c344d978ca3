"""TiTok: 32 to 256 tokens in one dimension (arXiv 2406.07550; bytedance/1d-tokenizer modeling/titok.py)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from evalkit.errors import EvalkitError
from evalkit.tokenizers.base import Codes
from evalkit.tokenizers.nets.maskgit import Decoder
from evalkit.tokenizers.nets.quantize import Codebook
from evalkit.tokenizers.nets.titok import BASE, LARGE, SMALL, TiTokConfig, TiTokDecoder, TiTokEncoder, VitSize
from evalkit.tokenizers.network import NetworkTokenizer
from evalkit.tokenizers.registry import register


def two_stage(tokens: int, size: VitSize) -> TiTokConfig:
    """The first models: l2-normalised 4096 x 12 codebook, MaskGIT's decoder behind the transformer."""
    return TiTokConfig(tokens, size, size, codes=4096, token_dim=12, legacy=True)


def vae(tokens: int, encoder: VitSize, decoder: VitSize) -> TiTokConfig:
    """The continuous models with 16 channels a token."""
    return TiTokConfig(tokens, encoder, decoder, codes=0, token_dim=16)


class TiTokNetwork(nn.Module):
    """Encoder with learned latent tokens, codebook (none in VAE variants), decoder; legacy: MaskGIT's decoder too."""

    def __init__(self, config: TiTokConfig) -> None:
        super().__init__()
        width = config.encoder.width
        self.encoder = TiTokEncoder(config)
        self.decoder = TiTokDecoder(config)
        self.latent_tokens = nn.Parameter(width**-0.5 * torch.randn(config.tokens, width))
        if config.codes:
            self.quantize = Codebook(config.codes, config.token_dim, l2=config.legacy)
        if config.legacy:
            self.pixel_quantize = Codebook(config.pixel_codes, config.pixel.z, l2=False)
            self.pixel_decoder = Decoder(config.pixel)

    def to_pixels(self, z: Tensor) -> Tensor:
        """Images [B, 3, S, S], not clamped, of token vectors [B, d, 1, N]."""
        y: Tensor = self.decoder(z)
        if not self.decoder.config.legacy:
            return y
        weights = y.float().softmax(1).permute(0, 2, 3, 1)
        mixed = weights @ self.pixel_quantize.table()
        out: Tensor = self.pixel_decoder(mixed.permute(0, 3, 1, 2))
        return out


@register("titok-bl128-vae", weights="titok-bl128-vae", config=vae(128, BASE, LARGE))
@register("titok-bl64-vae", weights="titok-bl64-vae", config=vae(64, BASE, LARGE))
@register("titok-ll32-vae", weights="titok-ll32-vae", config=vae(32, LARGE, LARGE))
@register("titok-sl256", weights="titok-sl256", config=TiTokConfig(256, SMALL, LARGE), aliases=("titok-sl256-vq8k",))
@register("titok-bl128", weights="titok-bl128", config=TiTokConfig(128, BASE, LARGE), aliases=("titok-bl128-vq8k",))
@register("titok-bl64", weights="titok-bl64", config=TiTokConfig(64, BASE, LARGE), aliases=("titok-bl64-vq8k",))
@register("titok-s128", weights="titok-s128", config=two_stage(128, SMALL))
@register("titok-b64", weights="titok-b64", config=two_stage(64, BASE))
@register("titok-l32", weights="titok-l32", config=two_stage(32, LARGE))
class TiTok(NetworkTokenizer):
    """TiTok at 256 x 256. VAE variants give the posterior's mode as latent [B, 16, 1, N]; `encode_sampled` samples."""

    value_range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    architecture = TiTokNetwork
    config: TiTokConfig
    network: TiTokNetwork

    def setup(self) -> None:
        """Learned positions fix the size."""
        self.vocab_size, self.fixed_count = self.config.codes or None, self.config.tokens
        self.native_size = self.config.size
        self.fixed_size = True

    @torch.inference_mode()
    def encode_sampled(self, images: Tensor, *, seed: int = 0) -> Codes:
        """A sample of the VAE's posterior, as the official encode draws it; each image by itself from `seed`.

        `images`: float32 [B, 3, H, W] in [0, 1]. Raises `EvalkitError` for models with a codebook.
        """
        if self.config.codes:
            raise EvalkitError(f"{self.name} has a codebook, so nothing is sampled; call encode")
        self.check_size(int(images.shape[2]), int(images.shape[3]))
        mean, logvar = self._posterior(images.to(self.device, torch.float32))
        noise = torch.randn(1, *mean.shape[1:], generator=torch.Generator().manual_seed(seed))
        return Codes(latent=mean + torch.exp(0.5 * logvar) * noise.to(mean.device))

    def _posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        with self._exact():
            mean, logvar = self.network.encoder(x, self.network.latent_tokens).float().chunk(2, dim=1)
        return mean, logvar.clamp(-30.0, 20.0)

    def _encode(self, x: Tensor) -> Codes:
        if not self.config.codes:
            return Codes(latent=self._posterior(x)[0])
        return Codes(indices=self.network.quantize.indices(self.network.encoder(x, self.network.latent_tokens)))

    def _decode(self, codes: Codes, seed: int, noise: Tensor | None) -> Tensor:
        values = codes.values.to(self.device)
        found = values.shape[-1]
        if found != self.config.tokens:
            raise EvalkitError(f"{self.name} decodes {self.config.tokens} tokens per image; {found} given")
        if self.config.codes:
            values = self.network.quantize.lookup(values, (1, found))
        return self.network.to_pixels(values)
