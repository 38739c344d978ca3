"""A check as plain data, and how a worker reads it back."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict

from evalkit.encoders.base import Encoder
from evalkit.encoders.registry import load_encoder
from evalkit.erasure.check.gates import Gates
from evalkit.erasure.check.items import Item, items_digest, items_of
from evalkit.erasure.check.seen import Rule
from evalkit.erasure.pairs.pair import read_pairs
from evalkit.errors import EvalkitError
from evalkit.generators.base import Generator
from evalkit.generators.registry import load_generator
from evalkit.jobs.live import held, is_live
from evalkit.jobs.spec import DataRef, ModelRef, ProtocolRef, Spec
from evalkit.jsonio import canonical_json
from evalkit.metrics.erasure import TASK
from evalkit.prompts.load import PromptSet, load_prompts

NAME, VERSION, SHARD = TASK, 2, 64
PROTOCOL = "erasure-2"
FEATURES = "efflite0"


def protocol_of(rule: Rule, gates: Gates) -> ProtocolRef:
    """The rules by which images count and verdicts are given."""
    said = {"version": VERSION, "rule": asdict(rule), "gates": asdict(gates)}
    return ProtocolRef(PROTOCOL, hashlib.sha256(canonical_json(said)).hexdigest(), said)


def rule_of_spec(spec: Spec) -> Rule:
    """The rule by which an image shows the concept."""
    said = spec.protocols[0].settings["rule"]
    return Rule(tuple(said["labels"]), said["top"], said["threshold"])


def gates_of(spec: Spec) -> Gates:
    """The numbers that verdicts are given by."""
    return Gates(**spec.protocols[0].settings["gates"])


def limited(items: Sequence[Item], limit: int | None) -> tuple[Item, ...]:
    """The first `limit` items of each set."""
    count: dict[str, int] = {}
    kept = []
    for item in items:
        count[item.subset] = count.get(item.subset, 0) + 1
        if limit is None or count[item.subset] <= limit:
            kept.append(item)
    return tuple(kept)


def items_ref(items: Sequence[Item], source: str, retain: str | None) -> DataRef:
    """A reference to what is asked: the pairs' file and the prompts that must stay."""
    return DataRef("prompts", len(items), items_digest(items), {}, canonical_json([source, retain]).decode())


def items_in(spec: Spec) -> tuple[Item, ...]:
    """The items of a spec; raises `EvalkitError` where the files hold others now."""
    import json

    ref = spec.inputs["prompts"]
    if ref.source is None:
        raise EvalkitError("nothing says where the pairs lie. Give the run's own --pairs")
    source, retain = json.loads(ref.source)
    found = limited(
        items_of(read_pairs(source), spec.parameters["concept"], kept_prompts(retain)),
        spec.parameters["limit"],
    )
    if items_digest(found) != ref.digest:
        raise EvalkitError(
            "the pairs or the retained prompts have changed since the run was planned. Give a fresh --out"
        )
    return found


def kept_prompts(source: str | None) -> PromptSet | None:
    """The prompts that must stay, besides the replacements."""
    if source is None:
        return None
    found: PromptSet = held(source) if is_live(source) else load_prompts(source)
    return found


def opened_model(ref: ModelRef, device: str, rows: int | None) -> Generator:
    """A generator of a spec; raises `EvalkitError` where its weights are others, or of another architecture."""
    made: Generator
    if is_live(ref.weights):
        made = held(str(ref.weights))
    else:
        made = load_generator(ref.name, ref.weights, device, ref.dtype)
    if made.weights_sha256 != ref.sha256:
        raise EvalkitError(f"the weights of {ref.name} are not those of the run. Give a fresh --out, or its weights")
    if rows is not None:
        made.rows = rows
    return made


def opened_encoder(ref: ModelRef, device: str) -> Encoder:
    """A detector, a classifier or a network of features."""
    if is_live(ref.weights):
        kept: Encoder = held(str(ref.weights))
        return kept
    made = load_encoder(str(ref.settings.get("load", ref.name)), ref.weights, device)
    if made.weights_sha256 != ref.sha256:
        raise EvalkitError(f"the weights of {ref.name} are not those of the run. Give a fresh --out, or its weights")
    return made
