"""Which pairs and which retained prompts a training takes from files."""

from __future__ import annotations

from pathlib import Path

from evalkit.erasure.pairs.pair import STRATA, Pair, read_pairs
from evalkit.errors import EvalkitError
from evalkit.prompts.load import load_prompts


def training_pairs(path: Path, strata: tuple[str, ...], limit: int | None = None) -> tuple[Pair, ...]:
    """The pairs of the split `train` in the given strata. Raises `EvalkitError` where there is none."""
    if unknown := [stratum for stratum in strata if stratum not in STRATA]:
        raise EvalkitError(f"there is no stratum {unknown[0]!r}. Give some of {', '.join(STRATA)}")
    found = tuple(pair for pair in read_pairs(path) if pair.split == "train" and pair.stratum in strata)
    if not found:
        raise EvalkitError(f"{path} holds no pair to train on in the strata {', '.join(strata)}. Change --strata")
    return found[:limit]


def retained_prompts(path: Path | None, pairs: Path, *, needed: bool) -> tuple[str, ...]:
    """Different prompts of a file; by default of `retain.jsonl` beside the pairs.

    Raises `EvalkitError` where they are `needed` and there is none.
    """
    place = path or pairs.parent / "retain.jsonl"
    if path is None and not place.is_file():
        if not needed:
            return ()
        raise EvalkitError(
            "the retention term needs prompts without the concept. Give --retain FILE, or --retain-weight 0"
        )
    prompts = [each.prompt for each in load_prompts(place).prompts if each.prompt]
    return tuple(dict.fromkeys(prompts))
