"""What a tokenizer's evaluation is, as plain data, and how it is read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.images.sample import ImageSet
from evalkit.jobs.data import data_ref
from evalkit.jobs.live import hold
from evalkit.jobs.options import RunOptions
from evalkit.jobs.spec import DataRef, ModelRef, ProtocolRef, Spec
from evalkit.metrics.registry import foreign_metrics
from evalkit.protocols import Protocol, load_protocol
from evalkit.registry import foreign_code
from evalkit.tasks.tokenizer.evaluators import Evaluators
from evalkit.tasks.tokenizer.pixels import Feed, feed_of
from evalkit.tokenizers.base import PixelTokenizer, Tokenizer

NAME, VERSION, SHARD = "tokenizer", 2, 64


@dataclass(frozen=True)
class Settings:
    """What the aggregation reads of a spec.

    `extractors`: by protocol, the features whose distances are results. `unavailable`: why an evaluator is not there.
    """

    dataset: str
    protocols: tuple[Protocol, ...]
    tasks: frozenset[str]
    extractors: Mapping[str, tuple[str, ...]]
    unavailable: Mapping[str, str]
    seed: int


def tokenizer_spec(
    model: Tokenizer,
    weights: str | None,
    images: ImageSet,
    feeds: Sequence[Feed],
    evaluators: Evaluators,
    options: RunOptions,
    further: Sequence[str] = (),
    ocr: str = "rapidocr",
) -> Spec:
    """The spec of one tokenizer, described without its weights, on one image set under the protocols of `feeds`."""
    n = len(images) if options.limit is None else min(options.limit, len(images))
    found = {**evaluators.weights, **dict.fromkeys(evaluators.unavailable, "unavailable")}
    code = foreign_code(type(model))
    settings = {**({"compile": True} if options.compile else {}), **({"code": code} if code else {})}
    further_metrics = foreign_metrics(evaluators.tasks)
    return Spec(
        NAME,
        VERSION,
        {"model": ModelRef(model.name, model.weights_sha256, options.dtype, settings, weights)},
        {"data": data_ref(images, n, hold(images))},
        tuple(ProtocolRef(f.protocol.id, f.protocol.sha256, {**f.as_dict(), "misfed": f.misfed}) for f in feeds),
        parameters={
            "tasks": sorted(evaluators.tasks),
            "features": list(further),
            "ocr": ocr,
            "evaluators": found,
            "keep": options.keep,
            "batch_size": batch_size(model, options),
            **({"metrics": further_metrics} if further_metrics else {}),
        },
        seed=options.seed,
        shard=SHARD,
        here={
            "data": str(images.spec),
            "evaluators": hold(evaluators),
            "threads": options.threads,
            "set": images.as_record(),
        },
    )


def batch_size(model: Tokenizer, options: RunOptions) -> int:
    """The asked batch size.

    "auto" is 64 on a GPU (halved when memory runs out). On a CPU a network runs fastest on about one 256 px image
    at a time (more leaves the cache: benchmarks/tokenizers.py), and codecs take 8.
    """
    if options.batch_size != "auto":
        return options.batch_size
    if isinstance(model, PixelTokenizer):
        return 8
    from evalkit.device import pick_device
    from evalkit.tokenizers.network import NetworkTokenizer  # imports torch, which codecs do without

    if not isinstance(model, NetworkTokenizer):
        return 8

    return 64 if pick_device(options.device).type == "cuda" else min(16, max(1, 256**2 // model.native_size**2))


def feeds_of(spec: Spec, model: Tokenizer) -> list[Feed]:
    """How the model is fed under each protocol; raises `EvalkitError` where a protocol's rules are others here."""
    return [_feed(ref, model) for ref in spec.protocols]


def protocols_of(spec: Spec) -> tuple[Protocol, ...]:
    """The protocols of a spec, as this evalkit knows them."""
    return tuple(load_protocol(ref.id) for ref in spec.protocols)


def settings_of(spec: Spec, unavailable: Mapping[str, str]) -> Settings:
    """What the aggregation reads; `unavailable` are the reasons that the worker found."""
    protocols = protocols_of(spec)
    own = {each.id: each.distribution.extractors for each in protocols}
    extractors = {id: tuple(dict.fromkeys((*names, *spec.parameters["features"]))) for id, names in own.items()}
    tasks = frozenset(spec.parameters["tasks"])
    return Settings(spec.inputs["data"].name, protocols, tasks, extractors, unavailable, spec.seed)


def upgraded(record: Mapping[str, Any], features: Sequence[str]) -> Spec:
    """The spec of a record of format 1; `features` are the extractors whose distances its results hold."""
    plan, data = record["plan"], record["data"]
    protocols = record["protocols"]
    own = {name for each in protocols for name in load_protocol(each["id"]).distribution.extractors}
    return Spec(
        NAME,
        1,
        {
            "model": ModelRef(
                plan["model"], plan["weights"], plan["dtype"], {"compile": True} if plan["compile"] else {}
            )
        },
        {"data": DataRef(data["name"], data["n"], data["digest"])},
        tuple(ProtocolRef(each["id"], each["sha256"], each) for each in protocols),
        parameters={
            "tasks": plan["tasks"],
            "features": [name for name in features if name not in own],
            "ocr": "rapidocr",
            "evaluators": plan["judges"],
            "keep": plan["keep"],
            "batch_size": plan["batch_size"],
        },
        seed=plan["seed"],
        shard=plan["shard"],
    )


def _feed(ref: ProtocolRef, model: Tokenizer) -> Feed:
    protocol, side = load_protocol(ref.id), ref.settings["side"]
    if protocol.sha256 != ref.sha256:
        raise EvalkitError(f"the protocol {ref.id} of this evalkit is not that of the run. Take the evalkit of the run")
    whole = isinstance(side, str)
    return feed_of(protocol, model, None if whole else int(side), whole=whole)
