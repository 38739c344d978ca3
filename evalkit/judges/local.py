"""`transformers:REPO`: a vision-language model on this machine, behind the contract of endpoints."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from evalkit.device import pick_device
from evalkit.errors import MissingDependency, WeightsError
from evalkit.images.decode import decode_image
from evalkit.judges.base import Judge
from evalkit.judges.reply import RawReply, Token
from evalkit.judges.request import JudgeRequest, Part
from evalkit.weights.find import hub_folder
from evalkit.weights.reading import file_sha256

_BLANKS = str.maketrans({"\u2581": " ", "\u0120": " ", "\u010a": "\n"})  # as tokenizers write blanks and line ends
_TEMPLATE = "chat_template_kwargs"  # the one extra field that means the same here as on a server
_MOST = 2048  # new tokens where a request names no limit


class TransformersJudge(Judge):
    """One question at a time: greedy at temperature 0 or none, bfloat16 on a GPU and float32 elsewhere.

    What the model's generation_config.json sets besides, such as a repetition penalty, holds as on a server.
    The snapshot is the hub's commit, or the sha256 of a folder that does not come from the hub's cache.
    """

    def __init__(self, repo: str, device: str = "auto") -> None:
        """Load the model. Raises `WeightsError` where it cannot be had, `MissingDependency` without transformers."""
        try:
            from transformers import AutoModelForImageTextToText, AutoProcessor
        except ImportError:
            raise MissingDependency(f"the judge {repo}", "hf") from None
        local = Path(repo).expanduser()
        folder = local if local.is_dir() else hub_folder(repo)
        place = pick_device(device)
        dtype = torch.bfloat16 if place.type == "cuda" else torch.float32
        try:
            network = AutoModelForImageTextToText.from_pretrained(str(folder), dtype=dtype, local_files_only=True)
            self.processor: Any = AutoProcessor.from_pretrained(str(folder), local_files_only=True)
        except Exception as error:  # the library raises many kinds for a folder that is not such a model's
            said = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
            raise WeightsError(
                f"{folder.name} cannot be loaded as a judge: {said}. Give the model's whole folder"
            ) from None
        self.network: Any = network.eval().requires_grad_(False).to(place)
        self.model = local.name if local.is_dir() else repo
        self.snapshot = folder.name if folder.parent.name == "snapshots" else file_sha256(folder)
        self._lock = threading.Lock()

    def reply(self, request: JudgeRequest, deadline: float) -> RawReply:
        """The raw reply. A reply that was begun is finished even where the deadline passes meanwhile."""
        given = request.parameters
        if odd := [*(["schema"] if given.schema is not None else []), *sorted(set(given.extra) - {_TEMPLATE})]:
            return RawReply("error", error=f"a local judge takes no {odd[0]}")
        with self._lock:
            began = time.monotonic()
            if began >= deadline:
                return RawReply("error", error="deadline")
            try:
                return self._generated(request, began)
            except Exception as error:  # the library raises many kinds for chats and images that a model does not take
                said = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
                return RawReply("error", error=f"{self.model} gave no reply: {said}")

    @torch.inference_mode()
    def _generated(self, request: JudgeRequest, began: float) -> RawReply:
        given = request.parameters
        inputs = self._inputs(request)
        sampling: dict[str, Any] = {"do_sample": False}
        if given.temperature:
            sampling = {"do_sample": True, "temperature": given.temperature, "top_p": given.top_p or 1.0, "top_k": 0}
        sampling |= {"max_new_tokens": given.max_tokens or _MOST, "output_logits": given.top_logprobs is not None}
        with torch.random.fork_rng(devices=[self.network.device] if self.network.device.type == "cuda" else []):
            torch.manual_seed((given.seed or 0) + request.repeat)
            out = self.network.generate(**inputs, **sampling, return_dict_in_generate=True)
        start = inputs["input_ids"].shape[1]
        new = out.sequences[0, start:].tolist()
        return RawReply(
            text=str(self.processor.decode(new, skip_special_tokens=True)),
            finish="stop" if new and new[-1] in self._ends() else "length",
            model=self.model,
            fingerprint=str(self.snapshot),
            prompt_tokens=start,
            completion_tokens=len(new),
            tokens=self._tokens(new, out.logits, given.top_logprobs),
            seconds=round(time.monotonic() - began, 3),
        )

    def _inputs(self, request: JudgeRequest) -> Any:
        chat = [{"role": m.role, "content": [_part(part) for part in m.parts]} for m in request.messages]
        fields = dict(request.parameters.extra.get(_TEMPLATE, {}))
        made = self.processor.apply_chat_template(
            chat, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt", **fields
        )
        return made.to(self.network.device, dtype=self.network.dtype)

    def _ends(self) -> set[int]:
        end = self.network.generation_config.eos_token_id
        return set(end if isinstance(end, list) else [end])

    def _tokens(self, new: list[int], logits: Any, top: int | None) -> tuple[Token, ...]:
        if top is None:
            return ()
        found = []
        for token, row in zip(new, logits, strict=False):
            logprobs = row[0].float().log_softmax(-1)
            best = logprobs.topk(min(top, len(logprobs)))
            pairs = zip(self._texts(best.indices.tolist()), best.values.tolist(), strict=True)
            found.append(Token(self._texts([token])[0], max(float(logprobs[token]), -1e4), tuple(pairs)))
        return tuple(found)

    def _texts(self, ids: list[int]) -> list[str]:
        pieces = self.processor.tokenizer.convert_ids_to_tokens(ids)
        return [str(piece).translate(_BLANKS) for piece in pieces]


def _part(part: Part) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    return {"type": "image", "image": Image.fromarray(decode_image(part.data))}
