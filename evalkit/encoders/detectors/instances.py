"""From the class and mask logits of a mask classifier (Cheng et al. 2022, arXiv:2112.01527) to instances.

The steps are those of mmdet's MaskFormerFusionHead.instance_postprocess, at the full size of the image. The best
query-class pairs of the whole grid are taken. Masks grow in two bilinear steps: to the network's input, then to the
image. The score is class probability x mean mask probability inside the mask; the box is the mask's extent.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from evalkit.encoders.detectors.detection import Box, Boxes, Detection
from evalkit.encoders.detectors.rle import Mask

MOST = 100  # instances of an image
_AT_ONCE = 10  # masks that are held at the image's full size


def instances(
    class_logits: Tensor,
    mask_logits: Tensor,
    *,
    classes: Sequence[str],
    padded: tuple[int, int],
    inside: tuple[int, int],
    size: tuple[int, int],
    floor: float = 0.0,
    most: int = MOST,
) -> Boxes:
    """The instances of one image, the surest first; `floor` leaves out those of a lower score.

    `class_logits` [queries, classes + 1] with "no object" last, `mask_logits` [queries, h, w]. `padded`, `inside`,
    `size`: height and width of the network's input, of the image inside it, and of the image itself. A score never
    exceeds its class probability, so masks of pairs below `floor` need not be made.
    """
    probability = class_logits.softmax(-1)[:, :-1]
    best = probability.flatten().topk(min(most, probability.numel()))
    keep = best.values >= floor
    pairs = [(int(i) // len(classes), int(i) % len(classes)) for i in best.indices[keep].tolist()]
    sureness = dict(zip(pairs, best.values[keep].tolist(), strict=True))
    seen = _masks(mask_logits, sorted({query for query, _ in pairs}), padded, inside, size)
    found = []
    for (query, which), share in sureness.items():
        quality, box, mask = seen[query]
        if share * quality >= floor:
            found.append(Detection(classes[which], box, min(1.0, share * quality), mask))
    return tuple(sorted(found, key=lambda each: -each.score))


def _masks(
    logits: Tensor, queries: list[int], padded: tuple[int, int], inside: tuple[int, int], size: tuple[int, int]
) -> dict[int, tuple[float, Box, Mask | None]]:
    """Mean probability inside, box and mask of each of the `queries`."""
    found: dict[int, tuple[float, Box, Mask | None]] = {}
    for start in range(0, len(queries), _AT_ONCE):
        chosen = queries[start : start + _AT_ONCE]
        large = _upsampled(logits[chosen], padded, inside, size)
        on = large > 0
        quality = (large.sigmoid() * on).flatten(1).sum(1) / (on.flatten(1).sum(1) + 1e-6)
        for query, share, pixels in zip(chosen, quality.tolist(), on, strict=True):
            box = extent(pixels)
            found[query] = share, box, Mask.of(pixels.cpu().numpy()) if box[2] else None
    return found


def _upsampled(masks: Tensor, padded: tuple[int, int], inside: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Mask logits [n, h, w] at the image's `size` [n, H, W]."""
    large = F.interpolate(masks[:, None].float(), size=padded, mode="bilinear", align_corners=False)
    cut = large[:, :, : inside[0], : inside[1]]
    return F.interpolate(cut, size=size, mode="bilinear", align_corners=False)[:, 0]


def extent(pixels: Tensor) -> Box:
    """The tight box of a bool [H, W] mask, right and bottom just outside; all zeros for an empty one.

    >>> extent(torch.tensor([[False, False], [False, True]]))
    (1.0, 1.0, 2.0, 2.0)
    """
    columns, rows = (torch.nonzero(pixels.any(dim)).flatten() for dim in (0, 1))
    if not len(columns):
        return 0.0, 0.0, 0.0, 0.0
    return float(columns[0]), float(rows[0]), float(columns[-1]) + 1, float(rows[-1]) + 1
