"""Images of every arm of a check and what is in them; what no eraser changes is drawn once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from evalkit.encoders.base import Encoder, FeatureExtractor
from evalkit.erasure.check.arms import Drawn, draw
from evalkit.erasure.check.forcing import go_on
from evalkit.erasure.check.memory import Arrays, Memory
from evalkit.erasure.check.rows import BASE, COLLAPSE, ERASED, OTHER
from evalkit.erasure.check.seen import Seen, look, packed, unpacked
from evalkit.generators.base import Generator, Request, TokenGenerator
from evalkit.jobs.timers import Timers

Look = tuple[Drawn, list[Seen]]


class Drawer:
    """The models of all arms and who looks at their images; `key` stands for all but the requests that decides an image."""

    def __init__(
        self,
        models: Mapping[str, Generator],
        detector: Encoder,
        features: FeatureExtractor | None,
        memory: Memory,
        key: object,
        timers: Timers,
    ) -> None:
        self.models, self.detector, self.network = models, detector, features
        self.memory, self.key, self.timers = memory, key, timers

    def draw(self, arm: str, requests: Sequence[Request]) -> Look:
        """Images of an arm, in order, and what is in them."""
        model = self.models[BASE if arm == OTHER else arm]

        def made() -> Look:
            with self.timers(f"draw {arm}"):
                drawn = draw(model, requests)
            with self.timers("detector"):
                return drawn, look(self.detector, drawn.images)

        if arm not in (BASE, OTHER, COLLAPSE):
            return made()
        part = BASE if arm == OTHER else arm  # other seeds of the base are images of the base
        return _look_of(self.memory.get([self.key, part, asked(requests)], lambda: _arrays_of(made())))

    def behind(self, who: str, requests: Sequence[Request], codes: torch.Tensor, count: int) -> list[Seen]:
        """What is in images whose first `count` codes are those of `codes` [n, N]; `who` is erased, base or control."""
        model = self.models[ERASED if who == ERASED else BASE]

        def made() -> list[Seen]:
            if not isinstance(model, TokenGenerator):
                return []
            with self.timers("prefix forcing"):
                return look(self.detector, go_on(model, requests, codes, count).images)

        if who == ERASED:
            return made()
        key = [self.key, "prefix", count, asked(requests)]
        return _seen_of(self.memory.get(key, lambda: {"seen": _texts(made())}))

    def features(self, arm: str, requests: Sequence[Request], images: Sequence[Any]) -> np.ndarray[Any, Any]:
        """float32 [n, dim] of images of these requests."""

        def made() -> Arrays:
            with self.timers("features"):
                return {"features": np.stack(self.network(images) if self.network is not None else [])}

        if arm == ERASED:
            return made()["features"]
        return self.memory.get([self.key, "features", asked(requests)], made)["features"]


def asked(requests: Sequence[Request]) -> list[list[Any]]:
    """What decides the images of requests beside the model and its sampler."""
    return [[request.prompt, request.seed] for request in requests]


def _arrays_of(found: Look) -> Arrays:
    drawn, seen = found
    sizes = np.array([image.shape for image in drawn.images], np.int64)
    arrays = {"seen": _texts(seen), "sizes": sizes, "pixels": np.concatenate([i.ravel() for i in drawn.images])}
    return arrays if drawn.codes is None else {**arrays, "codes": drawn.codes.numpy()}


def _look_of(arrays: Arrays) -> Look:
    ends = arrays["sizes"].prod(1).cumsum()[:-1]
    pairs = zip(np.split(arrays["pixels"], ends), arrays["sizes"].tolist(), strict=True)
    codes = torch.from_numpy(arrays["codes"]) if "codes" in arrays else None
    return Drawn(tuple(flat.reshape(size) for flat, size in pairs), codes), _seen_of(arrays)


def _texts(seen: Sequence[Seen]) -> np.ndarray[Any, Any]:
    return np.array([packed(each) for each in seen])


def _seen_of(arrays: Arrays) -> list[Seen]:
    return [unpacked(str(line)) or () for line in arrays["seen"]]
