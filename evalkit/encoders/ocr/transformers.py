"""`transformers:REPO`: text read by a vision-language model of transformers (VTBench reads with google/gemma-3-12b-it)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from PIL import Image

from evalkit.encoders.base import Ocr, OcrText
from evalkit.encoders.ocr.instruction import INSTRUCTION, TOKENS, lines_of
from evalkit.encoders.registry import Entry, shipped
from evalkit.errors import MissingDependency, WeightsError
from evalkit.images.sample import Pixels
from evalkit.weights.find import hub_folder


class TransformersOcr(Ocr):
    """Greedy decoding, bfloat16 on a GPU and float32 elsewhere; one image a call, as VTBench does it."""

    def __init__(self, repo: str, device: torch.device, tokens: int = TOKENS) -> None:
        try:
            from transformers import AutoModelForImageTextToText, AutoProcessor
        except ImportError:
            raise MissingDependency(f"reading text with {repo}", "hf") from None
        local = Path(repo).expanduser()
        folder = local if local.is_dir() else hub_folder(repo)
        dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
        try:
            model = AutoModelForImageTextToText.from_pretrained(str(folder), dtype=dtype, local_files_only=True)
            self.processor: Any = AutoProcessor.from_pretrained(str(folder), local_files_only=True)
        except Exception as error:  # the library raises many kinds for a folder that is not such a model's
            said = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
            raise WeightsError(
                f"{folder.name} cannot be loaded as a model that reads images: {said}. Give the model's whole folder"
            ) from None
        self.model = model.eval().requires_grad_(False).to(device)
        self.id, self.version, self.tokens = (
            f"transformers:{local.name if local.is_dir() else repo}",
            folder.name,
            tokens,
        )

    @torch.inference_mode()
    def read(self, image: Pixels) -> OcrText:
        """The text of an image."""
        content = [{"type": "image", "image": Image.fromarray(image)}, {"type": "text", "text": INSTRUCTION}]
        inputs = self.processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        ).to(self.model.device, dtype=self.model.dtype)
        out = self.model.generate(**inputs, max_new_tokens=self.tokens, do_sample=False)
        new = out[0, inputs["input_ids"].shape[1] :]
        return lines_of(str(self.processor.decode(new, skip_special_tokens=True)))


def entry(name: str, repo: str) -> Entry:
    """The entry of `ocr:transformers:REPO`."""

    def load(weights: str | Path | None, device: torch.device) -> Ocr:
        shipped(name, weights)
        return TransformersOcr(repo, device)

    return Entry(name, "text", load)
