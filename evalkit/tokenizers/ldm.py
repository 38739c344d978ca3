"""VQ first stages of latent diffusion (arXiv:2112.10752; CompVis/latent-diffusion, models/first_stage_models)."""

from __future__ import annotations

from evalkit.tokenizers.nets.taming import TamingConfig
from evalkit.tokenizers.registry import register
from evalkit.tokenizers.taming import Taming, VqganConfig

F4 = VqganConfig(TamingConfig(mult=(1, 2, 4), z=3), codes=8192, code_dim=3)
F8 = VqganConfig(TamingConfig(mult=(1, 2, 2, 4), z=4, attention=frozenset({3})), codes=16384, code_dim=4)
F8_N256 = VqganConfig(F8.net, codes=256, code_dim=4)
F16 = VqganConfig(TamingConfig(z=8, attention=frozenset({4})), codes=16384, code_dim=8)


@register("ldm-vq-f16", weights="ldm-vq-f16", config=F16)
@register("ldm-vq-f8-n256", weights="ldm-vq-f8-n256", config=F8_N256)
@register("ldm-vq-f8", weights="ldm-vq-f8", config=F8)
@register("ldm-vq-f4", weights="ldm-vq-f4", config=F4)
class LdmVq(Taming):
    """taming's network with few latent channels, trained on OpenImages; the codes are those of the official model.ckpt."""
