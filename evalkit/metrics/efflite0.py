"""KID, precision to coverage and the Vendi score of the embedded EfficientNet-lite0's features, which need no download.

They are metrics of their own: a value compares with nothing that another network gave. The Fréchet distance of the same
features is declared beside the others, in frechet.py.
"""

from __future__ import annotations

from collections.abc import Mapping

from evalkit.metrics.metric import Direction, Metric
from evalkit.metrics.score import declare_score

ENCODER = "efflite0"
PLAIN: Mapping[str, str] = {  # a metric of these features, and the one whose estimator it takes
    "fd_efflite0": "fid",
    "kid_efflite0": "kid",
    "precision_efflite0": "precision",
    "recall_efflite0": "recall",
    "density_efflite0": "density",
    "coverage_efflite0": "coverage",
    "vendi_efflite0": "vendi",
}


def _declared(
    name: str,
    label: str,
    title: str,
    better: Direction,
    source: str,
    low: float | None = 0.0,
    high: float | None = None,
    unit: str = "",
) -> Metric:
    return declare_score(
        name,
        f"{label} (EfficientNet-lite0)",
        f"{title}, of EfficientNet-lite0 features",
        better,
        source=source,
        needs=(ENCODER,),
        low=low,
        high=high,
        unit=unit,
        shown=frozenset(),
    )


_BALLS, _COUNTED = "Kynkäänniemi et al. 2019, arXiv:1904.06991", "Naeem et al. 2020, arXiv:2002.09797"
_VENDI = "Friedman and Dieng 2022, arXiv:2210.02410"
DECLARED = (
    _declared("kid_efflite0", "KID", "kernel distance", "lower", "Bińkowski et al. 2018, arXiv:1801.01401", low=None),
    _declared(
        "precision_efflite0", "Precision", "share of images in the reference's manifold", "higher", _BALLS, high=1.0
    ),
    _declared(
        "recall_efflite0", "Recall", "share of the reference in the images' manifold", "higher", _BALLS, high=1.0
    ),
    _declared("density_efflite0", "Density", "reference balls that hold an image, over k", "higher", _COUNTED),
    _declared(
        "coverage_efflite0", "Coverage", "share of reference balls that hold an image", "higher", _COUNTED, high=1.0
    ),
    _declared(
        "vendi_efflite0",
        "Vendi score",
        "effective number of different images",
        "higher",
        _VENDI,
        low=1.0,
        unit="images",
    ),
)
