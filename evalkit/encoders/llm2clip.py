"""LLM2CLIP: a CLIP image tower beside a language model that reads the text (Huang et al. 2024, arXiv:2411.04997).

Sources: microsoft/LLM2CLIP cba3b45, llm2clip/eva_clip/model.py (the adapter) and llm2clip/llm2vec/llm2vec.py (how a text
is embedded); OneIG-Bench/OneIG-Benchmark 41b4983, scripts/utils/inference.py. There image tower and adapter run in half
precision; here in float32, the language model in bfloat16 as there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evalkit.encoders.clip_vision import FILE, ClipVision
from evalkit.encoders.prompt_scorer import Array, PromptScorer, numbers
from evalkit.errors import MissingDependency, WeightsError
from evalkit.weights.find import find_weights
from evalkit.weights.layout import fit
from evalkit.weights.reading import file_sha256, read_checkpoint

VISION, TEXT = "llm2clip-openai-l14-336", "llm2clip-llama3-8b"
_PREFIX = "text_adapter.adaptor."
_BEFORE, _AFTER = "<|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>"
LONGEST = 512  # tokens of a text


class AdapterBlock(nn.Module):
    """x plus two linear layers of its norm; names are the official ones."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.fn = nn.Sequential(nn.Linear(width, inner), nn.GELU(), nn.Dropout(0.0), nn.Linear(inner, width))
        self.ln = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, width]."""
        out: Tensor = x + self.fn(self.ln(x))
        return out


class Adapter(nn.Sequential):
    """A language model's embedding of a text [B, width], brought to unit length, as an embedding of CLIP's space."""

    def __init__(self, width: int, inner: int, dim: int, blocks: int) -> None:
        super().__init__(
            *(AdapterBlock(width, inner) for _ in range(blocks)), nn.LayerNorm(width), nn.Linear(width, dim)
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, dim]."""
        out: Tensor = nn.Sequential.forward(self, F.normalize(x, dim=-1))  # type: ignore[no-untyped-call]
        return out


class Llm2Clip(PromptScorer):
    """The cosine of an image and a text."""

    name = "llm2clip"

    def __init__(self, weights: str | Path | None, device: torch.device, *, texts: str | Path | None = None) -> None:
        """`weights`: the folder of the image tower, `texts`: that of the language model."""
        folder, self.texts, self.device = find_weights(VISION, weights), find_weights(TEXT, texts), device
        state = read_checkpoint(folder / FILE)
        self.vision = ClipVision(folder, state, device, self.name)
        self.adapter = _adapter(state, folder / FILE).to(device)
        self._language: tuple[Any, Any] | None = None
        self._known: dict[str, Tensor] = {}
        lines = f"{file_sha256(folder / FILE)}\n{file_sha256(self.texts)}\n"
        self.weights_sha256 = hashlib.sha256(lines.encode()).hexdigest()

    @torch.inference_mode()
    def score(self, images: Tensor, prompts: Sequence[str]) -> Array:
        """float64 [B]."""
        self._check(images, prompts)
        seen = F.normalize(self.vision(images), dim=1)
        said = F.normalize(torch.cat([self.text(prompt) for prompt in prompts]), dim=1)
        return numbers((seen * said).sum(1))

    @torch.inference_mode()
    def text(self, text: str) -> Tensor:
        """The embedding [1, dim] of a text; the language model is loaded with the first one."""
        if text not in self._known:
            self._language = self._language or load_language(self.texts, self.device)
            self._known[text] = self.adapter(embedded(*self._language, text).to(self.device))
        return self._known[text]


def embedded(model: Any, tokenizer: Any, text: str) -> Tensor:
    """float32 [1, width]: the mean of the last states over the tokens of `text` and its end, in a user's turn.

    Every token sees all others, unlike in the language model that this one was made from.
    """
    ids = tokenizer(_BEFORE + text.strip() + _AFTER, truncation=True, max_length=LONGEST, return_tensors="pt").input_ids
    own = len(tokenizer(text.strip() + _AFTER, truncation=True, max_length=LONGEST, add_special_tokens=False).input_ids)
    mask = torch.zeros((1, 1, ids.shape[1], ids.shape[1]), dtype=model.dtype, device=model.device)
    states = model(input_ids=ids.to(model.device), attention_mask=mask, use_cache=False).last_hidden_state
    mean: Tensor = states[:, -own:].float().mean(1)
    return mean


def load_language(folder: Path, device: torch.device) -> tuple[Any, Any]:
    """The language model in bfloat16 and its tokenizer. Raises `WeightsError` for a folder that is none."""
    try:
        from transformers import AutoTokenizer, LlamaModel
    except ImportError:
        raise MissingDependency("LLM2CLIP", "hf") from None
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        model = LlamaModel.from_pretrained(
            str(folder), local_files_only=True, use_safetensors=True, dtype=torch.bfloat16
        )
    except Exception as error:  # the library raises many kinds for a folder that is not such a model's
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise WeightsError(f"{folder.name} cannot be loaded as a Llama: {reason}. Give its whole folder") from None
    return model.eval().requires_grad_(False).to(device), tokenizer


def _adapter(state: dict[str, Any], path: Path) -> Adapter:
    """The adapter whose sizes its own weights say."""
    mine = {key.removeprefix(_PREFIX): value for key, value in state.items() if key.startswith(_PREFIX)}
    blocks = len({key.split(".")[0] for key in mine if ".fn." in key})
    try:
        inner, width = mine["0.fn.0.weight"].shape
        dim = len(mine[f"{blocks + 1}.weight"])
    except (KeyError, ValueError):
        raise WeightsError(f"{path.name} holds no {_PREFIX}0. Give LLM2CLIP's own file") from None
    made = Adapter(width, inner, dim, blocks)
    fit(made, mine, path, Llm2Clip.name)
    return made.eval().requires_grad_(False)
