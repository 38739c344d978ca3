"""A stand-in for a vision-language judge: the reference world's detector answers, and some replies are lost on purpose."""

from __future__ import annotations

import hashlib
import io
import json
import math
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from evalkit.judges.base import Judge
from evalkit.judges.reply import RawReply, Token
from evalkit.judges.request import JudgeRequest
from evalkit.world.captions import Demand
from evalkit.world.detector import detect
from evalkit.world.judge import verdict
from evalkit.world.scene import SIDE


@dataclass
class WorldJudge(Judge):
    """`demands`: what an image must show, by a text that its question holds. `refuses`: a word at which it refuses."""

    demands: dict[str, Demand]
    refuses: str = ""
    model: str = "world-detector"
    snapshot: str | None = "1"
    asked: list[str] = field(default_factory=list)

    def reply(self, request: JudgeRequest, deadline: float) -> RawReply:
        """WISE's three lines, a JSON score, or the probability of yes, as the request asks."""
        text = " ".join(part for message in request.messages for part in message.parts if isinstance(part, str))
        shown = [part for message in request.messages for part in message.parts if not isinstance(part, str)][-1]
        used = {"prompt_tokens": 300, "completion_tokens": 20}
        if self.refuses and self.refuses in text:
            return RawReply(text="I'm sorry, but I can't help with that.", finish="stop", **used)
        demand = next(each for words, each in self.demands.items() if words in text)
        right = verdict(demand, detect(_pixels(shown.data))).correct
        noise = int(hashlib.sha256(shown.data).hexdigest()[:8], 16) / 16**8
        if request.parameters.top_logprobs:
            yes = min(max((0.85 if right else 0.1) + 0.14 * (noise - 0.5), 0.01), 0.99)
            top = (("Yes", math.log(yes)), ("No", math.log(1 - yes)))
            return RawReply(text="Yes", finish="length", tokens=(Token("Yes", math.log(yes), top),), **used)
        if "Consistency" in text:
            lines = f"Consistency: {2 if right else 0}\nRealism: {1 + round(noise)}\nAesthetic Quality: 1"
            return RawReply(text=lines, finish="stop", **used)
        score = (8 if right else 2) + round(noise)
        return RawReply(text=json.dumps({"score": score, "reason": "seen"}), finish="stop", **used)


def _pixels(data: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(data)).convert("RGB")
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.NEAREST))
