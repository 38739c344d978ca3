"""Tokenizers with transformers: sequences of codes, slots, diffusion decoders."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from evalkit.encoders.features.vit_dinov2 import DinoSize, DinoV2
from evalkit.tokenizers.bsqvit import BsqVit, BsqVitConfig
from evalkit.tokenizers.dar import Dar, DarConfig
from evalkit.tokenizers.detailflow import DetailFlow
from evalkit.tokenizers.flexvar import FlexVar
from evalkit.tokenizers.flowmo import FlowMo, FlowMoConfig, FlowSampler
from evalkit.tokenizers.gigatok import GigaTok, GigaTokConfig, QFormerSize
from evalkit.tokenizers.hita import Hita
from evalkit.tokenizers.nets.dar import DarSize
from evalkit.tokenizers.nets.detailflow import DetailFlowConfig, SiglipSize
from evalkit.tokenizers.nets.dinov2 import normalised
from evalkit.tokenizers.nets.flowmo import FluxSize
from evalkit.tokenizers.nets.hita import HitaConfig
from evalkit.tokenizers.nets.hita_layers import LayerSize
from evalkit.tokenizers.nets.maskgit import MaskGitConfig
from evalkit.tokenizers.nets.titok import TiTokConfig, VitSize
from evalkit.tokenizers.titok import TiTok
from helpers.filled import Gains, fill, integers, normal
from helpers.small.case import Arrays, Case
from helpers.small.convolutions import CONV, LLAMAGEN, bits
from helpers.small.images import around, image, read


def flexvar(model: Any) -> Arrays:
    """The ten scales of an image that is not square, and one scale alone to an image."""
    given = model.codes(indices=integers("codes", 40, 1, 64))
    return {**read(model, 20, 12), "decoded": model.decode(given)}


def prefixes(model: Any) -> Arrays:
    """DetailFlow's whole image, and the smaller one that its first codes give."""
    given = model.codes(indices=integers("codes", 16, 1, 8))
    return {**read(model), "decoded": model.decode(given), "prefix": model.decode_prefix(given, 4, side=12)}


def diffused(model: Any) -> Arrays:
    """D-AR's features and codes, and codes to an image from given noise."""
    given = model.codes(indices=integers("codes", 64, 1, 8))
    return {
        **read(model),
        "prequant": model.prequant(image()),
        "decoded": model.decode(given, noise=normal("noise", 1, 3, 16, 16)),
    }


def flowed(model: Any) -> Arrays:
    """FlowMo's code before its signs, the bits, velocities of early and late states, and an image of three steps."""
    given = model.codes(bits=integers("bits", 2, 1, 4, 6))
    noise = normal("noise", 1, 3, 16, 16)
    return {
        "prequant": model.prequant(image()),
        "codes": model.encode(image()).values,
        "early": model.velocity(given, noise, 0.9),
        "late": model.velocity(given, noise, 0.05),
        "decoded": model.decode(given, noise=0.1 * noise),
    }


DINO = DinoSize(width=12, layers=2, heads=3, patch=4, positions=3, registers=2, size=8)


def with_backbone(model: Any) -> Arrays:
    """Hita on an image of another shape than its own, whose positions are resized; the backbone sees it smaller."""
    backbone = DinoV2(DINO).eval().requires_grad_(False)
    fill(
        backbone,
        ((r"(attn\.proj|mlp\.fc2|patch_embed\.proj)\.", 0.03), (r"pos_embed|token", 0.2), (r"fc1\.weight", 2.0)),
        "backbone.",
    )
    model.backbone = backbone
    given = model.codes(indices=integers("codes", 40, 1, 6 + 40), grid=(4, 10))
    small = normalised(image(40, 24) * 2 - 1, DINO.size)
    return {
        **read(model, 16, 12),
        "decoded": model.decode(given),
        "small": small,
        "large": normalised(image(4, 4).round() * 2 - 1, DINO.size),
        "backbone": backbone(small),
    }


VIT: Gains = (
    (r"(out_proj|c_proj|fc2|linear2|attention\.proj|w3|to_out\.0)\.(weight|bias)$", 0.03),
    (
        r"(positional_embedding|pos_embed|position_embedding|latent_tokens?|mask_token|class_embedding|carrier_tokens)",
        0.2,
    ),
    (r"(c_fc|fc1|linear1)\.weight$", 2.0),
    (r"^(encoder|decoder)\.(conv1|patch_embed|decoder_embed)|patch_embedding|patchify", 0.05),
    (r"post_quant_(conv|embed)\.", 0.05),
    (r"(ln|norm)_pre\d?\.", 0.03),
)
SEQUENCES: dict[str, dict[str, Case]] = {
    "titok": {
        "codes": Case(
            TiTok,
            TiTokConfig(4, VitSize(16, 2, 2), VitSize(32, 1, 4), codes=32, token_dim=6, size=16, patch=4),
            around(4, 32),
            VIT,
        ),
        "two-stage": Case(
            TiTok,
            TiTokConfig(
                4,
                VitSize(16, 2, 2),
                VitSize(16, 2, 2),
                codes=32,
                token_dim=6,
                legacy=True,
                size=16,
                patch=4,
                pixel_codes=12,
                pixel=MaskGitConfig(z=8, mult=(1, 2), ch=32, blocks=1),
            ),
            around(4, 32),
            (*VIT, *CONV, (r"ffn\.2\.weight", 4.0)),
        ),
        "latents": Case(
            TiTok,
            TiTokConfig(4, VitSize(16, 1, 2), VitSize(16, 1, 4), codes=0, token_dim=6, size=8, patch=4),
            lambda model: {
                **read(model, 8, 8),
                "sampled": model.encode_sampled(image(8, 8), seed=3).values,
                "decoded": model.decode(model.codes(latent=normal("latent", 1, 6, 1, 4))),
            },
            VIT,
        ),
    },
    "bsqvit": {
        "": Case(BsqVit, BsqVitConfig(5, size=16, patch=4, width=32, layers=2, heads=4, hidden=64), bits((16, 5)), VIT)
    },
    "gigatok": {
        "": Case(
            GigaTok,
            GigaTokConfig(
                QFormerSize(16, 2, 2),
                QFormerSize(24, 2, 3),
                codes=64,
                tokens=32,
                size=16,
                mult=(1, 2),
                ch=32,
                blocks=1,
                z=8,
            ),
            around(32, 64),
            (
                *VIT,
                *CONV,
                (r"s1to2decoder\.conv_out", 0.03),
                (r"(encoder|decoder)_embed", 0.05),
                ("global_proj", 2.0),
                ("positional_embedding$", 15.0),
                (r"multihead_attn\.in_proj_weight", 6.0),
                (r"^encoder\.conv_out", 0.03),
            ),
        )
    },
    "hita": {
        "": Case(
            Hita,
            HitaConfig(replace(LLAMAGEN, z=16), 6, 8, LayerSize(16, 2, 2, 24), shift=2, size=12, backbone=DINO),
            with_backbone,
            (
                *VIT,
                *CONV,
                (r"proj\.mlp\.[03]\.", 0.003),
                (r"proj\.mlp\.[14]\.bias", 10.0),
                (r"transformer\d?\.norm\.|encoder\.conv_out", 0.05),
            ),
        )
    },
    "flexvar": {"": Case(FlexVar, LLAMAGEN, flexvar, CONV)},
    "detailflow": {
        "": Case(
            DetailFlow,
            DetailFlowConfig(8, 2, 16, 4, SiglipSize(16, 2, 2, 24), SiglipSize(12, 2, 3, 20), 16, 4, 4),
            prefixes,
            VIT,
        )
    },
    "d-ar": {
        "": Case(
            Dar,
            DarConfig(DarSize(32, 16), 2, 4, 16, 8, 64, depth=2, pixel_patch=4, steps=4),
            diffused,
            (
                *VIT,
                (r"query_linear|decoder_embedding|quant_out_conv|conv_in|cond_mlp|cond_embed\.2", 0.05),
                ("gate[12]", 10.0),
                (r"attention\.[qk]\.|cross_attn\.[qk]\.", 0.05),
            ),
        )
    },
    "flowmo": {
        "": Case(
            FlowMo,
            FlowMoConfig(
                6,
                3,
                slots=4,
                size=16,
                encoder=FluxSize(32, 2, (4, 6, 6)),
                decoder=FluxSize(48, 2, (4, 6, 6)),
                sampler=FlowSampler(steps=3, power=1.0, interval=(0.1, 4.0)),
            ),
            flowed,
            (
                (r"(img|txt)_attn\.proj\.", 0.6),
                (r"(img|txt)_mlp\.2\.", 0.03),
                ("qkv", 0.05),
                (r"_in\.weight|(img|txt)_in\.bias", 0.05),
                ("time_in", 2.0),
                (r"mlp\.0\.weight", 2.0),
            ),
        )
    },
}
