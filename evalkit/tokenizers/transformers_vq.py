"""VQ models whose network is in transformers: Janus (arXiv:2410.13848) and Emu3 (arXiv:2409.18869)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evalkit.tokenizers.base import Codes
from evalkit.tokenizers.library import LibraryTokenizer
from evalkit.tokenizers.nets.quantize import placed, raster
from evalkit.tokenizers.nets.search import CodeSearch
from evalkit.tokenizers.registry import register

# baaivision/Emu3, emu3/tokenizer/configuration_emu3visionvq.py -> transformers' Emu3VQVAEConfig
EMU3_SETTINGS = {
    "ch": "base_channels",
    "ch_mult": "channel_multiplier",
    "z_channels": "latent_channels",
    "double_z": "double_latent",
}
EMU3_SHARED = (
    "codebook_size", "embed_dim", "in_channels", "out_channels", "temporal_downsample_factor", "num_res_blocks",
    "attn_resolutions",
)  # fmt: skip
EMU3_ATTENTION = {"q": "q_proj", "k": "k_proj", "v": "v_proj", "proj_out": "out_proj"}


class TransformersTokenizer(LibraryTokenizer):
    """A VQ model by itself, or inside the folder of a whole generator (there its settings are `vq_config`)."""

    library: ClassVar[str] = "transformers"
    stem: ClassVar[str] = "model"
    inside: ClassVar[tuple[str, ...]] = ("model.vqmodel.", "vqmodel.")

    @classmethod
    def construct(cls, kind: Any, stated: Mapping[str, Any]) -> nn.Module:
        """The network that config.json describes."""
        network: nn.Module = kind(kind.config_class.from_dict(dict(stated.get("vq_config", stated))))
        return network

    def setup(self) -> None:
        """Vocabulary and stride follow from config.json."""
        self.vocab_size = int(self.network.quantize.embedding.num_embeddings)
        self.multiple = 2 ** (len(self.network.config.channel_multiplier) - 1)
        self.search = CodeSearch()


@register("janus", weights="janus")
class Janus(TransformersTokenizer):
    """The image tokenizer of Janus and Janus-Pro: LlamaGen's network, codes compared on the unit sphere.

    transformers' own `encode` leaves that normalisation out, so its codes can differ from the official ones; its
    `decode` takes one image size, this one any sides that are multiples of 16.
    """

    library_class: ClassVar[str] = "JanusVQVAE"
    holders: ClassVar[tuple[str, ...]] = ("JanusForConditionalGeneration",)
    native_size = 384

    def _table(self) -> Tensor:
        weight: Tensor = self.network.quantize.embedding.weight
        return F.normalize(weight.float(), dim=-1)

    def _encode(self, x: Tensor) -> Codes:
        z = self.network.quant_conv(self.network.encoder(x))
        flat = F.normalize(raster(z).float(), dim=-1)
        return Codes(indices=self.search.codes(flat, self._table(), len(z)), grid=(int(z.shape[2]), int(z.shape[3])))

    def _decode(self, codes: Codes, seed: int, noise: Tensor | None) -> Tensor:
        z = placed(self._table(), codes.values, codes.map_grid())
        out: Tensor = self.network.decoder(self.network.post_quant_conv(z))
        return out


@register("emu3", weights="emu3")
class Emu3(TransformersTokenizer):
    """Emu3's vision tokenizer: a still image is seen as four equal frames, and the first decoded frame is kept.

    Takes the official folder (BAAI/Emu3-VisionTokenizer) and folders in transformers' layout.
    """

    library_class: ClassVar[str] = "Emu3VQVAE"
    holders: ClassVar[tuple[str, ...]] = ("Emu3VisionVQModel", "Emu3ForConditionalGeneration")
    native_size = 512

    @classmethod
    def construct(cls, kind: Any, stated: Mapping[str, Any]) -> nn.Module:
        """The network that config.json describes, under the official names of the settings or transformers'."""
        if stated.get("model_type") != "Emu3VisionVQ":
            return super().construct(kind, stated)
        settings = {new: stated[old] for old, new in EMU3_SETTINGS.items() if old in stated}
        settings.update({key: stated[key] for key in EMU3_SHARED if key in stated})
        defaults = kind.config_class()
        width = settings.get("base_channels", defaults.base_channels)
        deepest = settings.get("channel_multiplier", defaults.channel_multiplier)[-1]
        return super().construct(
            kind, {**settings, "hidden_size": width * deepest}
        )  # attention is as wide as its level

    @classmethod
    def official_state(cls, checkpoint: dict[str, Any], network: nn.Module) -> dict[str, Tensor]:
        """Official names as transformers' conversion script renames them; its own layout is taken as it is."""
        state = super().official_state(checkpoint, network)
        if not any(key.startswith("encoder.down.") for key in state):
            return state
        return {emu3_name(key): _matrix(key, value) for key, value in state.items()}

    def _encode(self, x: Tensor) -> Codes:
        frames = x.unsqueeze(1).repeat(1, self.network.config.temporal_downsample_factor, 1, 1, 1)
        z = self.network.quant_conv(self.network.encoder(frames).permute(0, 2, 1, 3, 4))[:, :, 0]  # [B, C, T, h, w]
        return Codes(
            indices=self.search.codes(raster(z), self.network.quantize.embedding.weight, len(z)),
            grid=(int(z.shape[2]), int(z.shape[3])),
        )

    def _decode(self, codes: Codes, seed: int, noise: Tensor | None) -> Tensor:
        maps = codes.values.to(self.device, torch.long).reshape(len(codes), *codes.map_grid())
        out: Tensor = self.network.decode(maps)
        return out


def emu3_name(key: str) -> str:
    """The name in transformers of an official Emu3 parameter."""
    key = re.sub(r"\.(q|k|v|proj_out)\.(?=\w+$)", lambda m: f".{EMU3_ATTENTION[m[1]]}.", key)
    key = re.sub(r"\.mid\.attn_1\.norm\.", ".mid.attn_norm.", key)
    key = re.sub(r"\.attn\.(\d+)\.norm\.", r".attn_norms.\1.", key)
    key = re.sub(r"^(encoder|decoder)\.(down|up)\.", r"\1.\2_block.\2.", key)
    return re.sub(r"\.mid\.", ".middle_block.", key)


def _matrix(key: str, value: Tensor) -> Tensor:
    """1x1 convolutions of the official attention as the matrices they are."""
    attention = re.search(r"\.(q|k|v|proj_out)\.weight$", key)
    return value[:, :, 0, 0] if attention and value.ndim == 4 else value
