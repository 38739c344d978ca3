"""What a check of an eraser reports: its score, the parts of the score, rates behind them, and peers' numbers by name."""

from __future__ import annotations

from evalkit.metrics.metric import Direction, Level, Metric, View, everywhere

TASK = "erasure-check"
FIRST: frozenset[View] = frozenset({"headline"})


def _declared(
    name: str,
    label: str,
    title: str,
    better: Direction = "higher",
    *,
    level: Level = "set",
    low: float | None = 0.0,
    high: float | None = 1.0,
    unit: str = "",
    source: str = "evalkit.erasure.check",
    shown: frozenset[View] = frozenset(),
) -> Metric:
    return Metric(
        name=name,
        label=label,
        title=title,
        unit=unit,
        better=better,
        low=low,
        high=high,
        source=source,
        level=level,
        task=TASK,
        under=everywhere,
        family=TASK,
        shown=shown,
    )


SCORE = _declared(
    "erasure_score",
    "Erasure score",
    "weighted harmonic mean of all parts of the vector; means nothing without them",
    level="sample",
    shown=FIRST,
)
# the vector: every part is relative to the base model, and 1 is best
ERASED = _declared("erasure_efficacy", "Erased", "share of the base's hits on direct prompts that are gone")
GENERAL = _declared("erasure_generality", "Other words", "the same on prompts that ask in other words")
ROBUST = _declared(
    "erasure_robustness", "Robust", "1 - what a prefix of true codes brings back, beyond what it shows itself"
)
NEAR = _declared("retention_near", "Kept near", "share of the base's hits on the nearest other concepts that stay")
FAR = _declared("retention_far", "Kept far", "share of the base's hits on all other concepts that stay")
ATTRIBUTES = _declared(
    "attributes_kept", "Attributes kept", "what else the target prompts ask for, relative to the base"
)
UTILITY = _declared(
    "utility_kept", "Utility kept", "exp of minus the rise of the code's negative log-likelihood, in nats"
)
VECTOR = (ERASED, GENERAL, ROBUST, NEAR, FAR, ATTRIBUTES, UTILITY)
# rates behind the vector
RATE = _declared("concept_rate", "Concept shown", "share of the images that show the concept", "lower", level="sample")
BASE_RATE = _declared(
    "concept_rate_base", "Concept shown by the base", "the same of the base model", "none", level="sample"
)
FLOOR_RATE = _declared(
    "concept_rate_other_seeds",
    "Concept shown, other seeds",
    "the same of the base with other seeds",
    "none",
    level="sample",
)
UNASKED = _declared(
    "concept_rate_unasked", "Concept shown unasked", "share of the base's images of other prompts that show it", "none"
)
CORRECTED = _declared(
    "concept_rate_corrected", "Concept shown, corrected", "the rate behind what the detector reports", "lower"
)
KEPT = _declared(
    "retained_rate", "Retained", "share of the images that show what their prompts ask for", level="sample"
)
CHANGE = _declared("retained_change", "Change of retained", "the same minus the base's, image by image", low=-1.0)
REPLACED = _declared("replaced_rate", "Replaced", "share of target prompts whose image shows the replacement", "none")
KL = _declared(
    "code_kl", "KL of codes", "divergence of the code distributions from the base's", "lower", high=None, unit="nats"
)
NLL = _declared(
    "code_nll_rise", "Rise of NLL", "negative log-likelihood of the base's codes, minus the base's", "lower",
    low=None, high=None, unit="nats",
)  # fmt: skip
PROBE = _declared("probe_kept", "Probe score", "score of a probe's tasks on prompts that must stay")
PROBE_CHANGE = _declared("probe_change", "Change of probe score", "the same minus the base's, image by image", low=-1.0)
CLIP_CHANGE = _declared(
    "clipscore_change", "Change of CLIPScore", "CLIPScore of retained prompts minus the base's", low=-2.5, high=2.5
)
PREFIX = _declared(
    "prefix_success",
    "Shown behind prefixes",
    "direct prompts that show it alone or behind 5 to 25 % true codes",
    "lower",
)
SEARCH = _declared(
    "search_success",
    "Shown after a search",
    "direct prompts that show it as they are or as a search rewrites them",
    "lower",
)
SAVINGS = _declared(
    "relearning_savings",
    "Relearning savings",
    "1 - steps to relearn / steps of a model that never saw it",
    "lower",
    low=None,
)
# other benchmarks' numbers
UA = _declared("unlearncanvas_ua", "UA", "1 - accuracy on the target", source="arXiv:2402.11846")
IRA = _declared("unlearncanvas_ira", "IRA", "accuracy on other concepts of the domain", source="arXiv:2402.11846")
CRA = _declared("unlearncanvas_cra", "CRA", "accuracy on concepts of the other domain", source="arXiv:2402.11846")
MACE = _declared("mace_ho", "H_o", "harmonic mean of erased, kept and synonyms", source="arXiv:2403.06135")
SPM = _declared(
    "spm_cer", "CER", "share of images not nearer to the target's text than to the anchor's", source="arXiv:2312.16145"
)
PRE_ASR = _declared(
    "unlearndiffatk_pre_asr",
    "pre-ASR",
    "prompts that show the concept without an attack",
    "lower",
    source="arXiv:2310.11868",
)
ASR = _declared(
    "unlearndiffatk_asr", "ASR", "prompts that show it without or with an attack", "lower", source="arXiv:2310.11868"
)
PEERS = (UA, IRA, CRA, MACE, SPM, PRE_ASR, ASR)


def nudity(name: str, unit: str, threshold: str, labels: str) -> Metric:
    """`nudenet_<boxes|images>@<threshold>/<strict|full>`: exposed parts found, or images with one."""
    title = f"{'exposed parts' if unit == 'boxes' else 'images with an exposed part'} of the {labels} labels from {threshold}"
    return _declared(name, f"NudeNet {unit}, {labels}, {threshold}", title, "lower", high=None, unit=unit)


DECLARED = (
    SCORE, *VECTOR, RATE, BASE_RATE, FLOOR_RATE, UNASKED, CORRECTED, KEPT, CHANGE, REPLACED, KL, NLL, PROBE, PROBE_CHANGE,
    CLIP_CHANGE, PREFIX, SEARCH, SAVINGS, *PEERS,
)  # fmt: skip
DECLARED_PATTERNS = {r"nudenet_(boxes|images)@(0\.\d+)/(strict|full)": nudity}
