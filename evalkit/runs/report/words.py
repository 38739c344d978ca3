"""Numbers, dates and metric names as a reader of the page wants them."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from evalkit.metrics.catalog import METRICS

MONTHS = (  # not strftime: the page must not change with the locale
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
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


def as_float(value: Any) -> float | None:
    """A stored number as a float: results.json writes infinities as "inf" and "-inf"; anything else is None."""
    if isinstance(value, str):
        return {"inf": float("inf"), "-inf": float("-inf")}.get(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and value == value:
        return float(value)
    return None


def ordered_scores(scores: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Finite scores with their usual names, in the usual order.

    >>> ordered_scores({"ssim": 0.9, "psnr": 30, "cer_truth": None})
    [('PSNR', 30.0), ('SSIM', 0.9)]
    """
    order = list(LABELS)
    names = sorted(scores, key=lambda name: (order.index(name) if name in order else len(order), name))
    found = [(metric_label(name), as_float(scores[name])) for name in names]
    return [(label, value) for label, value in found if value is not None and abs(value) < float("inf")]


def number_text(value: Any) -> str:
    """A number with three to four significant digits; an em dash where there is none.

    >>> [number_text(v) for v in (24.518, 0.0312, 0, 12345.6, "inf", None, -0.5)]
    ['24.52', '0.0312', '0', '12,346', '∞', '—', '−0.5000']
    """
    number = as_float(value)
    if number is None:
        return "—"
    size = abs(number)
    if size == float("inf"):
        return "∞" if number > 0 else "−∞"
    if size == 0:
        return "0"
    if size < 1e-4 or size >= 1e7:
        text = f"{number:.2e}"
    else:
        text = f"{number:,.{0 if size >= 1000 else 2 if size >= 10 else 3 if size >= 1 else 4}f}"
    return text.replace("-", "−")


def interval_text(low: Any, high: Any) -> str:
    """An interval in words, or nothing where there is none.

    >>> interval_text(22.9, 26.1)
    '22.90 to 26.10'
    """
    a, b = as_float(low), as_float(high)
    return "" if a is None or b is None else f"{number_text(a)} to {number_text(b)}"


def with_unit(text: str, unit: str) -> str:
    """A number's text with its unit behind a narrow space that does not break."""
    return f"{text}\u202f{unit}" if unit and text != "—" else text


def day_text(record: Mapping[str, Any]) -> str:
    """The day that a record was made, or nothing where it does not say.

    >>> day_text({"created": "2026-11-23T18:56:09Z"})
    '23 November 2026'
    """
    try:
        day = datetime.date.fromisoformat(str(record.get("created"))[:10])
    except ValueError:
        return ""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def counted(n: int, noun: str) -> str:
    """A count with its noun.

    >>> counted(1, "picture"), counted(1200, "picture")
    ('1 picture', '1,200 pictures')
    """
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
