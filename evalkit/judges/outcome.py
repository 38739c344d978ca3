"""From a raw reply to its outcome: answered, refused, unparsed or failed, each told apart."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from evalkit.errors import DAMAGED
from evalkit.judges.parse import NoAnswer, without_thoughts
from evalkit.judges.reply import RawReply, Reply

# openings by which models decline; only looked at where there is no answer
_DECLINES = re.compile(
    r"(?i)^\W*(i['’]?m (really |very )?sorry|sorry|i (can(not|['’]?t)|am (unable|not able)|won['’]?t|must decline)"
    r"|i['’]?m (unable|not able|afraid)|unfortunately,? i|as an ai\b|we can(not|['’]?t)|抱歉|对不起|很抱歉|我无法|我不能)"
)


@dataclass(frozen=True)
class Reader:
    """How an answer is found: `parse` takes the raw reply and raises `NoAnswer`.

    `cut_is_fine`: whether the answer of a reply that was cut off may be trusted, as with a JSON object that is whole or
    with the probabilities of a first token.
    """

    parse: Callable[[RawReply], Any]
    cut_is_fine: bool = False


def text_reader(parse: Callable[[str], Any], *, cut_is_fine: bool = False) -> Reader:
    """A reader of the reply's text."""
    return Reader(lambda raw: parse(raw.text), cut_is_fine)


def outcome(key: str, raw: RawReply, reader: Reader) -> Reply:
    """What became of a question."""
    if raw.kind == "error":
        return Reply(key, "failed", raw.error, raw=raw)
    if raw.kind == "blocked" or raw.finish == "content_filter":
        return Reply(key, "refused", "content filter", raw=raw)
    if raw.refusal:
        return Reply(key, "refused", "refusal", raw=raw)
    cut = raw.finish == "length"
    if cut and not reader.cut_is_fine:
        return Reply(key, "unparsed", "truncated", raw=raw)
    try:
        return Reply(key, "answered", "", reader.parse(raw), raw)
    except NoAnswer as lacks:
        said = str(lacks)
    except (
        MemoryError,
        *DAMAGED,
    ) as error:  # a parser trips over what a model wrote; the question is lost, not the run
        said = f"the parser cannot read it ({type(error).__name__})"
    return Reply(key, "unparsed", "truncated", raw=raw) if cut else _lost(key, raw, said)


def _lost(key: str, raw: RawReply, lacks: str) -> Reply:
    text = without_thoughts(raw.text)
    if not text:
        return Reply(key, "unparsed", "empty", raw=raw)
    if _DECLINES.match(text):
        return Reply(key, "refused", "refusal in words", raw=raw)
    return Reply(key, "unparsed", lacks, raw=raw)
