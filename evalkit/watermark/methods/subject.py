"""What methods know of a tokenizer: its identity, its codes, and where needed how often and how near they are."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from evalkit.errors import DAMAGED, EvalkitError
from evalkit.metrics.npz import array_of, arrays_of
from evalkit.tokenizers.base import OPEN_CODEBOOKS, Tokenizer
from evalkit.tokenizers.network import NetworkTokenizer

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Subject:
    """`tokenizer`: its identity. `vocabulary`: number of codes (2 where codes are vectors of bits).

    `frequencies` [V]: how often each code occurs. `codebook`: gives float64 [V, d], the codes as the quantiser compares
    them. `bits`: of a code, where each means something by itself. `packed`: such a code is one index.
    """

    tokenizer: str
    vocabulary: int
    frequencies: Floats | None = None
    codebook: Callable[[], Floats] | None = None
    bits: int | None = None
    packed: bool = True

    def vectors(self, method: str) -> Floats:
        """The codebook; raises `EvalkitError` where there is none."""
        if self.codebook is None:
            raise EvalkitError(f"the method {method} needs a codebook, and none is given; {OPEN_CODEBOOKS}")
        found = np.asarray(self.codebook(), dtype=np.float64)
        if found.ndim != 2 or len(found) != self.vocabulary:
            raise EvalkitError(f"the codebook has shape {found.shape}; ({self.vocabulary}, d) expected")
        return found

    def indices(self, method: str) -> int:
        """The number of codes; raises `EvalkitError` where codes are vectors of bits."""
        if self.bits is not None and not self.packed:
            raise EvalkitError(
                f"the codes of {self.tokenizer.partition('@')[0]} are vectors of bits, which the method {method} does not "
                "read; give --method bitmark"
            )
        return self.vocabulary


def codebook_of(tokenizer: Tokenizer) -> Floats:
    """float64 [V, d]: the codes as the quantiser of `tokenizer` compares them (of unit length where it looks at angles).

    Raises `EvalkitError` for tokenizers that search no codebook.
    """
    return compared(tokenizer)[0].detach().double().cpu().numpy()


def compared(tokenizer: Tokenizer) -> tuple[Tensor, bool]:
    """([V, d] codes as they are compared, whether by dot product instead of distance): one search of a grey image is
    listened to.
    """
    searches = tokenizer.searches() if isinstance(tokenizer, NetworkTokenizer) else []
    tables: list[tuple[Tensor, bool]] = []

    def heard(z: Tensor, nearest: Tensor, table: Tensor, *, by_dot: bool = False) -> Tensor:
        tables.append((table, by_dot))
        return nearest

    try:
        for search in searches:
            search.settle = heard  # type: ignore[method-assign]
        if searches:
            side = tokenizer.native_size
            tokenizer.encode(torch.full((1, 3, side, side), 0.5))
    finally:
        for search in searches:
            del search.settle
    if not tables:
        raise EvalkitError(f"{tokenizer.name} searches no codebook; {OPEN_CODEBOOKS}")
    return tables[0]


def read_frequencies(path: str | Path) -> Floats:
    """How often each code occurs, float64 [V], from an .npy file, or from `frequencies` in an .npz file."""
    file, hint = Path(path).expanduser(), "Give the .npy file of `evalkit watermark calibrate`, float [V]"
    try:
        found = arrays_of(file, hint)["frequencies"] if zipfile.is_zipfile(file) else array_of(file, hint)
        counts = np.asarray(found, dtype=np.float64)
    except DAMAGED as error:
        raise EvalkitError(f"{path} holds no frequencies ({type(error).__name__}). {hint}") from None
    if counts.ndim != 1 or not np.isfinite(counts).all() or (counts < 0).any():
        raise EvalkitError(f"{path} has shape {counts.shape}; counts [V] from 0 are expected, one for each code")
    return counts
