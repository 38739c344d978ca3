"""Metric names as a reader of the page wants them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.metrics.catalog import METRICS
from evalkit.text import as_float

LABELS = {
    "psnr": "PSNR",
    "mse": "MSE",
    "ssim": "SSIM",
    "ms_ssim": "MS-SSIM",
    "lpips_alex": "LPIPS (AlexNet)",
    "lpips_vgg": "LPIPS (VGG-16)",
    "lpips_squeeze": "LPIPS (SqueezeNet)",
    "fid": "FID",
    "fd_efflite0": "FD (EfficientNet-lite0)",
    "fd_dinov2": "FD-DINOv2",
    "fd_dinov2_vitb14": "FD (DINOv2 ViT-B/14)",
    "fd_dinov2_vits14": "FD (DINOv2 ViT-S/14)",
    "fd_clip": "FD (CLIP ViT-L/14)",
    "fd_clip_vitb32": "CLIP-FID",
    "fid_infinity": "FID∞",
    "fd_efflite0_infinity": "FD∞ (EfficientNet-lite0)",
    "hf_energy": "Fine detail matched",
    "hf_added": "Fine detail added",
    "hf_correlation": "Fine detail, correlation",
    "psnr_detail": "PSNR of detailed crops",
    "hf_correlation_detail": "Correlation in detailed crops",
    "psnr_face": "PSNR of faces",
    "hf_correlation_face": "Correlation in faces",
    "face_recall": "Faces found again",
    "bpp": "Rate",
    "codes_used": "Codebook use",
    "code_perplexity": "Code perplexity",
    "survival_exact": "Survival, exact pixels",
    "survival_8bit": "Survival, 8-bit file",
    "survival_jpeg75": "Survival, JPEG 75",
    "shift_psnr": "PSNR after a shift of 4 px",
    "shift_codes": "Codes that move along",
    "cer_truth": "CER, true text",
    "cer_original": "CER, OCR of original",
    "wer_truth": "WER, true text",
    "wer_original": "WER, OCR of original",
    "ned_truth": "Edit distance, true text",
    "ned_original": "Edit distance, OCR of original",
    "word_recall_truth": "Word recall, true text",
    "word_recall_original": "Word recall, OCR of original",
}


def metric_label(metric: str) -> str:
    """The usual name of a metric, or the name in the results where it has no other."""
    return LABELS.get(metric, metric)


def metric_title(metric: str) -> str:
    """What a metric is, in words; empty for one that evalkit does not know."""
    return METRICS[metric].title if metric in METRICS else ""


def ordered_scores(scores: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Finite scores with their usual names, in the usual order.

    >>> ordered_scores({"ssim": 0.9, "psnr": 30, "cer_truth": None})
    [('PSNR', 30.0), ('SSIM', 0.9)]
    """
    order = list(LABELS)
    names = sorted(scores, key=lambda name: (order.index(name) if name in order else len(order), name))
    found = [(metric_label(name), as_float(scores[name])) for name in names]
    return [(label, value) for label, value in found if value is not None and abs(value) < float("inf")]
