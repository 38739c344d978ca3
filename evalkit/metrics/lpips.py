"""LPIPS, the learned perceptual distance (Zhang et al. 2018, arXiv:1801.03924); its networks are encoders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from evalkit.metrics.aggregate import MeanOf
from evalkit.metrics.metric import Metric, Pair, View, floats
from evalkit.protocols import Protocol

NETS = {"alex": "AlexNet", "vgg": "VGG-16", "squeeze": "SqueezeNet"}


@dataclass(frozen=True)
class Distance:
    """The column of a distance that an encoder gives for each pair."""

    encoder: str

    def __call__(self, pair: Pair) -> Mapping[str, float]:
        """The distance, under the name of the encoder."""
        return {self.encoder: float(pair.evidence[self.encoder])}


def _named_by(net: str) -> Callable[[Protocol], bool]:
    return lambda protocol: net in protocol.lpips.nets


def _declared(net: str) -> Metric:
    name = f"lpips_{net}"
    shown: dict[str, frozenset[View]] = {
        "alex": frozenset({"headline", "spread", "plane", "kept"}),
        "vgg": frozenset({"headline", "spread", "plane"}),
    }
    return Metric(
        name=name,
        label=f"LPIPS ({NETS[net]})",
        title=f"learned perceptual distance ({net})",
        better="lower",
        low=0.0,
        source="Zhang et al. 2018, arXiv:1801.03924",
        level="pair",
        task="reconstruction",
        needs=(name,),
        columns=floats(name),
        compute=Distance(name),
        aggregate=MeanOf(name),
        under=_named_by(net),
        family="lpips",
        shown=shown.get(net, frozenset({"headline", "spread"})),
    )


LPIPS = {net: _declared(net) for net in NETS}
DECLARED = tuple(LPIPS.values())
