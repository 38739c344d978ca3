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
CANNY = _declared("canny_f1", "Canny F1", "F1 of Canny's edges beside those of the control", "higher", high=1.0)
RMSE = _declared(
    "map_rmse", "RMSE of maps", "root mean squared difference of maps, such as of depth", "lower", high=255.0
)
IOU = _declared(
    "map_iou", "mIoU of maps", "mean intersection over union of maps whose colours name segments", "higher", high=1.0
)
MAP_SSIM = _declared(
    "map_ms_ssim", "MS-SSIM of maps", "MS-SSIM of maps, such as of HED's or lineart's edges", "higher", high=1.0
)
SUBJECT = {
    "dinov2-vits14": _declared(
        "subject_dinov2",
        "DINOv2",
        "cosine of DINOv2 ViT-S/14 features with the subject's",
        "higher",
        low=-1.0,
        high=1.0,
        needs=("dinov2-vits14",),
    ),
    "clip-vitb32": _declared(
        "subject_clip_i",
        "CLIP-I",
        "cosine of CLIP ViT-B/32 features with the subject's",
        "higher",
        low=-1.0,
        high=1.0,
        needs=("clip-vitb32",),
    ),
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
MAPS = (CANNY, RMSE, IOU, MAP_SSIM)
OVER_IMAGES = (*FIDELITY, *MAPS, *SUBJECT.values())  # means over pairs
DECLARED = (*OVER_IMAGES, EVALUATION_RATIO, MEMORY_RATIO)
USUAL = ("psnr", "ssim", "lpips", "exact", "cost")
GROUPS: Mapping[str, tuple[Metric, ...]] = {
    "psnr": (PSNR,),
    "ssim": (SSIM,),
    "lpips": tuple(LPIPS.values()),
    "exact": (EXACT,),
    "cost": COST,
    "canny": (CANNY,),
    "maps": MAPS,
    "subject": tuple(SUBJECT.values()),
}


def paired_metrics(names: Sequence[str]) -> tuple[Metric, ...]:
    """The metrics of `names`, groups spelled out and each once; by default those of an acceleration.

    Raises `EvalkitError` where a name is unknown.

    >>> [metric.name for metric in paired_metrics(["psnr", "exact"])]
    ['paired_psnr', 'paired_exact']
    """
    known = {**GROUPS, **{metric.name: (metric,) for metric in DECLARED}}
    if unknown := [name for name in names if name not in known]:
        raise EvalkitError(
            f"{unknown[0]} does not compare with a baseline. With --paired, --metrics takes {', '.join(GROUPS)}."
        )
    return tuple(dict.fromkeys(metric for name in names or USUAL for metric in known[name]))
