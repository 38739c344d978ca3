"""What embedding a watermark costs and what a detection over a folder says; the watermark's own room computes both."""

from __future__ import annotations

from functools import partial

from evalkit.metrics.metric import Direction, Metric, View, everywhere

_declared = partial(
    Metric,
    level="set",
    task="watermark-detect",
    source="evalkit.watermark",
    low=0.0,
    under=everywhere,
    shown=frozenset(),
)


def _verdict(verdict: str, label: str, title: str) -> Metric:
    return _declared(verdict.replace(" ", "_"), label, title, "none", unit="images")


def _cost(name: str, label: str, better: Direction = "higher", *, unit: str = "", low: float = 0.0) -> Metric:
    high = None if unit else 1.0
    title = f"{label}, mean over images"
    first: frozenset[View] = frozenset({"headline"}) if name in TOLD else frozenset()
    return _declared(
        name, label, title, better, unit=unit, task="watermark", level="sample", low=low, high=high, shown=first
    )


TOLD = ("green_read_back", "psnr_input", "ssim_input", "psnr_reconstruction_input")  # on the screen
# verdicts, by the words of evalkit.watermark.detection.verdict
OF_VERDICT = {
    "detected": _verdict("detected", "Detected", "images in which the mark was detected"),
    "not detected": _verdict(
        "not detected", "Not detected", "images in which it was not, which is not “not generated”"
    ),
    "inconclusive": _verdict("inconclusive", "Inconclusive", "images with too few different codes for a verdict"),
    "error": _verdict("error", "Errors", "images that could not be read"),
}
DETECTED_SHARE = _declared(
    "detected_share", "Detected share", "share of the images in which the mark was detected", "none", high=1.0
)
HYPOTHESES = _declared(
    "hypotheses", "Hypotheses", "groups of near-duplicate images that were tested", "none", unit="groups"
)
EXPECTED_FALSE = _declared(
    "expected_false_positives",
    "Expected by chance",
    "detections to expect without any marked image",
    "none",
    unit="images",
)
FALSE_CALLS = _declared(
    "decoy_false_calls",
    "False calls of decoy keys",
    "share of these very images that keys nobody marked with call, by the same rule",
    "none",
    high=1.0,
)
FOLDER_P = _declared(
    "folder_p", "p of the folder", "rank of the real key among decoy keys, over all images together", "none", high=1.0
)
WITH_REGIONS = _declared(
    "with_regions", "With marked regions", "images of which a part carries the mark", "none", unit="images"
)
WITH_GAPS = _declared(
    "with_gaps", "With gaps in the mark", "images that carry the mark and lack it in a part", "none", unit="images"
)
P_EXCESS = _declared(
    "p_excess_ks", "Excess of small p", "one-sided Kolmogorov-Smirnov distance of p from uniform", "none", high=1.0
)
P_EXCESS_P = _declared("p_excess_ks_p", "p of the excess", "p-value of that distance", "none", high=1.0)
P_MEDIAN = _declared("log10_p_median", "Median log10 p", "median of log10 p over images", "none", low=None, high=0.0)
AUC = _declared("auc", "AUC", "area under the curve of detection", "higher", task="watermark-robustness", high=1.0)
CHANGED_SHARE = _declared(
    "changed_share", "Changed share", "share of the images that an attack changed", "none", task="attack", high=1.0
)


def _count(name: str, label: str, title: str) -> Metric:
    return _declared(name, label, title, "none", unit="images", task="watermark-calibrate")


# counts of a calibration, by the words of its record
OF_NULLS = {
    "null": _count("null_images", "Null images", "images that calibrate, each group of near-copies once"),
    "failed": _count("null_failed", "Null images that failed", "images that could not be read"),
    "copies": _count("null_copies", "Copies among null images", "near-copies of another image, left out"),
    "suspicious": _count("null_suspicious", "Suspicious null images", "null images that look marked themselves"),
}

EXCHANGED = _cost("exchanged", "Codes exchanged", "lower")
GREEN_EMBEDDED = _cost("green_embedded", "Green codes, embedded")
GREEN_READ_BACK = _cost("green_read_back", "Green codes, read back from the image")
_AGAINST = {
    "input": "to the input",
    "reconstruction": "to the plain reconstruction",
    "reconstruction_input": "of the plain reconstruction to the input",
}
LIKENESS = {
    against: (
        _cost(f"psnr_{against}", f"PSNR {words}", unit="dB"),
        _cost(f"ssim_{against}", f"SSIM {words}", low=-1.0),
    )
    for against, words in _AGAINST.items()
}
EMBEDDED = (EXCHANGED, GREEN_EMBEDDED, GREEN_READ_BACK, *(each for pair in LIKENESS.values() for each in pair))


def rate_at(kind: str, level: str) -> Metric:
    """The declaration of `tpr_<level>` or `fpr_<level>`: images that are found, rightly or wrongly, at that p."""
    return _rate(f"{kind}_{level}", kind, level)


def _rate(name: str, kind: str, level: str) -> Metric:
    right = kind == "tpr"
    label = f"{'Found' if right else 'Called wrongly'}, p ≤ {level}"
    title = f"share of {'marked' if right else 'unmarked'} images with p at most {level}"
    better: Direction = "higher" if right else "lower"
    return _declared(name, label, title, better, task="watermark-robustness", high=1.0)


def discoveries(name: str, rate: str) -> Metric:
    """Hypotheses that Benjamini-Hochberg calls at this false discovery rate."""
    label, title = (
        f"Discoveries, FDR {rate}",
        f"groups that Benjamini-Hochberg calls at a false discovery rate of {rate}",
    )
    return _declared(name, label, title, "none", unit="groups")


def discoveries_at(rate: float) -> Metric:
    """The declaration of `discoveries_fdr_<rate>`."""
    return discoveries(f"discoveries_fdr_{rate:g}", f"{rate:g}")


DECLARED = (
    *OF_VERDICT.values(),
    DETECTED_SHARE,
    HYPOTHESES,
    EXPECTED_FALSE,
    FALSE_CALLS,
    FOLDER_P,
    WITH_REGIONS,
    WITH_GAPS,
    P_EXCESS,
    P_EXCESS_P,
    P_MEDIAN,
    AUC,
    *OF_NULLS.values(),
    CHANGED_SHARE,
    *EMBEDDED,
)
DECLARED_PATTERNS = {r"discoveries_fdr_([0-9.e-]+)": discoveries, r"(tpr|fpr)_([0-9.e-]+)": _rate}
