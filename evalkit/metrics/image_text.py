"""Scores of an image against its prompt, from the embeddings of both: CLIPScore in its two forms, PickScore, HPS.

They are not comparable with each other. The original CLIPScore (Hessel et al. 2021, arXiv:2104.08718) is 2.5 max(cos, 0)
with ViT-B/32 and the prefix "A photo depicts "; torchmetrics' is 100 cos, without a prefix, and clamps the mean over
images at 0 rather than each image. HPSv2 (Wu et al. 2023, arXiv:2306.09341) is the cosine itself, printed times 100.
PickScore (Kirstain et al. 2023, arXiv:2305.01569) is the cosine times the model's exp(logit scale), and a probability
only among images of one prompt. ImageReward (Xu et al. 2023, arXiv:2304.05977) is a network's output, standardised.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError
from evalkit.metrics.metric import Metric
from evalkit.metrics.score import declare_score

Array = npt.NDArray[np.float64]
WEIGHT = 2.5  # of the original CLIPScore
PREFIX = "A photo depicts "
REWARD_MEAN, REWARD_DEVIATION = 0.16717362830052426, 1.0333394966054072  # of ImageReward-v1.0


def _declared(
    name: str,
    label: str,
    title: str,
    source: str,
    needs: tuple[str, ...],
    low: float | None = None,
    high: float | None = None,
) -> Metric:
    return declare_score(name, label, title, "higher", source=source, needs=needs, low=low, high=high, level="sample")


_HPS = "Wu et al. 2023, arXiv:2306.09341"
CLIPSCORE = _declared(
    "clipscore",
    "CLIPScore",
    "2.5 max(cos, 0) of image and prompt, ViT-B/32",
    "Hessel et al. 2021, arXiv:2104.08718",
    ("clip-vitb32",),
    0.0,
    2.5,
)
CLIPSCORE_TORCHMETRICS = _declared(
    "clipscore_torchmetrics",
    "CLIPScore (torchmetrics)",
    "100 cos of image and prompt, ViT-L/14",
    "torchmetrics CLIPScore",
    ("clip-vitl14-224",),
    -100.0,
    100.0,
)
CLIP_T = _declared(
    "clip_t",
    "CLIP-T",
    "cosine of image and prompt, ViT-B/32",
    "Ruiz et al. 2023, arXiv:2208.12242",
    ("clip-vitb32",),
    -1.0,
    1.0,
)
PICKSCORE = _declared(
    "pickscore", "PickScore", "preference of people, v1", "Kirstain et al. 2023, arXiv:2305.01569", ("pickscore-v1",)
)
HPSV2 = _declared("hpsv2", "HPS v2.0", "human preference score v2.0, times 100", _HPS, ("hpsv2",), -100.0, 100.0)
HPSV2_1 = _declared("hpsv2_1", "HPS v2.1", "human preference score v2.1, times 100", _HPS, ("hpsv2-1",), -100.0, 100.0)
IMAGE_REWARD = _declared(
    "image_reward",
    "ImageReward",
    "reward of ImageReward-v1.0",
    "Xu et al. 2023, arXiv:2304.05977",
    ("image-reward",),
)
AESTHETIC = _declared(
    "aesthetic_v2",
    "Aesthetic score",
    "LAION's aesthetic predictor v2",
    "christophschuhmann/improved-aesthetic-predictor",
    ("clip-vitl14-224", "aesthetic-v2"),
)
AESTHETIC_V1 = _declared(
    "aesthetic_v1",
    "Aesthetic score v1",
    "LAION's first aesthetic predictor, on another scale than v2",
    "LAION-AI/aesthetic-predictor",
    ("clip-vitl14-224", "aesthetic-v1"),
)
DECLARED = (CLIPSCORE, CLIPSCORE_TORCHMETRICS, CLIP_T, PICKSCORE, HPSV2, HPSV2_1, IMAGE_REWARD, AESTHETIC, AESTHETIC_V1)


def cosines(images: npt.ArrayLike, texts: npt.ArrayLike) -> Array:
    """Cosine [n] of every image's embedding [n, d] with its text's [n, d].

    >>> cosines([[3.0, 4.0]], [[4.0, 3.0]]).round(2).tolist()
    [0.96]
    """
    one, two = np.asarray(images, np.float64), np.asarray(texts, np.float64)
    if one.ndim != 2 or one.shape != two.shape:
        raise EvalkitError(f"Embeddings come as two arrays [n, d]; {one.shape} and {two.shape} were given. Pair them.")
    result: Array = (_unit(one) * _unit(two)).sum(1)
    return result


def clip_scores(images: npt.ArrayLike, texts: npt.ArrayLike, *, weight: float = WEIGHT) -> Array:
    """The original CLIPScore [n]; the texts were embedded with `PREFIX` before them."""
    scores: Array = weight * np.maximum(cosines(images, texts), 0.0)
    return scores


def reference_scores(texts: npt.ArrayLike, references: Sequence[npt.ArrayLike]) -> Array:
    """Largest cosine [n], not below 0, of each text's embedding with those [k, d] of its references."""
    rows = np.asarray(texts, np.float64)
    if len(rows) != len(references):
        raise EvalkitError(
            f"{len(rows)} texts and references of {len(references)} were given. Give references for each."
        )
    best = [
        float((_unit(row[None]) @ _unit(np.asarray(k, np.float64)).T).max())
        for row, k in zip(rows, references, strict=True)
    ]
    scores: Array = np.maximum(np.array(best), 0.0)
    return scores


def ref_clip_scores(scores: npt.ArrayLike, reference: npt.ArrayLike) -> Array:
    """RefCLIPScore [n]: the harmonic mean of the original score and the references' (0 where both are 0)."""
    a, b = np.asarray(scores, np.float64), np.asarray(reference, np.float64)
    total = a + b
    means: Array = np.divide(2 * a * b, total, out=np.zeros_like(total), where=total != 0)
    return means


def mean_clip_score_torchmetrics(images: npt.ArrayLike, texts: npt.ArrayLike) -> float:
    """torchmetrics' CLIPScore of a set: 100 times the mean cosine, the mean clamped at 0."""
    return max(0.0, 100 * float(cosines(images, texts).mean()))


def pick_scores(images: npt.ArrayLike, texts: npt.ArrayLike, logit_scale: float) -> Array:
    """PickScore [n] of images and their prompts; `logit_scale` is the model's own, before exp."""
    scores: Array = np.exp(logit_scale) * cosines(images, texts)
    return scores


def pick_probabilities(scores: npt.ArrayLike) -> Array:
    """Chance [n] of each image to be preferred, from the scores of images of one prompt.

    >>> pick_probabilities([21.0, 21.0]).tolist()
    [0.5, 0.5]
    """
    values = np.asarray(scores, np.float64)
    shares = np.exp(values - values.max())
    result: Array = shares / shares.sum()
    return result


def rewards(outputs: npt.ArrayLike) -> Array:
    """ImageReward [n] from its network's outputs."""
    return (np.asarray(outputs, np.float64) - REWARD_MEAN) / REWARD_DEVIATION


def _unit(rows: Array) -> Array:
    length = np.sqrt(np.square(rows).sum(1, keepdims=True))
    result: Array = rows / np.where(length == 0, 1.0, length)
    return result
