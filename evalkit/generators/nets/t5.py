"""Features of a T5 text encoder, as text-to-image decoders read them (needs the extra `hf`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from evalkit.errors import EvalkitError
from evalkit.weights.find import find_weights


class TextEncoder:
    """A T5 encoder and its tokenizer, from the folder that the weights manifest calls `key`."""

    def __init__(self, key: str, given: str | Path | None, device: torch.device, dtype: torch.dtype) -> None:
        try:
            from transformers import AutoTokenizer, T5EncoderModel
        except ImportError:
            raise EvalkitError(
                f"{key} needs the package transformers; install it with: pip install 'evalkit-ar[hf]'"
            ) from None
        folder = str(find_weights(key, given if given is not None and Path(given).is_dir() else None))
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model: Any = T5EncoderModel.from_pretrained(folder, local_files_only=True)
        except Exception as error:  # the library raises many kinds for a folder that is not such a model's
            said = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
            raise EvalkitError(f"{folder} cannot be loaded as {key}: {said}. Give the model's whole folder") from None
        self._model: Any = model.to(device=device, dtype=dtype).eval()
        self._device = device

    def __call__(self, texts: Sequence[str], tokens: int) -> tuple[Tensor, Tensor]:
        """float features [B, tokens, D], padded at the right, and their mask [B, tokens]; longer texts are cut."""
        batch = self._tokenizer(
            list(texts), max_length=tokens, padding="max_length", truncation=True, return_tensors="pt"
        )
        ids, mask = batch["input_ids"].to(self._device), batch["attention_mask"].to(self._device)
        with torch.inference_mode():
            values: Tensor = self._model(input_ids=ids, attention_mask=mask).last_hidden_state
        return values.float(), mask
