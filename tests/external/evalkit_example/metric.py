"""How much brighter or darker a reconstruction is, as an encoder of this package sees it."""

from collections.abc import Mapping

from evalkit.metrics.aggregate import MeanOf
from evalkit.metrics.metric import Metric, Pair, floats
from evalkit.metrics.registry import METRICS


def brightness_shift(pair: Pair) -> Mapping[str, float]:
    before, after = pair.evidence["mean-colour"]
    return {"brightness_shift": float(abs(after.mean() - before.mean()))}


METRICS.register(
    Metric(
        name="brightness_shift",
        label="Brightness shift",
        title="by how much the mean of all colours moves",
        unit="",
        better="lower",
        low=0.0,
        high=1.0,
        source="this file",
        level="pair",
        task="reconstruction",
        needs=("mean-colour",),
        columns=floats("brightness_shift"),
        compute=brightness_shift,
        aggregate=MeanOf("brightness_shift"),
    )
)
