"""Decoys of every method: their scores are distributed as those of real keys, and the count is the detector's own."""

import hashlib

import numpy as np
import pytest

from evalkit.errors import EvalkitError
from evalkit.watermark.decoys import families
from evalkit.watermark.decoys.families import decoy_key, decoys_of
from evalkit.watermark.keys import Key
from evalkit.watermark.methods import MarkSpec, Several, build_mark

CODES = np.minimum(np.random.default_rng(0).geometric(0.02, (12, 64)) - 1, 255)
BOOK = np.random.default_rng(1).normal(size=(256, 3))
COUNTS = np.arange(256, 0, -1.0)
SPECS = {
    "lbw": MarkSpec("lbw"),
    "gamma .3": MarkSpec("lbw", gamma=0.3),
    "cap": MarkSpec("lbw", cap=3),
    "pool": MarkSpec("lbw", lists=8),
    "large pool": MarkSpec("lbw", lists=80),
    "paired": MarkSpec("lbw", kind="paired", gamma=0.25),
    "kgw": MarkSpec("kgw"),
    "kgw 0": MarkSpec("kgw", context=0),
    "wmar": MarkSpec("wmar", context=0),
    "indexmark": MarkSpec("indexmark"),
    "clusters": MarkSpec("clusters", clusters=32),
    "places": MarkSpec("places"),
    "near places": MarkSpec("places", clusters=32),
    "bitmark": MarkSpec("bitmark"),
    "bit pool": MarkSpec("bitmark", lists=4),
    "gumbel": MarkSpec("gumbel", lists=3),
    "dipmark": MarkSpec("dipmark"),
    "tournament": MarkSpec("tournament"),
    "code before": MarkSpec("tournament", seeded="before", layers=40),
}


DRAWN = ("gumbel", "dipmark", "tournament", "code before")


def mark_of(name, number=0):
    spec = SPECS[name]
    counted = COUNTS if spec.method == "wmar" or spec.kind == "paired" else None
    key = Key(hashlib.sha256(f"{name} {number}".encode()).digest())
    bits = 8 if spec.method == "bitmark" else None
    return build_mark(spec, key, "toy@x", 256, frequencies=counted, codebook=lambda: BOOK, bits=bits)


def evidence(mark):
    return mark.evidence(CODES, mark.score(CODES).green)


@pytest.mark.parametrize("name", SPECS)
def test_decoys_score_as_real_keys_do(name):
    real = np.stack([evidence(mark_of(name, number)) for number in range(40 if name in DRAWN else 80)], axis=1)
    decoys = decoys_of(mark_of(name), 400, "seed").scores(CODES)
    spread = np.maximum(decoys.std(1), 1e-9)
    assert (
        np.abs((real.mean(1) - decoys.mean(1)) / spread).mean() < 0.35
    )  # of 80 keys: 0.09 by chance, alike over images
    assert real.std(1).mean() == pytest.approx(decoys.std(1).mean(), rel=0.2)
    between = [np.corrcoef(each)[np.triu_indices(12, 1)].mean() for each in (real, decoys)]
    assert between[0] == pytest.approx(between[1], abs=0.12)  # what images share leans alike


@pytest.mark.parametrize("name", ["lbw", "cap", "pool", "kgw", "kgw 0", "indexmark", "clusters"])
def test_a_decoy_counts_as_the_detector_does(name):
    few = np.array([[5, 5, 5, 5, 9, 5, 5, 5], [3] * 8, [-1] * 8])  # two or three coins: every outcome is seen
    decoys = decoys_of(mark_of(name), 300, "seed").scores(few)
    for row, seen in zip(decoys, few, strict=True):
        possible = {int(mark_of(name, number).score(seen[None]).green[0]) for number in range(60)}
        assert possible <= set(row.tolist())
        assert min(row) == min(possible)
        assert max(row) == max(possible)


@pytest.mark.parametrize("name", ["lbw", "pool", "paired"])
def test_tables_of_a_few_keys_at_once_give_the_same(name, monkeypatch):
    whole = decoys_of(mark_of(name), 200, "seed").scores(CODES)
    monkeypatch.setattr(families, "TABLE", 300)
    parts = decoys_of(mark_of(name), 200, "seed")
    assert parts.step < 200
    assert np.array_equal(parts.scores(CODES), whole)


@pytest.mark.parametrize("name", SPECS)
def test_scores_of_an_image_do_not_depend_on_its_batch(name):
    decoys = decoys_of(mark_of(name), 128, "seed")
    alone = np.concatenate([decoys.scores(CODES[i : i + 1]) for i in range(len(CODES))])
    assert np.array_equal(decoys.scores(CODES), alone)


def test_of_several_marks_the_best_decoy_counts():
    marks = [mark_of("lbw", number) for number in range(3)]
    best = decoys_of(Several(marks), 100, "seed").scores(CODES)
    parts = [decoys_of(each, 100, f"seed/{number}").scores(CODES) for number, each in enumerate(marks)]
    assert np.array_equal(best, np.max(parts, axis=0))
    assert best.mean() > parts[0].mean() + 1


def test_decoys_do_not_know_the_key():
    assert np.array_equal(*(decoys_of(mark_of("lbw", number), 100, "seed").scores(CODES) for number in (0, 1)))
    assert decoy_key("seed", 0) != decoy_key("seed", 1)
    assert decoy_key("seed", 0) != decoy_key("other", 0)


def test_a_method_without_decoys_says_so():
    class Other:
        method, lists = "other", 1

    with pytest.raises(EvalkitError, match="no decoy keys"):
        decoys_of(Other(), 100, "seed")
