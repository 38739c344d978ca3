"""Green lists: which codes a key favours, drawn so that each kind has an exact null distribution.

The number that decides over a code is SHAKE-256 of HMAC-SHA256(key, "evalkit-lbw/1", tokenizer, epoch, list): a keyed
pseudorandom function that is tied to the tokenizer, and no framework's random numbers. What the LBW paper (arXiv
2506.01011) fixes for share, number and making of its lists is not known to us: every such choice is a parameter here.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError
from evalkit.watermark.keys import Key
from evalkit.watermark.sliced import sliced

DOMAIN = "evalkit-lbw/1"
Kind = Literal["independent", "balanced", "paired"]
Masks = npt.NDArray[np.bool_]
Units = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Scheme:
    """How lists are made; all of it is recorded and must be the same when detecting.

    `gamma`: share of green codes. `lists`: size of the pool. `kind`: `independent` (each code of each list by itself),
    `balanced` (each code is green in exactly gamma * lists of the lists, so that the codes of many images together
    tell nothing), `paired` (codes of neighbouring frequency form groups of 1/gamma with one green each: needs a
    calibration histogram). `epoch`: another name gives another pool of the same key.
    """

    gamma: float = 0.5
    lists: int = 1
    kind: Kind = "independent"
    epoch: str = "0"
    frequencies: str | None = None  # sha256 of the histogram that a paired scheme was made with

    def __post_init__(self) -> None:
        if not 0 < self.gamma < 1 or self.lists < 1:
            raise EvalkitError(f"gamma lies between 0 and 1 and lists is at least 1; {self.gamma}, {self.lists} given")
        share = self.gamma * self.lists
        if self.kind == "balanced" and abs(share - round(share)) > 1e-9:
            raise EvalkitError(
                f"a balanced pool needs a whole number of gamma * lists; {self.gamma} * {self.lists} given "
                "(one list cannot be balanced: give --kind independent)"
            )
        group = 1 / self.gamma
        if self.kind == "paired" and abs(group - round(group)) > 1e-9:
            raise EvalkitError(f"paired lists need gamma 1/2, 1/3, 1/4, …; {self.gamma} given")

    def as_dict(self) -> dict[str, Any]:
        """Plain data, as records keep it."""
        return asdict(self)


@dataclass(frozen=True)
class Pool:
    """The lists of a key: `masks` bool [m, V], and `units` int64 [V]: codes of a unit are coloured together.

    Units of size one are independent coins; a larger unit has exactly one green code.
    """

    scheme: Scheme
    masks: Masks
    units: Units
    key_id: str

    @property
    def vocabulary(self) -> int:
        """Number of codes."""
        return int(self.masks.shape[1])

    @cached_property
    def sliced(self) -> npt.NDArray[np.uint64]:
        """The lists of every code as bits, made once."""
        return sliced(self.masks)


def make_pool(
    key: Key, tokenizer: str, vocabulary: int, scheme: Scheme, frequencies: npt.ArrayLike | None = None
) -> Pool:
    """The pool of `key` for the tokenizer with identity `tokenizer` (`tokenizer_identity`) of `vocabulary` codes.

    `frequencies` [V]: how often each code occurs, for paired lists only. Raises `EvalkitError` where it is missing, or is
    not the one that `scheme` names.
    """
    if vocabulary * scheme.lists > 2**30:
        raise EvalkitError(f"{scheme.lists} lists of {vocabulary} codes are too many; give fewer lists")
    if scheme.kind == "paired":
        return _paired(key, tokenizer, vocabulary, scheme, frequencies)
    draws = np.stack([key.numbers(vocabulary, DOMAIN, tokenizer, scheme.epoch, j) for j in range(scheme.lists)])
    if scheme.kind == "independent":
        masks = draws < np.uint64(int(scheme.gamma * 2**64))
    else:
        green = round(scheme.gamma * scheme.lists)
        masks = np.zeros(draws.shape, dtype=bool)
        np.put_along_axis(masks, np.argsort(draws, axis=0, kind="stable")[:green], True, axis=0)
    return Pool(scheme, masks, np.arange(vocabulary), key.id)


def list_of(key: Key, tokenizer: str, scheme: Scheme, what: str | int) -> int:
    """Which list of the pool the image `what` (its seed, or its file's digest) gets: uniform, and known to the key alone."""
    return int(key.numbers(1, DOMAIN, "choose", tokenizer, scheme.epoch, what)[0] % np.uint64(scheme.lists))


def histogram_digest(frequencies: npt.ArrayLike) -> str:
    """sha256 of a calibration histogram."""
    return hashlib.sha256(np.asarray(frequencies, dtype="<f8").tobytes()).hexdigest()


def _paired(key: Key, tokenizer: str, vocabulary: int, scheme: Scheme, frequencies: npt.ArrayLike | None) -> Pool:
    if frequencies is None:
        raise EvalkitError("paired lists need the histogram of `evalkit watermark calibrate`; give --frequencies FILE")
    counts = np.asarray(frequencies, dtype=np.float64)
    digest = histogram_digest(counts)
    if counts.shape != (vocabulary,) or scheme.frequencies not in (None, digest):
        raise EvalkitError(
            f"the histogram has shape {counts.shape} and digest {digest[:12]}; "
            f"the scheme wants ({vocabulary},) and {(scheme.frequencies or 'any')[:12]}"
        )
    order = np.argsort(-counts, kind="stable")
    return grouped_pool(key, tokenizer, Scheme(**{**asdict(scheme), "frequencies": digest}), order)


def grouped_pool(key: Key, tokenizer: str, scheme: Scheme, order: npt.NDArray[np.int64]) -> Pool:
    """The pool in which each 1/gamma codes that follow each other in `order` [V] are a unit with one green code.

    Codes at the end that fill no unit are never green.
    """
    vocabulary, size = len(order), round(1 / scheme.gamma)
    units = np.empty(vocabulary, dtype=np.int64)
    units[order] = np.arange(vocabulary) // size
    members = order[: vocabulary // size * size].reshape(-1, size)
    masks = np.zeros((scheme.lists, vocabulary), dtype=bool)
    for j in range(scheme.lists):
        draws = key.numbers(vocabulary, DOMAIN, tokenizer, scheme.epoch, j)[members]
        masks[j, members[np.arange(len(members)), draws.argmin(1)]] = True
    return Pool(scheme, masks, units, key.id)
