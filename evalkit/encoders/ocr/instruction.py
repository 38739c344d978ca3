"""What vision-language models are told that read text, and what their answers mean."""

from __future__ import annotations

from evalkit.encoders.base import OcrText

INSTRUCTION = (
    "Transcribe the text in this image, in its own language and script, line by line. "
    "Answer with the text alone; where there is none, answer with nothing."
)
TOKENS = 1024  # at most, for one image


def lines_of(text: str) -> OcrText:
    """A model's answer as lines; it gives no scores of its own, so each is 1."""
    lines = tuple(line.strip() for line in text.strip().splitlines() if line.strip())
    return OcrText(lines, (1.0,) * len(lines))
