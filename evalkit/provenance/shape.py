"""A tokenizer's run against the network that its name stands for: built without weights, it says how many codes there are."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import torch

from evalkit.errors import EvalkitError
from evalkit.jobs.checks import Failure
from evalkit.metrics.rate import BPP
from evalkit.runs.store import RECORD, SAMPLES, Run
from evalkit.tokenizers.network import NetworkTokenizer
from evalkit.tokenizers.registry import TOKENIZERS
from evalkit.weights.layout import on_paper

SAME = 1e-6  # relative, of bits a pixel


def shape_failures(run: Run) -> Iterator[Failure]:
    """Where vocabulary, codes per image or bits a pixel are not those of the named network.

    Models of equal vocabularies and numbers of codes are not told apart. Networks that cannot be built here say nothing.
    """
    model = run.record.get("model") or {}
    named = _built(str(model.get("name"))) if run.record.get("task") == "tokenizer" else None
    if named is None:
        return
    if "vocab_size" in model and model["vocab_size"] != named.vocab_size:
        yield Failure(RECORD, f"{named.name} has {named.vocab_size} codes to choose from, not {model['vocab_size']}")
    for protocol in run.record["plan"].get("protocols", ()):
        side = (protocol.get("settings") or {}).get("side")  # a text where images keep their shapes
        if isinstance(side, int):
            yield from _unlike(run.samples, str(protocol.get("id")), named, side)


def _built(name: str) -> NetworkTokenizer | None:
    """The tokenizer called `name` without weights and memory; None where it is no network, or lacks a package here."""
    try:
        entry = TOKENIZERS.get(name) if name in TOKENIZERS else None
        if entry is None or not issubclass(entry.cls, NetworkTokenizer):
            return None
        with on_paper():
            return entry.cls(name, entry.config, entry.cls.build(entry.config), torch.device("meta"), torch.float32)
    except (EvalkitError, ImportError, NotImplementedError, RuntimeError):  # what no network on paper can be made of
        return None


def _unlike(samples: pa.Table, protocol: str, named: NetworkTokenizer, side: int) -> Iterator[Failure]:
    mine = samples.filter(pc.and_(pc.equal(samples["protocol"], protocol), pc.is_null(samples["error"])))
    count, bits = named.tokens_per_image(side, side), named.bits_per_code()
    codes = {value for value in mine["codes"].to_pylist() if value is not None}
    if count is None or bits is None:
        return
    if codes - {count}:
        other = min(codes - {count})
        yield Failure(SAMPLES, f"{named.name} makes {count} codes of {side} x {side} pixels, rows say {other}")
        return
    rate = count * bits / side**2
    strange = [each for each in mine[BPP.name].to_pylist() if each is not None and abs(each - rate) > SAME * rate]
    if strange:
        yield Failure(SAMPLES, f"{named.name} takes {rate:.6g} bits a pixel at {side} px, rows say {strange[0]:.6g}")
