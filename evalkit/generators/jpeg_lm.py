"""JPEG-LM through transformers: a language model that writes the bytes of a JPEG file (arXiv 2408.08459; xhan77/jpeg-lm).

Bytes are characters of the Braille block, which the model's own tokenizer joins to words. A source image is continued from
the first half of its bytes; without one an image is written from nothing. What is no JPEG file costs its image alone.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from evalkit.errors import EvalkitError, MissingDependency
from evalkit.generators.base import Conditions, Failed, Generator, Image, Request
from evalkit.generators.folders import folder_digest, load_whole, loaded, model_folder
from evalkit.generators.registry import Source, register
from evalkit.generators.sampling import Sampler, sample, uniforms
from evalkit.images.geometry import fit_square
from evalkit.images.sample import Pixels
from evalkit.tokenizers.codec import Codec, CodecConfig, cut_at_restart, from_text, to_text

SIDE, CYCLES, LONGEST = 256, 32, 12288  # pixels, restart cycles of eight blocks, words of a whole image
START, END = b"\xff\xd8", b"\xff\xd9"


@register("jpeg-lm-7b", config="uwnlp/jpeg-lm-reimplementation", tokenizer="jpeg-lm")
class JpegLm(Generator):
    """Images of 256 px in JPEG of quality 25. `prefix`: the share of a source image's bytes that is kept."""

    conditions: Conditions = "any"
    side = SIDE
    rows = 1
    edits = True
    takes = frozenset({"temperature", "top_k", "top_p", "min_p", "filter"})
    default_sampler = Sampler(top_k=50)
    prefix: float = 0.5
    longest: int = LONGEST

    def __init__(self, source: Source, model: Any, words: Any) -> None:
        self.name, self.device, self.dtype = source.name, source.device, source.dtype
        self.tokenizer_name = source.tokenizer
        self.model, self.words = model.eval().requires_grad_(False).to(source.device), words
        self.codec = Codec("jpeg-lm", CodecConfig("JPEG", 25, canonical=True))

    @classmethod
    def load(cls, source: Source) -> JpegLm:
        """The runner of a folder in transformers' layout."""
        try:
            from transformers import AutoTokenizer, LlamaForCausalLM
        except ImportError:
            raise MissingDependency(source.name, "hf") from None
        folder = model_folder(source, source.config)
        model = load_whole(folder, LlamaForCausalLM.from_pretrained, dtype=source.dtype)
        made = cls(source, model, loaded(folder, AutoTokenizer.from_pretrained))
        made.weights_sha256 = folder_digest(folder)
        return made

    def check(self, request: Request) -> None:
        """Raise for masks and rounds too, which a continuation has not."""
        super().check(replace(request, rounds=()))
        if request.mask is not None or request.rounds:
            raise EvalkitError(
                f"{self.name} continues an image; request {request.id!r} gives a mask or rounds. Leave them out"
            )

    def generate(self, requests: Sequence[Request]) -> Sequence[Image | Failed]:
        """One image for each request, or why its bytes are none."""
        for request in requests:
            self.check(request)
        return [self._one(request) for request in requests]

    def _generate(self, requests: Sequence[Request], sampler: Sampler) -> list[Image]:
        raise EvalkitError(f"{self.name} takes requests one by one")

    def start(self, image: Pixels | None) -> list[int]:
        """Words before the first that is drawn: those of the first bytes of a source image, cut at a restart marker."""
        ids = [int(self.words.bos_token_id)]
        if image is None:
            return ids
        stream = self.codec.to_bytes(fit_square(image, SIDE, "short-bilinear"))
        text = to_text(cut_at_restart(stream, int(CYCLES * self.prefix)))
        return ids + [int(i) for i in self.words(text, add_special_tokens=False)["input_ids"]]

    def continued(self, ids: Sequence[int], sampler: Sampler, seed: int) -> list[int]:
        """`ids` and what is drawn behind them, up to the word that ends a file."""
        found, cache, last = list(ids), None, torch.tensor([list(ids)], device=self.device)
        draws = uniforms((seed,), self.longest).to(self.device)
        with torch.inference_mode():
            while len(found) < self.longest:
                out = self.model(input_ids=last, past_key_values=cache, use_cache=True, logits_to_keep=1)
                cache = out.past_key_values
                last = sample(out.logits[:, -1:].float(), draws[:, len(found) : len(found) + 1], sampler)
                found.append(int(last))
                if found[-1] == self.words.eos_token_id:
                    break
        return found

    def _one(self, request: Request) -> Image | Failed:
        started, ids = time.perf_counter(), self.start(request.source_image)
        found = self.continued(ids, request.sampler or self.default_sampler, request.seed)
        stream = whole_file(from_text(self.words.decode(found, skip_special_tokens=True)))
        try:
            pixels = self.codec.to_image(stream)
        except (OSError, SyntaxError, ValueError) as error:
            return Failed(request.id, f"the bytes that were drawn are no JPEG image ({error})")
        return Image(request.id, pixels, time.perf_counter() - started, len(found) - len(ids), {"words": len(found)})


def whole_file(stream: bytes) -> bytes:
    """What stands between the first start and its end marker; markers that are missing are put there, as officially.

    >>> whole_file(b"ab").hex()
    'ffd86162ffd9'
    """
    found = re.match(re.escape(START) + b".*?" + re.escape(END), stream, re.DOTALL)
    if found:
        return found.group()
    start, end = (b"" if stream[:2] == START else START), (b"" if stream[-2:] == END else END)
    return start + stream + end
