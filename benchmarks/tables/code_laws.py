"""What the simulations of decoy keys share: laws of codes (256 an image, from a vocabulary of 1,024), and marks."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
from watermark_fpr import key_of

from evalkit.watermark.mark import Mark
from evalkit.watermark.methods import build_mark
from evalkit.watermark.spec import MarkSpec

Ints = npt.NDArray[np.int64]
V, TOKENS = 1024, 256
CAP = "lower tail"  # bounds the lean of the greenest key; in rows of former rules: "2 spreads", or all "others"
Law = Callable[[int, np.random.Generator], Ints]


def zipf(power: float) -> npt.NDArray[np.float64]:
    """Shares of 1,024 codes."""
    law = 1 / np.arange(1, V + 1) ** power
    return law / law.sum()


def drawn(power: float, shape: tuple[int, ...], rng: np.random.Generator) -> Ints:
    """Codes of a Zipf law."""
    return np.minimum(np.searchsorted(np.cumsum(zipf(power)), rng.random(shape)), V - 1)


def textures(n: int, rng: np.random.Generator, *, order: int = 1) -> Ints:
    """A walk: four codes may follow a code, or a pair of kinds of codes; and one step in twenty begins anew."""
    following = np.random.default_rng(11).integers(0, V, (V if order == 1 else 4096, 4))
    fresh, codes = drawn(1.0, (n, TOKENS), rng), np.zeros((n, TOKENS), np.int64)
    codes[:, :order] = fresh[:, :order]
    for at in range(order, TOKENS):
        state = codes[:, at - 1] if order == 1 else codes[:, at - 1] % 64 * 64 + codes[:, at - 2] % 64
        walked = following[state, rng.integers(0, 4, n)]
        codes[:, at] = np.where(rng.random(n) < 0.05, fresh[:, at], walked)
    return codes


def grounds(n: int, rng: np.random.Generator, *, share: float = 0.6, kinds: int = 6) -> Ints:
    """A share of an image is one of six grounds of twelve codes each."""
    ground = np.random.default_rng(12).integers(0, V, (kinds, 12))
    mine = ground[rng.integers(0, kinds, n)][np.arange(n)[:, None], rng.integers(0, 12, (n, TOKENS))]
    return np.where(rng.random((n, TOKENS)) < share, mine, drawn(1.0, (n, TOKENS), rng))


def duplicates(n: int, rng: np.random.Generator) -> Ints:
    """Two images in five are exact or nearly exact copies (one code in twenty differs) of thirty images."""
    codes = drawn(1.0, (n, TOKENS), rng)
    copies = np.flatnonzero(rng.random(n) < 0.4)
    same = codes[rng.integers(0, 30, len(copies))]
    differs = (rng.random((len(copies), TOKENS)) < 0.05) & (rng.random((len(copies), 1)) < 0.5)
    codes[copies] = np.where(differs, codes[copies], same)
    return codes


def mixture(n: int, rng: np.random.Generator) -> Ints:
    """A third of Zipf 1.2, a third of textures, a third of shared grounds."""
    kinds = [drawn(1.2, (n, TOKENS), rng), textures(n, rng), grounds(n, rng)]
    return np.stack(kinds)[rng.integers(0, 3, n), np.arange(n)]


LAWS: Mapping[str, Law] = {
    "Zipf(2)": lambda n, rng: drawn(2.0, (n, TOKENS), rng),
    "Markov textures": textures,
    "shared grounds": grounds,
    "constant": lambda n, rng: np.repeat(drawn(1.0, (n, 1), rng), TOKENS, 1),
}
HELD_OUT: Mapping[str, Law] = {  # no setting was chosen on them; but Zipf(3) was looked at meanwhile
    "Zipf(1.5)": lambda n, rng: drawn(1.5, (n, TOKENS), rng),
    "Zipf(3)": lambda n, rng: drawn(3.0, (n, TOKENS), rng),
    "textures by pairs": lambda n, rng: textures(n, rng, order=2),
    "three grounds, 85 %": lambda n, rng: grounds(n, rng, share=0.85, kinds=3),
    "near-copies": duplicates,
    "mixture": mixture,
}
EVERY = {**LAWS, **HELD_OUT}
METHODS = {
    "lbw, 1 list": MarkSpec("lbw"),
    "lbw, 16 lists": MarkSpec("lbw", lists=16),
    "lbw, paired": MarkSpec("lbw", kind="paired"),
    "indexmark": MarkSpec("indexmark"),
    "clusters": MarkSpec("clusters", clusters=128),
    "kgw, context 1": MarkSpec("kgw"),
    "wmar, context 0": MarkSpec("wmar", context=0),
    "places": MarkSpec("places"),
    "bitmark": MarkSpec("bitmark"),
    "gumbel": MarkSpec("gumbel", lists=1),
    "dipmark": MarkSpec("dipmark"),
    "tournament": MarkSpec("tournament"),
}
DRAWING = ("gumbel", "dipmark", "tournament")
BOOK = np.random.default_rng(13).normal(size=(V, 4))
COUNTS = np.maximum(1e6 * zipf(1.0), 1.0)


def mark_of(spec: MarkSpec, number: int) -> Mark:
    """The mark of real key number `number`."""
    counted_ones = COUNTS if spec.method == "wmar" or spec.kind == "paired" else None
    bits = 10 if spec.method == "bitmark" else None
    key = key_of("decoys", spec, number)
    return build_mark(spec, key, "simulated@x", V, frequencies=counted_ones, codebook=lambda: BOOK, bits=bits)
