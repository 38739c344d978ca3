"""Were outputs made by a model that was trained on marked images? All of them together against decoy keys.

A model that saw marked images favours green codes a little, in every output: too little for one image, and outputs share
codes, so counts must not be pooled as if they were independent. The mean score of the outputs is one number for each key,
and its rank among decoy keys is exact for outputs that share codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evalkit.errors import EvalkitError
from evalkit.images.sample import ImageSet
from evalkit.jobs.options import RunOptions
from evalkit.runs.store import Run
from evalkit.text import counted
from evalkit.tokenizers.base import Tokenizer
from evalkit.watermark.detection.decoy_scores import MANY
from evalkit.watermark.detection.detect import detect_watermark
from evalkit.watermark.detection.scan_spec import Cache
from evalkit.watermark.detection.verdict import Rule
from evalkit.watermark.keys import Key
from evalkit.watermark.methods import MarkSpec

KEYS = 999  # decoy keys where nobody says how many


@dataclass(frozen=True)
class Radioactive:
    """`p` of the outputs as a whole, `mean` their mean score in spreads of an image's, `images` how many had codes.

    `found`: p is at most `alpha`. `run`: the detection that it rests on.
    """

    p: float
    mean: float
    images: int
    keys: int
    alpha: float
    run: Run

    @property
    def found(self) -> bool:
        """Whether the outputs carry a trace of the mark."""
        return self.p <= self.alpha

    def line(self) -> str:
        """The finding as the terminal tells it."""
        key = self.run.record["detection"]["mark"]
        ids = dict.fromkeys(each["key_id"] for each in key.get("marks", [key]))
        trace = f"the mark of key {', '.join(ids)}"
        said = f"{counted(self.images, 'output')}, mean score {self.mean:+.3f}, p {self.p:.2g} among {self.keys:,} decoy keys"
        if self.found:
            return (
                f"These outputs carry a trace of {trace} ({said}): marked images, or a model that was trained on some."
            )
        return f"No trace of {trace} in these outputs ({said}). That does not mean that no marked image was trained on."


def radioactive(
    outputs: str | Path | ImageSet,
    key: str | Path | Key | Sequence[str | Path | Key],
    tokenizer: str | Tokenizer | None = None,
    *,
    mark: MarkSpec | str | Path | None = None,
    epochs: Sequence[str] = (),
    frequencies: str | Path | None = None,
    alpha: float = 0.01,
    decoys: int = KEYS,
    cache: Cache = None,
    options: RunOptions | None = None,
) -> Radioactive:
    """Whether `outputs` carry a trace of the mark of `key`; arguments as of `detect_watermark`.

    Outputs of a model that never saw a marked image are found with a chance of at most `alpha`. Raises `EvalkitError`
    where so few decoys cannot tell `alpha`, or something does not fit.
    """
    Rule(alpha)
    if 1 / (decoys + 1) > alpha or decoys > MANY:
        needed = min(MANY, max(99, round(1 / alpha)))
        raise EvalkitError(
            f"{decoys:,} decoy keys cannot tell p {alpha:g} here; give --decoys {needed}"
            + (f" and --alpha {1 / MANY:.1g}" if 1 / alpha > MANY + 1 else "")
        )
    run = detect_watermark(
        outputs,
        key,
        tokenizer,
        mark=mark,
        epochs=epochs,
        frequencies=frequencies,
        alpha=alpha,
        search="none",
        decide="decoys",
        decoys=decoys,
        cache=cache,
        options=options,
    )
    told = run.record["detection"]
    if "decoys" not in told:
        raise EvalkitError("none of the outputs could be read, so nothing can be said of them. Give a folder of images")
    images = run.record["data"]["n"] - told["counts"]["error"]
    return Radioactive(told["decoys"]["mean_p"], told["decoys"]["mean_score"], images, decoys, alpha, run)
