"""World-ar2 as a bench for watermarks: images of held-out captions, the codes that are read from them, and verdicts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from watermark_world import World

from evalkit.encoders.registry import load_extractor
from evalkit.generators.base import Request, TokenGenerator
from evalkit.generators.registry import load_generator
from evalkit.images.decode import decode_image
from evalkit.images.encode import png_bytes
from evalkit.images.sample import Pixels
from evalkit.tokenizers.registry import load_tokenizer
from evalkit.watermark.attacks.base import seed_of
from evalkit.watermark.keys import Key
from evalkit.world.judge import verdict
from evalkit.world.second.detector import detect_all
from evalkit.world.second.prompts import second_prompts

KEY = Key(bytes(range(32)))


class SecondWorld(World):
    """Images of world-ar2 for the first held-out captions."""

    def __init__(self, count: int, folder: Path, weights: Path | None) -> None:
        self.folder = folder
        self.tokenizer = load_tokenizer("world-vq2", weights, "cpu")
        generator = load_generator("world-ar2", weights, "cpu")
        if not isinstance(generator, TokenGenerator):
            raise TypeError(type(generator))
        self.generator, self.prompts = generator, second_prompts(count)
        self.sampler = generator.default_sampler
        self.extractor = load_extractor("efflite0", device="cpu")

    def asked(self, prompts: Any, seed: int) -> list[Request]:
        """One image of each caption."""
        return [Request(p.id, p.caption, seed=seed_of(seed, p.id), sampler=self.sampler) for p in prompts]

    def many(self, count: int) -> npt.NDArray[np.int64]:
        """Codes read from so many unmarked images of fresh captions."""
        self.generator.logits_processors.clear()
        asked = self.asked(second_prompts(count, seed=11), 7)
        read = []
        for start in range(0, count, 100):
            codes = self.generator.sample_tokens(asked[start : start + 100])
            with torch.inference_mode():
                made = [self.generator._pixels(row[None], (0,))[0] for row in codes]
            read.append(self.codes([decode_image(png_bytes(image)) for image in made]))
        return np.concatenate(read)

    def right(self, images: list[Pixels]) -> float:
        """Share of images that show what their caption demands."""
        return float(self.verdicts(images).mean())

    def verdicts(self, images: list[Pixels]) -> npt.NDArray[np.float64]:
        """1 for each image that shows what its caption demands, else 0."""
        seen = detect_all(images)
        return np.array([float(verdict(p.demand, s).correct) for p, s in zip(self.prompts, seen, strict=True)])
