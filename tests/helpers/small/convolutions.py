"""Tokenizers that are convolutional networks around a codebook, bits or latents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from evalkit.tokenizers.chameleon import Chameleon
from evalkit.tokenizers.elm import ElmBAE, ElmConfig
from evalkit.tokenizers.gumbel import TamingGumbel
from evalkit.tokenizers.ibq import Ibq
from evalkit.tokenizers.infinity import Infinity, InfinityConfig
from evalkit.tokenizers.ldm import LdmVq
from evalkit.tokenizers.llamagen import LlamaGen, LlamaGenConfig
from evalkit.tokenizers.mar import MarKl16
from evalkit.tokenizers.maskbit import MaskBit, MaskBitConfig
from evalkit.tokenizers.maskgit import MaskGitVQConfig, MaskGitVQGAN
from evalkit.tokenizers.nets.maskgit import MaskGitConfig
from evalkit.tokenizers.nets.taming import TamingConfig
from evalkit.tokenizers.open_magvit2 import OpenMagvit, OpenMagvitConfig
from evalkit.tokenizers.taming import Taming, VqganConfig
from evalkit.tokenizers.var import Var, VarConfig
from evalkit.tokenizers.world_vq import WorldVQ, WorldVQ2
from evalkit.world.vq_net import WorldVQConfig
from helpers.filled import Gains, integers, normal
from helpers.small.case import Arrays, Case
from helpers.small.images import around, read

CONV: Gains = (
    (r"(conv_in|conv1|conv2|nin_shortcut|proj_out|blocks\.\d+\.conv_out)\.weight$", 0.03),
    (r"(conv_in|conv1|conv2|nin_shortcut|proj_out|sample|conv)\.bias$", 0.003),
)
NET = TamingConfig(ch=32, mult=(1, 2), blocks=1, z=8, attention=frozenset({1}))
FUSED = TamingConfig(ch=32, mult=(1, 1, 2), blocks=1, z=6, attention=frozenset({2}), fused=True)
LLAMAGEN = LlamaGenConfig(mult=(1, 2), codes=40, code_dim=8, ch=32, blocks=1, z=8)
CONVOLUTIONS: dict[str, dict[str, Case]] = {
    "llamagen": {"": Case(LlamaGen, LLAMAGEN, around(64, 40), CONV)},
    "taming": {"": Case(Taming, VqganConfig(NET, codes=40, code_dim=6), around(64, 40), CONV)},
    "chameleon": {"": Case(Chameleon, VqganConfig(NET, codes=30, code_dim=5), around(64, 30), CONV)},
    "ldm": {"": Case(LdmVq, VqganConfig(TamingConfig(ch=32, mult=(1, 2), blocks=1, z=3), 40, 3), around(64, 40), CONV)},
    "gumbel": {"": Case(TamingGumbel, VqganConfig(NET, codes=20, code_dim=8), around(64, 20), CONV)},
    "ibq": {"": Case(Ibq, VqganConfig(NET, codes=40, code_dim=6), around(64, 40), CONV)},
}


def kl(model: Any) -> Arrays:
    return {**read(model), "decoded": model.decode(model.codes(latent=normal("latent", 1, 4, 8, 8)))}


def bits(shape: tuple[int, ...]) -> Callable[[Any], Arrays]:
    """As `around`, for codes that are bits; the first bit is 1 everywhere, so that its map is flat."""

    def run(model: Any) -> Arrays:
        given = integers("bits", 2, 1, *shape)
        given[..., 0] = 1
        return {**read(model), "decoded": model.decode(model.codes(bits=given))}

    return run


MASKBIT = MaskGitConfig(z=5, mult=(1, 2), ch=32, blocks=2, maskbit=True)
SCHEDULE = ((1, 1), (2, 3), (4, 4), (8, 8))
CONVOLUTIONS |= {
    "mar": {
        "": Case(
            MarKl16,
            TamingConfig(ch=32, mult=(1, 2), blocks=1, z=4, attention=frozenset({1}), moments=True),
            kl,
            CONV,
        )
    },
    "maskgit": {
        "": Case(
            MaskGitVQGAN,
            MaskGitVQConfig(MaskGitConfig(z=6, mult=(1, 2), ch=32, blocks=2), codes=16),
            around(64, 16),
            (*CONV, (r"^decoder\.conv_out\.weight", 0.3)),
        )
    },
    "maskbit": {
        "bits": Case(MaskBit, MaskBitConfig(MASKBIT), bits((64, 5)), CONV),
        "codes": Case(MaskBit, MaskBitConfig(MASKBIT, codes=16), around(64, 16), CONV),
    },
    "open-magvit2": {
        "": Case(OpenMagvit, OpenMagvitConfig(bits=6, mult=(1, 2), size=16, ch=32, blocks=1), bits((64, 6)), CONV)
    },
    "elm": {"": Case(ElmBAE, ElmConfig(bits=6, mult=(1, 2), ch=32, blocks=1, z=32), bits((64, 6)), CONV)},
    "var": {"": Case(Var, VarConfig((1, 2, 3, 4), FUSED, 16), around(30, 16), CONV)},
    "infinity": {
        "": Case(
            Infinity,
            InfinityConfig(6, TamingConfig(ch=32, mult=(1, 2), blocks=1, z=6, middle=False), (SCHEDULE,)),
            bits((87, 6)),
            CONV,
        )
    },
    "world-vq": {
        "": Case(
            WorldVQ,
            WorldVQConfig(48, 6, (12, 16), (16, 12, 8), (1, 1, 1)),
            around(8, 48, 16, 32, grid=(2, 4)),
            ((r"rise\.weight", 2.0),),
        )
    },
    "world-vq2": {
        "": Case(
            WorldVQ2,
            WorldVQConfig(48, 6, (12, 16), (16, 12, 8), (1, 1, 1)),
            around(8, 48, 16, 32, grid=(2, 4)),
            ((r"rise\.weight", 2.0),),
        )
    },
}
