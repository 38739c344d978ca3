"""CLIP image towers of any size from files in transformers' layout, by open_clip's network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from evalkit.encoders.clip_pair import open_clip_layout
from evalkit.encoders.features.clip import MEAN, STD, image_half
from evalkit.encoders.resize import resized
from evalkit.errors import DAMAGED, WeightsError
from evalkit.jsonio import read_json
from evalkit.weights.layout import fit

FILE, CONFIG = "model.safetensors", "config.json"
_NO_TEXT = {"context_length": 4, "vocab_size": 8, "width": 16, "heads": 2, "layers": 1}


class ClipVision:
    """Projected embeddings, not of unit length, of images that are cut as transformers' processor cuts them."""

    def __init__(self, folder: Path, state: Mapping[str, Tensor], device: torch.device, name: str) -> None:
        """`state`: the parameters of the folder's weights; what is not of the image tower is passed over."""
        network, self.side, self.dim = _tower(folder / CONFIG)
        layout = open_clip_layout(state)
        mine = {key.removeprefix("visual."): each for key, each in layout.items() if key.startswith("visual.")}
        fit(network, mine, folder / FILE, name)
        self.network, self.device = network.eval().requires_grad_(False).to(device), device

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        """float32 [B, dim] of uint8 [B, 3, H, W] images."""
        x = resized(images.to(self.device), self.side, "clip-transformers") / 255
        mean, std = (torch.tensor(values, device=self.device).view(3, 1, 1) for values in (MEAN, STD))
        out: Tensor = self.network((x - mean) / std)
        return out


def _tower(path: Path) -> tuple[nn.Module, int, int]:
    """(network, side of its images, width) of a config.json, of a whole CLIP or of its image tower."""
    said: Any = read_json(path)
    try:
        sizes = dict(said.get("vision_config") or said)
        width, inner = int(sizes["hidden_size"]), int(sizes.get("intermediate_size", 4 * sizes["hidden_size"]))
        side = int(sizes.get("image_size", 224))
        vision = {
            "image_size": side,
            "layers": int(sizes["num_hidden_layers"]),
            "width": width,
            "head_width": width // int(sizes["num_attention_heads"]),
            "patch_size": int(sizes["patch_size"]),
            "mlp_ratio": (inner + 0.5) / width,
        }
        dim = int(said.get("projection_dim") or sizes["projection_dim"])
        quick = str(sizes.get("hidden_act", "quick_gelu")) == "quick_gelu"
        config = {"embed_dim": dim, "vision_cfg": vision, "text_cfg": _NO_TEXT}
        return image_half(config, quick=quick), side, dim
    except DAMAGED as error:
        raise WeightsError(f"{path.name} is not of a CLIP image tower: {error}. Give the whole folder") from None
