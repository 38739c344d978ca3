"""What a thief of a list does with it: exchange green codes for the nearest red ones, or forge the mark on any image."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from evalkit.errors import EvalkitError
from evalkit.metrics.npz import array_of
from evalkit.tokenizers.base import Tokenizer
from evalkit.tokenizers.registry import TOKENIZERS
from evalkit.watermark.attacks.base import Attack
from evalkit.watermark.attacks.regenerate import TOKENIZER, TokenizerAttack
from evalkit.watermark.attacks.spelling import Options, Parameter, register


@dataclass(frozen=True)
class Swap(TokenizerAttack):
    """Encoded among the codes of a list (forgery) or of its complement (removal), and decoded."""

    allowed: Tensor | None = None

    def change(self, x: Tensor, seeds: list[int]) -> Tensor:
        """The image of the allowed codes nearest to its own, exchanged within the residual loop of several scales."""
        if self.allowed is None:
            raise EvalkitError(f"{self.name} has no list of codes; give one")
        fraction = float(self.parameters.get("fraction", 1.0))
        return self.decoded(self.tokenizer.encode_among(x, self.allowed, fraction=fraction), seeds)


def removal(tokenizer: Tokenizer, green: Tensor, *, fraction: float = 1.0) -> Attack:
    """The attack that takes the nearest red code wherever an image has a green one.

    `green`: bool [V]. `fraction`: of the green codes this share, the cheapest exchanges first.
    """
    return _swap("removal", tokenizer, green, ~green, fraction)


def forgery(tokenizer: Tokenizer, green: Tensor, *, fraction: float = 1.0) -> Attack:
    """The attack that takes the nearest green code wherever an image has a red one, so that it passes as marked."""
    return _swap("forgery", tokenizer, green, green, fraction)


def _swap(kind: str, tokenizer: Tokenizer, green: Tensor, allowed: Tensor, fraction: float) -> Attack:
    if not 0 <= fraction <= 1:
        raise EvalkitError(f"fraction lies in [0, 1]; {fraction:g} given")
    digest = hashlib.sha256(green.cpu().numpy().tobytes()).hexdigest()[:12]
    values = {"tokenizer": tokenizer.name, "list": digest, "fraction": fraction}
    return Swap(f"{kind}:{tokenizer.name}:{digest}", values, Options(), tokenizer, allowed=allowed)


@register(
    "removal", TOKENIZER, Parameter("list", "word"), Parameter("fraction", low=0, high=1, default=1.0),
    about="white box: nearest red code for every green one; LIST is an .npy file, bool [V], True for green",
)  # fmt: skip
def removal_of(name: str, values: Mapping[str, Any], options: Options) -> Attack:
    """With a list from a file, such as one that `theft_histogram` found."""
    green = _read_list(values)
    return Swap(name, _with_digest(values, green), options, allowed=~green)


@register(
    "forgery", TOKENIZER, Parameter("list", "word"), Parameter("fraction", low=0, high=1, default=1.0),
    about="white box: nearest green code for every red one, so that any image passes as marked",
)  # fmt: skip
def forgery_of(name: str, values: Mapping[str, Any], options: Options) -> Attack:
    """With a list from a file."""
    green = _read_list(values)
    return Swap(name, _with_digest(values, green), options, allowed=green)


def _read_list(values: Mapping[str, Any]) -> Tensor:
    TOKENIZERS.get(str(values["tokenizer"]))
    path = Path(str(values["list"])).expanduser()
    found = array_of(path, "Give an .npy file of bool [V]")
    if found.dtype != np.bool_ or found.ndim != 1:
        raise EvalkitError(f"the list {path} is not bool [V]; save one with numpy.save(path, green)")
    return torch.from_numpy(found)


def _with_digest(values: Mapping[str, Any], green: Tensor) -> dict[str, Any]:
    """The file's name can mean another list tomorrow; the digest cannot."""
    digest = hashlib.sha256(green.numpy().tobytes()).hexdigest()
    return {**values, "list": Path(str(values["list"])).name, "list_sha256": digest}
