"""The contract of every image generator: requests in, images out; an image depends on its request alone."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from evalkit.errors import EvalkitError
from evalkit.generators.rows import batch_size, fitting
from evalkit.generators.sampling import SETTINGS, Sampler, law, sample, uniforms
from evalkit.images.sample import Pixels
from evalkit.tokenizers.base import Tokenizer

Conditions = Literal["class", "text", "any"]


@dataclass(frozen=True)
class Request:
    """One image to make: from a prompt or a class id, with its own seed; `sampler` None is the model's default.

    `source_image`: uint8 pixels that the prompt changes; `mask` of the same size is white where they may change. `rounds`:
    earlier instructions, carried out one after another before `prompt`. `negative`: what the image must not show.
    """

    id: str
    prompt: str | None = None
    class_id: int | None = None
    seed: int = 0
    sampler: Sampler | None = None
    source_image: Pixels | None = None
    mask: Pixels | None = None
    rounds: tuple[str, ...] = ()
    negative: str | None = None


@dataclass(frozen=True)
class Image:
    """What a request became: uint8 [H, W, 3], seconds of its share of the batch, and evaluations of the network.

    `evaluations` is None where nobody counted them.
    """

    id: str
    pixels: Pixels
    seconds: float
    evaluations: int | None
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Failed:
    """A request that gave no image, with the reason in one sentence."""

    id: str
    reason: str


@dataclass(frozen=True)
class Step:
    """Where a logits processor is called: `positions` of the codes that are chosen now, `tokens` [B, n] chosen so far.

    `number` counts the steps from 0; for multi-scale models a step is a scale. `seeds` are those of the rows' requests.
    """

    number: int
    positions: range
    tokens: Tensor
    seeds: tuple[int, ...]


LogitsProcessor = Callable[[Tensor, Step], Tensor]


@runtime_checkable
class Notes(Protocol):
    """A logits processor that tells what it did to the image of a seed; the manifest keeps it."""

    def notes(self, seed: int) -> dict[str, Any]:
        """Plain data."""


@runtime_checkable
class BitByBit(Protocol):
    """A logits processor of codes that are vectors of bits, which depends on a code's bits before: they are drawn in order."""

    def bit(self, logits: Tensor, drawn: Tensor, step: Step) -> Tensor:
        """Logits [B, n, 2] of the next bit of each code, behind those `drawn` [B, n, k]."""


@runtime_checkable
class Draws(Protocol):
    """A logits processor that draws codes itself, from their probabilities after temperature and filters."""

    def draw(self, law: Tensor, draws: Tensor, step: Step) -> Tensor:
        """Codes [B, n] of probabilities [B, n, V]; `draws` [B, n] in [0, 1) are the requests' own."""


class Drawing(Protocol):
    """Another way to draw codes than a runner's own loop, such as speculative decoding."""

    def draw(self, requests: Sequence[Request], sampler: Sampler) -> tuple[Tensor, int]:
        """(codes [B, N], evaluations of the network for each)."""

    def notes(self, seed: int) -> dict[str, Any]:
        """What the manifest keeps of the image drawn last with this seed."""


class Generator(ABC):
    """A generator of images.

    At most `rows` requests run at once; shorter batches are filled up with copies to the next of a few sizes. In float32
    the number of rows moves no image (`benchmarks/world/rows.py`).
    """

    name: str
    conditions: Conditions = "class"
    side: int = 256
    rows: int = 8
    rows_on_cpu: int = 8  # the most of them on a processor
    default_sampler: Sampler = Sampler()
    takes: frozenset[str] = frozenset(SETTINGS)  # settings of a sampler that reach the model
    else_give: str = "Leave it out"  # what to type instead of a setting that it does not take
    weights_sha256: str | None = None
    tokenizer_name: str | None = None
    edits: bool = False  # takes source images
    avoids: bool = False  # takes negative prompts
    deterministic: bool = True  # the same request gives the same image
    device: torch.device | str = "cpu"

    @abstractmethod
    def _generate(self, requests: Sequence[Request], sampler: Sampler) -> list[Image]:
        """The images of at most `rows` requests that share a sampler."""

    def generate(self, requests: Sequence[Request]) -> Sequence[Image | Failed]:
        """One image (or, from programs outside, the reason why not) for each request, in order.

        Raises `EvalkitError` for a request that the model cannot take.
        """
        for request in requests:
            self.check(request)
        return in_rows(requests, self.rows, self.default_sampler, self._generate, self.alike)

    def row_bytes(self) -> int | None:
        """Bytes that one more request takes while it runs; None where nobody counted them."""
        return None

    def rows_that_fit(self, device: torch.device | str) -> int:
        """The rows that the free memory of a device holds; `rows` where nobody knows."""
        return fitting(self.row_bytes(), self.rows, self.rows_on_cpu, device)

    def alike(self, request: Request) -> Hashable:
        """Requests run together only where this is equal: the shape that they give the network (a prompt's length)."""
        return None

    def preset(self, name: str) -> Sampler:
        """The sampler `default`, or that of the authors' evaluation (`paper`); raises `EvalkitError` where none is known."""
        if name == "default" or (name == "paper" and self.default_sampler.guidance.form != "passed"):
            return self.default_sampler
        raise EvalkitError(f"no settings called {name!r} are known of {self.name}. Leave out --preset, or give default")

    def passed(self, sampler: Sampler) -> dict[str, Any] | None:
        """What the model is called with, by the names that its own program has for it; None where that is the sampler."""
        return None

    def attach(self, folder: Path) -> None:  # noqa: B027
        """The run's folder, where runners of programs outside keep what those say."""

    def close(self) -> None:  # noqa: B027
        """Give back what the generator holds outside this process (worker programs, connections)."""

    @property
    def batch(self) -> int:
        """Requests that are worth handing over at once."""
        return self.rows

    def check(self, request: Request) -> None:
        """Raise unless the model takes the request."""
        if not self.edits and (request.source_image is not None or request.rounds):
            raise EvalkitError(
                f"{self.name} makes images from nothing; request {request.id!r} changes one. Give a model that edits, "
                "such as http:URL#qwen-image-edit"
            )
        if request.negative is not None and not self.avoids:
            raise EvalkitError(
                f"{self.name} takes no negative prompt; request {request.id!r} gives one. Leave negative_prompt out"
            )
        if self.conditions == "class" and request.class_id is None:
            raise EvalkitError(
                f"{self.name} makes images of a class; request {request.id!r} gives none. Give --prompts classes:imagenet, "
                "or lines with a class_id"
            )
        if self.conditions == "text" and request.prompt is None:
            raise EvalkitError(
                f"{self.name} makes images of a prompt; request {request.id!r} gives none. Give lines with a prompt"
            )


def in_rows(
    requests: Sequence[Request],
    rows: int,
    default: Sampler,
    work: Callable[[Sequence[Request], Sampler], Sequence[Any]],
    alike: Callable[[Request], Hashable],
) -> list[Any]:
    """`work` over groups of requests with equal samplers and shapes, each of a `batch_size`; results in their order."""
    groups: dict[tuple[Sampler, Hashable], list[int]] = {}
    for index, request in enumerate(requests):
        groups.setdefault((request.sampler or default, alike(request)), []).append(index)
    done: dict[int, Any] = {}
    for (sampler, _), members in groups.items():
        for start in range(0, len(members), rows):
            part = members[start : start + rows]
            size = batch_size(len(part), rows)
            filled = [requests[i] for i in part] + [requests[part[-1]]] * (size - len(part))
            made = [_of(each, size / len(part)) for each in work(filled, sampler)[: len(part)]]
            done.update(zip(part, made, strict=True))
    return [done[index] for index in range(len(requests))]


def _of(made: Any, share: float) -> Any:
    """What was made, its seconds times `share`: the images of a short batch took the time of the copies beside them."""
    return replace(made, seconds=made.seconds * share) if isinstance(made, Image) and share != 1 else made


class TokenGenerator(Generator):
    """A generator of discrete codes; the family gives `_conditions`, `_tokens` and `_pixels`."""

    tokens_per_image: int
    vocab_size: int
    logits_processors: list[LogitsProcessor]
    drawing: Drawing | None = None  # in place of `_tokens`
    takes = frozenset({"guidance", "temperature", "top_k", "top_p", "min_p", "filter"})

    @abstractmethod
    def logits(self, conditions: Tensor, tokens: Tensor) -> Tensor:
        """float32 [B, N, V] of the conditional branch: entry i predicts token i of `tokens` [B, N] (teacher forcing)."""

    @abstractmethod
    def encode_conditions(self, requests: Sequence[Request]) -> Tensor:
        """What `logits` and `_tokens` take: class ids [B], or text features."""

    @abstractmethod
    def _tokens(
        self, conditions: Tensor, sampler: Sampler, draws: Tensor, seeds: tuple[int, ...]
    ) -> tuple[Tensor, int]:
        """(codes [B, N], evaluations of the network) from `draws` [B, N] in [0, 1)."""

    @abstractmethod
    def _pixels(self, tokens: Tensor, seeds: tuple[int, ...]) -> list[Pixels]:
        """uint8 images of codes [B, N], as the official script converts them."""

    def sample_tokens(self, requests: Sequence[Request]) -> Tensor:
        """int64 [B, N]: the codes of each request before decoding."""

        def sampled(rows: Sequence[Request], sampler: Sampler) -> list[Tensor]:
            return list(self._sample(rows, sampler)[0].cpu())

        return torch.stack(in_rows(requests, self.rows, self.default_sampler, sampled, self.alike))

    def decode_tokens(self, tokens: Tensor, requests: Sequence[Request]) -> list[Pixels]:
        """uint8 images of the codes [n, N] of `requests`, which decides the noise of stochastic decoders.

        One after the other: convolutions round by the size of the batch, which would move single levels of colour.
        """
        with torch.inference_mode():
            each = [self._pixels(row[None].to(self.device), (r.seed,)) for row, r in zip(tokens, requests, strict=True)]
        return [image for images in each for image in images]

    def choose(self, logits: Tensor, step: Step, sampler: Sampler, draws: Tensor) -> Tensor:
        """Codes [B, n] of guided logits [B, n, V] (bits [B, n, k] of [B, n, k, 2]): processors first, then temperature,
        filters and the draw.
        """
        for processor in self.logits_processors:
            logits = processor(logits, step)
        at = step.positions
        draws = draws[:, at.start : at.stop : at.step]
        processors: list[object] = list(self.logits_processors)
        own = next((each for each in processors if isinstance(each, Draws)), None)
        if own is not None:
            return own.draw(law(logits, sampler), draws, step)
        in_order = [each for each in processors if isinstance(each, BitByBit)]
        if not in_order or logits.ndim < 4:
            return sample(logits, draws, sampler)
        bits = torch.zeros_like(draws[..., :0], dtype=torch.int64)
        for number in range(logits.shape[2]):
            following = logits[:, :, number]
            for each in in_order:
                following = each.bit(following, bits, step)
            bits = torch.cat([bits, sample(following, draws[..., number], sampler)[..., None].to(bits.device)], -1)
        return bits

    def _sample(self, requests: Sequence[Request], sampler: Sampler) -> tuple[Tensor, int]:
        if self.drawing is not None:
            if any(isinstance(each, Draws) for each in self.logits_processors):
                raise EvalkitError(
                    f"{self.name} draws ahead of itself here, and a method that draws codes itself cannot mark that. "
                    "Generate without acceleration, or give --method lbw"
                )
            with torch.inference_mode():
                return self.drawing.draw(requests, sampler)
        seeds = tuple(request.seed for request in requests)
        draws = uniforms(seeds, self.tokens_per_image)
        with torch.inference_mode():
            return self._tokens(self.encode_conditions(requests), sampler, draws, seeds)

    def _generate(self, requests: Sequence[Request], sampler: Sampler) -> list[Image]:
        started = time.perf_counter()
        tokens, evaluations = self._sample(requests, sampler)
        images = self.decode_tokens(tokens, requests)
        seconds = (time.perf_counter() - started) / len(requests)
        return [
            Image(request.id, np.ascontiguousarray(pixels), seconds, evaluations, self._notes(request.seed))
            for request, pixels in zip(requests, images, strict=True)
        ]

    def _notes(self, seed: int) -> dict[str, Any]:
        """What processors that keep notes (a watermark: its list) say of an image."""
        processors: list[object] = list(self.logits_processors)
        said = [each.notes(seed) for each in [*processors, self.drawing] if isinstance(each, Notes)]
        return {name: value for each in said for name, value in each.items()}


class CodingGenerator(TokenGenerator):
    """A generator of the codes of a tokenizer that evalkit has, so that images have codes under it as well."""

    @property
    @abstractmethod
    def tokenizer(self) -> Tokenizer:
        """The tokenizer whose codes the generator draws."""
