"""`http:URL#MODEL`: text read by a vision model behind an OpenAI-compatible endpoint."""

from __future__ import annotations

import base64
from pathlib import Path

import torch

from evalkit.encoders.base import Ocr, OcrText
from evalkit.encoders.ocr.instruction import INSTRUCTION, TOKENS, lines_of
from evalkit.encoders.registry import Entry, shipped
from evalkit.errors import DAMAGED, EvalkitError
from evalkit.images.encode import png_bytes
from evalkit.images.sample import Pixels
from evalkit.remote import RemoteError, endpoint, host, post_json


class HttpOcr(Ocr):
    """Greedy answers (temperature 0) of a chat model that sees images; the key comes from the environment."""

    def __init__(self, address: str, timeout: float = 300.0) -> None:
        url, _, model = address.partition("#")
        if not model:
            raise EvalkitError(
                f"'http:{address}' names no model; give http:URL#MODEL, such as http:http://localhost:8000/v1#gemma-3-12b-it"
            )
        self.url, self.model, self.timeout = endpoint(url, "/chat/completions"), model, timeout
        self.id, self.version = f"http:{host(url)}", model

    def read(self, image: Pixels) -> OcrText:
        """The text of an image; raises `EvalkitError` where the endpoint gives none after several attempts."""
        encoded = base64.b64encode(png_bytes(image)).decode()
        content = [
            {"type": "text", "text": INSTRUCTION},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{encoded}"}},
        ]
        message = {"role": "user", "content": content}
        body = {"model": self.model, "messages": [message], "temperature": 0, "max_tokens": TOKENS}
        try:
            answer = post_json(self.url, body, timeout=self.timeout).found
            said = answer["choices"][0]["message"]["content"]
        except RemoteError as error:
            raise EvalkitError(str(error)) from None
        except DAMAGED:
            raise EvalkitError(
                f"{self.id} gave an answer without choices[0].message.content. Give the address of a chat model"
            ) from None
        return lines_of(str(said or ""))


def entry(name: str, address: str) -> Entry:
    """The entry of `ocr:http:URL#MODEL`."""

    def load(weights: str | Path | None, device: torch.device) -> Ocr:
        shipped(name, weights)
        return HttpOcr(address)

    return Entry(name, "text", load)
