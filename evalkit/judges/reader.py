"""`ocr:NAME`: a reader of text in the place of a judge, for benchmarks whose question is what an image says."""

from __future__ import annotations

import threading

from evalkit.encoders.base import Ocr
from evalkit.encoders.registry import load_ocr
from evalkit.errors import EvalkitError
from evalkit.images.decode import decode_image
from evalkit.judges.base import Judge
from evalkit.judges.reply import RawReply
from evalkit.judges.request import ImagePart, JudgeRequest


class ReaderJudge(Judge):
    """To any question the reply is the text of the last image, line by line; questions about anything else fail."""

    def __init__(self, reader: Ocr) -> None:
        self.model, self.snapshot = reader.id, reader.weights_sha256
        self._reader, self._lock = reader, threading.Lock()

    def reply(self, request: JudgeRequest, deadline: float) -> RawReply:
        """The text of the last image."""
        images = [part for message in request.messages for part in message.parts if isinstance(part, ImagePart)]
        if not images or request.parameters.top_logprobs is not None:
            return RawReply(kind="error", error=f"{self.model} reads texts of images and answers no question")
        try:
            with self._lock:
                return RawReply(text=self._reader.read(decode_image(images[-1].data)).text, finish="stop")
        except EvalkitError as error:
            return RawReply(kind="error", error=str(error))


def reader_judge(name: str, device: str) -> ReaderJudge:
    """The reader called `name`, such as rapidocr. Raises `EvalkitError` for an unknown one."""
    return ReaderJudge(load_ocr(name, device))
