"""IBQ's tokenizers (arXiv 2412.02692; TencentARC/SEED-Voken src/IBQ/models/ibqgan.py)."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn

from evalkit.tokenizers.nets.taming import TamingConfig
from evalkit.tokenizers.registry import register
from evalkit.tokenizers.taming import Taming, Vqgan, VqganConfig
from evalkit.weights.layout import dotless_ema, unwrap

NET = TamingConfig(blocks=4, attention=frozenset({4}))


class IbqVQ(Vqgan):
    """VQGAN whose codes are chosen by the largest dot product, neither side normalised."""

    def __init__(self, config: VqganConfig) -> None:
        super().__init__(config)
        self.quantize.by_dot = True


@register("ibq-pretrain-262144", weights="IBQ_pretrain_262144.ckpt", config=VqganConfig(NET, codes=262144))
@register("ibq-pretrain-16384", weights="IBQ_pretrain_16384.ckpt", config=VqganConfig(NET, codes=16384))
@register("ibq-262144", weights="imagenet256_262144.ckpt", config=VqganConfig(NET, codes=262144))
@register("ibq-16384", weights="imagenet256_16384.ckpt", config=VqganConfig(NET, codes=16384))
@register("ibq-8192", weights="imagenet256_8192.ckpt", config=VqganConfig(NET, codes=8192))
@register("ibq-1024", weights="imagenet256_1024.ckpt", config=VqganConfig(NET, codes=1024))
class Ibq(Taming):
    """IBQ: VQGAN with stride 16 trained by index backpropagation; any sides that are multiples of 16."""

    unused: ClassVar[tuple[str, ...]] = (r"^loss\.",)
    architecture = IbqVQ
    network: IbqVQ

    @classmethod
    def official_state(cls, checkpoint: dict[str, Any], network: nn.Module) -> dict[str, Tensor]:
        """The moving average of the weights, with which the authors measure."""
        return dotless_ema(unwrap(checkpoint, ("state_dict",)), network)
