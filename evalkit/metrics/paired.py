"""What an acceleration changed and gained: images beside those of a baseline that had the same prompts and seeds.

Whoever draws the same output distribution by other means (speculative decoding, distillation) may draw other images from
the same seeds: low fidelity then says that images differ, not that they are worse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from evalkit.errors import EvalkitError
from evalkit.metrics.generation import EVALUATIONS, PEAK_MEMORY, SPEED_UP
from evalkit.metrics.lpips import NETS
from evalkit.metrics.metric import Metric, everywhere

TASK = "paired"
_declared = partial(
    Metric, level="sample", task=TASK, low=0.0, under=everywhere, source="evalkit.tasks.paired", shown=frozenset()
)
PSNR = _declared("paired_psnr", "PSNR to baseline", "PSNR to the baseline's image", "higher", unit="dB")
SSIM = _declared("paired_ssim", "SSIM to baseline", "SSIM to the baseline's image", "higher", low=-1.0, high=1.0)
LPIPS = {
    net: _declared(
        f"paired_lpips_{net}",
        f"LPIPS to baseline ({title})",
        "learned perceptual distance from the baseline's image",
        "lower",
        needs=(f"lpips_{net}",),
    )
    for net, title in NETS.items()
    if net in ("alex", "vgg")
}
EXACT = _declared("paired_exact", "Exact pairs", "share of images identical to the baseline's", "higher", high=1.0)
EVALUATION_RATIO = _declared(
    "evaluation_ratio",
    "Fewer evaluations",
    "evaluations of the baseline's network for each of the run's",
    "higher",
)
MEMORY_RATIO = _declared(
    "memory_ratio", "Memory beside baseline", "peak memory, as a share of the baseline's", "lower", level="set"
)
FIDELITY = (PSNR, SSIM, *LPIPS.values(), EXACT)
COST = (SPEED_UP, EVALUATIONS, EVALUATION_RATIO, PEAK_MEMORY, MEMORY_RATIO)
DECLARED = (*FIDELITY, EVALUATION_RATIO, MEMORY_RATIO)
GROUPS: Mapping[str, tuple[Metric, ...]] = {
    "psnr": (PSNR,),
    "ssim": (SSIM,),
    "lpips": tuple(LPIPS.values()),
    "exact": (EXACT,),
    "cost": COST,
}


def paired_metrics(names: Sequence[str]) -> tuple[Metric, ...]:
    """The metrics of `names`, groups spelled out and each once; all by default. Raises where a name is unknown.

    >>> [metric.name for metric in paired_metrics(["psnr", "exact"])]
    ['paired_psnr', 'paired_exact']
    """
    known = {**GROUPS, **{metric.name: (metric,) for metric in DECLARED}}
    if unknown := [name for name in names if name not in known]:
        raise EvalkitError(
            f"{unknown[0]} does not compare with a baseline. With --paired, --metrics takes {', '.join(GROUPS)}."
        )
    return tuple(dict.fromkeys(metric for name in names or GROUPS for metric in known[name]))
