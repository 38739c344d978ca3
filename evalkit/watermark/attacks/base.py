"""What an attack is: a named change of images with recorded strength, the same again for the same seed."""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from evalkit.errors import EvalkitError
from evalkit.images.encode import png_bytes
from evalkit.images.sample import Pixels

KEPT = "kept"  # the resize rule of attacks whose result has the image's own size

Change = Callable[[Pixels, np.random.Generator], Pixels]


@dataclass(frozen=True)
class File:
    """An image as it leaves an attack: the bytes of an image file, and the suffix of its name."""

    data: bytes
    suffix: str = ".png"


class Attack(ABC):
    """Something that is done to a marked image: uint8 [H, W, 3] in, uint8 [H', W', 3] out.

    `name` is its canonical spelling, `parameters` its strengths, `size` its resize rule ("kept", or in words),
    `codec` what its files are written as. Equal images and seeds give equal results.
    """

    name: str
    parameters: Mapping[str, Any]
    size: str
    codec: str
    network: bool  # it holds a model, and works in batches
    packages: tuple[str, ...]  # whose versions are recorded

    @abstractmethod
    def apply(self, image: Pixels, seed: int = 0) -> Pixels:
        """The attacked image."""

    def apply_many(self, images: Sequence[Pixels], seeds: Sequence[int]) -> list[Pixels]:
        """The attacked images, each as `apply` would give it."""
        return [self.apply(image, seed) for image, seed in zip(images, seeds, strict=True)]

    def files(self, images: Sequence[Pixels], seeds: Sequence[int]) -> list[File]:
        """The attacked images as files; decoding them gives the pixels of `apply_many`."""
        return [File(png_bytes(image)) for image in self.apply_many(images, seeds)]

    def release(self) -> None:  # noqa: B027 - most attacks hold nothing
        """Let go of models; the next image loads them again."""

    def record(self) -> dict[str, Any]:
        """Everything that decides the result, as plain data."""
        return {
            "name": self.name,
            "parameters": dict(self.parameters),
            "size": self.size,
            "codec": self.codec,
            "versions": {package: importlib.metadata.version(package) for package in self.packages},
        }

    @property
    def folder(self) -> str:
        """A folder name: the spelling with other signs for those that file systems dislike."""
        plain = re.sub(r"[^A-Za-z0-9.+_-]+", "-", self.name).strip("-.")
        if plain == self.name.replace(":", "-") and len(plain) <= 100:
            return plain
        return f"{plain[:80]}-{hashlib.sha256(self.name.encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class PixelAttack(Attack):
    """A change of pixels by a function of the image and a random generator."""

    name: str
    parameters: Mapping[str, Any]
    change: Change = field(repr=False, compare=False)
    size: str = KEPT
    codec: str = "png"
    network: bool = False
    packages: tuple[str, ...] = ("numpy", "pillow", "torch", "torchvision")

    def apply(self, image: Pixels, seed: int = 0) -> Pixels:
        """The changed image, a new array."""
        changed = self.change(checked(image), np.random.default_rng(seed))
        return np.ascontiguousarray(changed).copy() if changed is image else np.ascontiguousarray(changed)


@dataclass(frozen=True)
class Chain(Attack):
    """Attacks one after the other, each with a seed of its own; every step's result is rounded to 8 bits."""

    steps: tuple[Attack, ...]
    name: str
    parameters: Mapping[str, Any]
    size: str
    codec: str
    network: bool
    packages: tuple[str, ...]

    @classmethod
    def of(cls, steps: Sequence[Attack]) -> Attack:
        """The chain of several steps, or the only one."""
        if len(steps) == 1:
            return steps[0]
        rules = [step.size for step in steps]
        after = rules[len(rules) - 1 - rules[::-1].index(BACK) :] if BACK in rules else rules
        return cls(
            steps=tuple(steps),
            name="+".join(step.name for step in steps),
            parameters={"steps": [{"name": step.name, **step.parameters} for step in steps]},
            size="; ".join(rule for rule in after if rule not in (KEPT, BACK)) or KEPT,
            codec=steps[-1].codec,
            network=any(step.network for step in steps),
            packages=tuple(dict.fromkeys(package for step in steps for package in step.packages)),
        )

    def apply(self, image: Pixels, seed: int = 0) -> Pixels:
        """The image after all steps."""
        return self.apply_many([image], [seed])[0]

    def apply_many(self, images: Sequence[Pixels], seeds: Sequence[int]) -> list[Pixels]:
        """The images after all steps."""
        return self._run(images, seeds, len(self.steps))

    def files(self, images: Sequence[Pixels], seeds: Sequence[int]) -> list[File]:
        """Written by the last step's codec."""
        before = self._run(images, seeds, len(self.steps) - 1)
        if isinstance(self.steps[-1], Back):
            return [
                File(png_bytes(resized_back(b, (a.shape[0], a.shape[1])))) for a, b in zip(images, before, strict=True)
            ]
        return self.steps[-1].files(before, step_seeds(seeds, len(self.steps) - 1))

    def release(self) -> None:
        """Every step lets go."""
        for step in self.steps:
            step.release()

    def record(self) -> dict[str, Any]:
        """With the record of every step."""
        return {**super().record(), "steps": [step.record() for step in self.steps]}

    def _run(self, images: Sequence[Pixels], seeds: Sequence[int], until: int) -> list[Pixels]:
        done = list(images)
        for number, step in enumerate(self.steps[:until]):
            if isinstance(step, Back):
                done = [resized_back(b, (a.shape[0], a.shape[1])) for a, b in zip(images, done, strict=True)]
            else:
                done = step.apply_many(done, step_seeds(seeds, number))
        return done


BACK = "to the size before the chain (bilinear)"


@dataclass(frozen=True)
class Back(Attack):
    """A step of a chain: the size that the image had before the chain, by Pillow's antialiased bilinear filter."""

    name: str = "back"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    size: str = BACK
    codec: str = "png"
    network: bool = False
    packages: tuple[str, ...] = ("pillow",)

    def apply(self, image: Pixels, seed: int = 0) -> Pixels:
        """Outside a chain there is no other size to return to."""
        return checked(image).copy()


def resized_back(image: Pixels, shape: tuple[int, int]) -> Pixels:
    """`image` at `shape` (height, width), bilinear with antialiasing."""
    from evalkit.images.geometry import resize_exact

    return resize_exact(image, shape, "bilinear")


def checked(image: Pixels) -> Pixels:
    """The image itself; raises `EvalkitError` unless it is uint8 [H, W, 3] with at least one pixel."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise EvalkitError(f"attacks take uint8 [H, W, 3] images; {image.dtype} {image.shape} given")
    return image


def step_seeds(seeds: Sequence[int], number: int) -> list[int]:
    """Seeds of step `number`: the first step has the chain's own, so that a chain of one is that one."""
    return [seed if number == 0 else seed_of(seed, f"step {number}") for seed in seeds]


def seed_of(seed: int, what: str) -> int:
    """A seed of 63 bits for the image (or step) `what` under the run's `seed`, the same on every machine."""
    digest = hashlib.sha256(f"{seed}\0{what}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
