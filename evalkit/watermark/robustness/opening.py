"""Contenders in a spec: what decides as plain data, and what a worker needs to make them again. A key is never in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.jobs.live import find, held, hold
from evalkit.jobs.spec import ModelRef, Spec
from evalkit.watermark.embed.nudge import Nudge
from evalkit.watermark.robustness.contenders import Contender, TokenMark
from evalkit.watermark.robustness.peers import BitPeer, load_peer
from evalkit.watermark.shipped import opened_mark, opened_tokenizer, sources_of, tokenizer_ref


def contender_said(contender: Contender, *, given: bool) -> dict[str, Any]:
    """What `parameters` of a spec say of a contender; `given`: images carry its mark already."""
    kind = "token" if type(contender) is TokenMark else "peer" if isinstance(contender, BitPeer) else "object"
    return {"kind": kind, "record": contender.record(), "null": contender.null, "given": given}


def contender_sources(contender: Contender) -> dict[str, Any]:
    """What `here` of a spec says: the object of this process, and where a mark's key lies."""
    said: dict[str, Any] = {"contender": hold(contender)}
    if isinstance(contender, TokenMark):
        said |= sources_of(contender.tokenizer, contender.watermark, contender.frequencies)
        said["batch_size"] = contender.batch_size
    return said


def tokenizer_refs(contenders: Sequence[Contender]) -> dict[str, ModelRef]:
    """The tokenizers of token marks by their role."""
    return {_role(each.name): _tokenizer_ref(each) for each in contenders if isinstance(each, TokenMark)}


def opened_contenders(spec: Spec, device: str) -> dict[str, Contender]:
    """The contenders of a spec by name; raises `EvalkitError` where one cannot be made again, or is another here."""
    return {each["record"]["name"]: _opened(spec, each, device) for each in spec.parameters["contenders"]}


def _opened(spec: Spec, said: Mapping[str, Any], device: str) -> Contender:
    record = said["record"]
    here: Mapping[str, Any] = spec.here.get("contenders", {}).get(record["name"], {})
    made: Contender | None = find(here.get("contender"))
    if made is None and said["kind"] == "token":
        made = _token_mark(spec.models[_role(record["name"])], record, here, device)
    elif made is None and said["kind"] == "peer":
        made = load_peer(record["name"], record["side"], record["payload_seed"])
    elif made is None:
        made = held(str(here.get("contender")))
    if made is None or made.record() != dict(record):
        raise EvalkitError(f"{record['name']} is not the one of the run. Install what the run was made with")
    return made


def _token_mark(model: ModelRef, record: Mapping[str, Any], here: Mapping[str, Any], device: str) -> TokenMark:
    tokenizer = opened_tokenizer(model, here, device)
    return TokenMark(
        opened_mark(record["mark"], here, tokenizer),
        tokenizer,
        fraction=record["fraction"],
        nudge=Nudge(**{"template": 0.0, **record["nudge"]}) if "nudge" in record else None,
        batch_size=int(here.get("batch_size", 8)),
        name=record["name"],
        frequencies=here.get("frequencies"),
    )


def _role(name: str) -> str:
    return f"tokenizer of {name}"


def _tokenizer_ref(contender: TokenMark) -> ModelRef:
    dtype = str(getattr(contender.tokenizer, "dtype", "float32")).removeprefix("torch.")
    return tokenizer_ref(contender.tokenizer, dtype)
