"""Reading a chat completion in OpenAI's form: text, why it ends, refusal, usage, token probabilities, errors."""

from __future__ import annotations

import math
from typing import Any

from evalkit.judges.reply import RawReply, Token

_FILTERS = ("content_filter", "content_policy", "responsibleaipolicyviolation", "jailbreak", "safety", "moderation")
_FILTER_WORDS = ("content management policy", "content filter", "content policy", "safety system", "jailbreak")


def raw_reply(found: Any) -> RawReply:
    """The first choice of a completion. Raises KeyError, IndexError, TypeError or ValueError where there is none."""
    choice = found["choices"][0]
    message = choice["message"]
    used = found.get("usage") if isinstance(found.get("usage"), dict) else {}
    return RawReply(
        text=_text(message.get("content")),
        finish=str(choice.get("finish_reason") or ""),
        refusal=str(message.get("refusal") or ""),
        model=str(found.get("model") or ""),
        fingerprint=str(found.get("system_fingerprint") or ""),
        prompt_tokens=_count(used, "prompt_tokens"),
        completion_tokens=_count(used, "completion_tokens"),
        tokens=_tokens(choice.get("logprobs")),
    )


def error_of(found: Any) -> tuple[str, str, int]:
    """Message, code and status of an error object; empty where there is none."""
    error = found.get("error") if isinstance(found, dict) else None
    if isinstance(error, str):
        return error, "", 0
    if not isinstance(error, dict):
        return "", "", 0
    inner = error.get("innererror")
    codes = [error.get("code"), error.get("type"), inner.get("code") if isinstance(inner, dict) else None]
    status = next((code for code in codes if isinstance(code, int)), 0)
    return str(error.get("message") or "an error"), " ".join(str(code) for code in codes if code), status


def blocked(code: str, text: str) -> bool:
    """Whether an error says that a content filter stood in the way."""
    code, text = code.lower(), text.lower()
    return any(word in code for word in _FILTERS) or any(word in text for word in _FILTER_WORDS)


def _text(content: Any) -> str:
    """The text of a message whose content is text, nothing, or a list of parts."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text") or "") for part in content)


def _count(used: Any, name: str) -> int | None:
    value = used.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _tokens(logprobs: Any) -> tuple[Token, ...]:
    places = (logprobs or {}).get("content") or []
    return tuple(
        Token(str(p["token"]), _logprob(p), tuple((str(t["token"]), _logprob(t)) for t in p.get("top_logprobs") or []))
        for p in places
    )


def _logprob(row: Any) -> float:
    value = float(row["logprob"])
    if math.isnan(value) or value > 1e-6:
        raise ValueError(f"{value} is no log probability")
    return max(value, -1e4)
