"""The models of a check: the base, the erased one, and two that were changed without any aim."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from evalkit.erasure.training.result import read_trained
from evalkit.erasure.training.spec import FACTS, WEIGHTS
from evalkit.errors import EvalkitError
from evalkit.generators.base import Failed, Generator, Request, TokenGenerator
from evalkit.generators.registry import GENERATORS
from evalkit.images.sample import Pixels

SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".ckpt")
ELSEWHERE = "of a model that evalkit does not load, give images: --before DIR --after DIR"


@dataclass(frozen=True)
class Drawn:
    """Images of some requests, and their codes int64 [n, N] where the model has codes."""

    images: tuple[Pixels, ...]
    codes: Tensor | None


def draw(generator: Generator, requests: Sequence[Request]) -> Drawn:
    """The images of all requests. Raises `EvalkitError` for one that gives no image."""
    if isinstance(generator, TokenGenerator):
        codes = generator.sample_tokens(requests)
        return Drawn(tuple(generator.decode_tokens(codes, requests)), codes)
    made = generator.generate(requests)
    for each in made:
        if isinstance(each, Failed):
            raise EvalkitError(f"{generator.name} made no image for {each.id}: {each.reason}. Check the prompt")
    return Drawn(tuple(each.pixels for each in made if not isinstance(each, Failed)), None)


def erased_path(given: str, base: str) -> str:
    """The weights of an erased model: FILE, a folder that a training left, or NAME=FILE with the base's NAME.

    Raises `EvalkitError` for another generator's name, for what is not there, and for an unfinished training.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
    ...     erased_path(f"world-ar={file.name}", "world-ar") == file.name
    True
    """
    name, equals, path = given.partition("=")
    if equals and not Path(given).expanduser().exists():
        if GENERATORS.canonical(name) != GENERATORS.canonical(base):
            raise EvalkitError(f"the erased model is a {name} and the base a {base}. Give weights of {base}")
        given = path
    place = Path(given).expanduser()
    if not place.exists():
        raise EvalkitError(
            f"the erased weights {given} are not there. Give a file, or a trained eraser's folder; {ELSEWHERE}"
        )
    if (place / FACTS).is_file():
        return str(read_trained(place).weights)
    if place.is_dir() and not any(each.suffix in SUFFIXES for each in place.rglob("*")):
        raise EvalkitError(
            f"{given} holds no weights. Give a file, or the folder of evalkit erasure train; {ELSEWHERE}"
        )
    inside = place / WEIGHTS
    return str(inside) if inside.is_file() else given


def network_of(generator: Generator) -> nn.Module | None:
    """The network that draws codes; None where evalkit does not hold it."""
    found = getattr(generator, "network", getattr(generator, "model", None))
    return found if isinstance(found, nn.Module) else None


def twin(generator: Generator) -> tuple[Generator, nn.Module]:
    """A generator of its own network (a copy), which shares the decoder of images."""
    made = copy.copy(generator)
    name = "network" if hasattr(generator, "network") else "model"
    network = copy.deepcopy(getattr(generator, name))
    setattr(made, name, network)
    if isinstance(made, TokenGenerator):
        made.logits_processors = []
    return made, network


def changed(base: Generator, erased: Generator) -> dict[str, float]:
    """The norm of the change of each parameter that an eraser changed."""
    one, two = network_of(base), network_of(erased)
    if one is None or two is None:
        return {}
    others = dict(two.named_parameters())
    norms = {name: float((others[name].float() - each.float()).norm()) for name, each in one.named_parameters()}
    return {name: norm for name, norm in norms.items() if norm > 0}


def moved_at_random(base: Generator, norms: dict[str, float], seed: int) -> Generator:
    """The base with every changed parameter moved as far in a random direction."""
    made, network = twin(base)
    _move(network, norms, seed)
    return made


def destroyed(base: Generator, seed: int) -> Generator:
    """The base with noise of the norm of each matrix added to it: it draws nothing any more, and its concept is gone."""
    made, network = twin(base)
    _move(
        network, {name: float(each.float().norm()) for name, each in network.named_parameters() if each.ndim > 1}, seed
    )
    return made


@torch.no_grad()
def _move(network: nn.Module, norms: dict[str, float], seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    for name, parameter in network.named_parameters():
        if name in norms:
            noise = torch.randn(parameter.shape, generator=rng)
            parameter.add_((noise * (norms[name] / float(noise.norm()))).to(parameter))
