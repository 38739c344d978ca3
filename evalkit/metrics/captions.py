"""How near captions of images are to what people wrote of them: BLEU-4 over all captions, the others of each."""

from __future__ import annotations

from evalkit.metrics.bleu import COLUMNS, bleu_sums
from evalkit.metrics.cider import SCALE
from evalkit.metrics.metric import Metric, everywhere
from evalkit.metrics.sums import BySample

TASK = "captions"
BLEU = Metric(
    "bleu_4",
    "BLEU-4",
    "n-grams of 1 to 4 words of all captions that their references hold, geometric mean of the shares",
    "higher",
    level="set",
    task=TASK,
    low=0.0,
    high=1.0,
    under=everywhere,
    source="Papineni 2002",
    by_sample=BySample(bleu_sums, COLUMNS),
    shown=frozenset(),
)
CIDER = Metric(
    "cider_d",
    "CIDEr-D",
    "likeness of a caption to its references in n-grams that are rare among all references; COCO's CIDEr",
    "higher",
    level="sample",
    task=TASK,
    low=0.0,
    high=SCALE,
    under=everywhere,
    source="Vedantam 2015",
    shown=frozenset(),
)
ROUGE = Metric(
    "rouge_l",
    "ROUGE-L",
    "longest common subsequence of words with the references",
    "higher",
    level="sample",
    task=TASK,
    low=0.0,
    high=1.0,
    under=everywhere,
    source="Lin 2004",
    shown=frozenset(),
)
METEOR = Metric(
    "meteor_nltk",
    "METEOR (NLTK)",
    "words that agree with a reference exactly, by stem or by WordNet, less a penalty for their order; NLTK's, not COCO's",
    "higher",
    level="sample",
    task=TASK,
    low=0.0,
    high=1.0,
    under=everywhere,
    source="Lavie 2007",
    shown=frozenset(),
)
DECLARED = (BLEU, CIDER, ROUGE, METEOR)
