"""Hita-V and Hita-U: holistic slots beside a map of codes (arXiv 2507.02358; CVMI-Lab/Hita vq_model.py)."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from evalkit.encoders.features.vit_dinov2 import DinoV2
from evalkit.errors import EvalkitError, WeightsError
from evalkit.tokenizers.base import Codes
from evalkit.tokenizers.llamagen import Decoder, Encoder
from evalkit.tokenizers.nets.dinov2 import normalised
from evalkit.tokenizers.nets.hita import HitaConfig, HitaDecoder, HitaEncoder
from evalkit.tokenizers.nets.quantize import Codebook
from evalkit.tokenizers.network import NetworkTokenizer
from evalkit.tokenizers.registry import register
from evalkit.weights.find import find_weights, weights_manifest
from evalkit.weights.layout import fit, without_init
from evalkit.weights.reading import read_checkpoint

BACKBONE = "dinov2_vitl14_reg4_pretrain.pth"


class HitaVQ(nn.Module):
    """Convolutions, transformers and two l2-normalised codebooks; the frozen backbone is a network of its own."""

    def __init__(self, config: HitaConfig) -> None:
        super().__init__()
        conv = config.convolutions
        self.encoder = Encoder(conv)
        self.decoder = Decoder(conv)
        self.encode_transformer = HitaEncoder(config)
        self.decode_transformer = HitaDecoder(config)
        self.quantize = Codebook(conv.codes, conv.code_dim, l2=True)
        self.quant_conv = nn.Conv2d(config.width, conv.code_dim, 1)
        self.post_quant_conv = nn.Conv2d(conv.code_dim, config.width, 1)
        self.slot_quantize = Codebook(conv.codes, config.slot_dim, l2=True)
        self.pre_slots_quant = nn.Linear(config.width, config.slot_dim)
        self.post_slots_quant = nn.Linear(config.slot_dim, config.width)

    def indices(self, x: Tensor, features: Tensor) -> Tensor:
        """Codes [B, S + h*w], slots first, of images and of the backbone's features of the same images."""
        z, slots = self.encode_transformer(self.encoder(x), features)
        slot_map = self.pre_slots_quant(slots).transpose(1, 2).unsqueeze(2)
        return torch.cat([self.slot_quantize.indices(slot_map), self.quantize.indices(self.quant_conv(z))], dim=1)

    def image(self, slots: Tensor, patches: Tensor, grid: tuple[int, int]) -> Tensor:
        """Images of slot codes [B, S] and patch codes [B, h*w]."""
        slot_vectors = self.slot_quantize.lookup(slots, (1, slots.shape[1])).flatten(2).transpose(1, 2)
        z = self.post_quant_conv(self.quantize.lookup(patches, grid))
        out: Tensor = self.decoder(self.decode_transformer(z, self.post_slots_quant(slot_vectors)))
        return out


@register("hita-u", weights="hita-ultra.pt", config=HitaConfig())
@register("hita-v", weights="hita-tok.pt", config=HitaConfig())
class Hita(NetworkTokenizer):
    """Hita: 128 slot codes, then one code for each 16 x 16 block; made for 336 x 336 images.

    Decoding needs the tokenizer's file alone. Encoding also needs the DINOv2 backbone, which is looked for at the
    first image, or given to `load_backbone`.
    """

    wrapping: ClassVar[tuple[str, ...]] = ("ema", "model", "state_dict")
    unused: ClassVar[tuple[str, ...]] = (
        r"^(slot_)?quantize\.codebook_used$",
        r"^encode_transformer\.backbone\.",
        r"^decode_transformer\.(mask_embedding$|norm_vfm\.|proj\.)",  # Hita-U's training target
    )
    architecture = HitaVQ
    config: HitaConfig
    network: HitaVQ
    backbone: DinoV2 | None = None

    def setup(self) -> None:
        """Vocabulary, size and stride follow from the configuration."""
        self.vocab_size = self.config.convolutions.codes
        self.native_size = self.config.size
        self.multiple = self.config.stride

    def load_backbone(self, path: str | Path | None = None) -> DinoV2:
        """Load DINOv2 ViT-L/14 with registers from its official file (by default searched as all weights are).

        Raises `WeightsError` that says where to get the file where it is not found.
        """
        try:
            found = find_weights(BACKBONE, path)
        except WeightsError as error:
            if path is not None:
                raise
            raise WeightsError(
                f"{self.name} can decode, but to encode it needs the DINOv2 backbone {BACKBONE}. Get it from "
                f"{weights_manifest()[BACKBONE].where}, and put it into a folder named in EVALKIT_WEIGHTS, "
                "or call load_backbone(PATH)"
            ) from error
        checkpoint = read_checkpoint(found)
        with without_init():
            backbone = DinoV2(self.config.backbone)
        fit(backbone, checkpoint, found, f"the backbone of {self.name}", unused=(r"^mask_token$",))
        self.backbone = backbone.eval().requires_grad_(False).to(self.device)
        return self.backbone

    def tokens_per_image(self, height: int, width: int) -> int:
        """The slots, and one code for each stride x stride block."""
        return self.config.slots + (height // self.multiple) * (width // self.multiple)

    def _encode(self, x: Tensor) -> Codes:
        backbone = self.backbone or self.load_backbone()
        features = backbone(normalised(x, self.config.backbone.size))
        grid = (x.shape[2] // self.multiple, x.shape[3] // self.multiple)
        return Codes(indices=self.network.indices(x, features), grid=grid)

    def _decode(self, codes: Codes, seed: int, noise: Tensor | None) -> Tensor:
        values, slots = codes.values, self.config.slots
        side = round(max(values.shape[1] - slots, 0) ** 0.5)
        grid = codes.grid or (side, side)
        if grid[0] * grid[1] != values.shape[1] - slots or not grid[0]:
            raise EvalkitError(
                f"{self.name} takes {slots} slot codes and then the patch codes of a {grid[0]}x{grid[1]} map; "
                f"{values.shape[1]} codes given. Give codes(indices=…, grid=(rows, columns))"
            )
        return self.network.image(values[:, :slots], values[:, slots:], grid)
