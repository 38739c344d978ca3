"""From what was typed to the spec of a check: prompts, sampler, models, rules, and what cannot be measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from evalkit.encoders.base import Encoder
from evalkit.erasure.check.items import Item, items_of
from evalkit.erasure.check.look import DOMAIN, Look, domain_of
from evalkit.erasure.check.probed import read_probes
from evalkit.erasure.check.seen import rule_of
from evalkit.erasure.check.spec import FEATURES, NAME, SHARD, VERSION, kept_prompts, limited, protocol_of
from evalkit.erasure.check.texts import ROLE, text_scorer_ref
from evalkit.erasure.pairs.pair import read_pairs
from evalkit.erasure.training.spec import FACTS
from evalkit.generators.base import Generator, Request, TokenGenerator
from evalkit.generators.sampling import Sampler
from evalkit.jobs.options import RunOptions
from evalkit.jobs.spec import DataRef, ModelRef, Spec
from evalkit.jsonio import parse_json
from evalkit.metrics.image_text import CLIPSCORE
from evalkit.weights.find import find_weights
from evalkit.weights.reading import file_sha256

CODES = 2048  # of all images that are drawn at once
Probes = tuple[str | Path, str | Path]


def label_of(path: str) -> str:
    """What an eraser is called: the method that its training states, else the name of its file."""
    facts = Path(path).expanduser().parent / FACTS
    try:
        said = parse_json(facts.read_bytes(), str(facts))
    except (OSError, ValueError):
        return Path(path).stem
    return str(said.get("method") or Path(path).stem) if isinstance(said, dict) else Path(path).stem


def rows_for(generator: Generator) -> int:
    """How many images are drawn at once: the generator's own number, or more where its images have few codes."""
    return (
        max(generator.rows, CODES // generator.tokens_per_image)
        if isinstance(generator, TokenGenerator)
        else generator.rows
    )


def sampler_for(generator: Generator, guidance: float | None) -> Sampler:
    """The model's own guidance, or another scale of its form, over its whole distribution."""
    own = generator.default_sampler
    form = own.guidance if guidance is None else replace(own.guidance, scale=guidance)
    return Sampler(form, temperature=own.temperature, steps=own.steps, filter=own.filter)


def asked_items(
    pairs: str | Path, concept: str, retain: str | Path | None, limit: int | None
) -> tuple[tuple[Item, ...], str, tuple[str, str | None]]:
    """(items, kind of the concept, how both are read again)."""
    found = read_pairs(pairs)
    kept = None if retain is None else str(retain)
    items = limited(items_of(found, concept, kept_prompts(kept)), limit)
    kind = next(pair.kind for pair in found if pair.concept == concept)
    return items, kind, (str(pairs), kept)


def check_prompts(generator: Generator, items: Sequence[Item]) -> None:
    """Raises `EvalkitError` for a prompt that the generator does not take."""
    for item in items:
        generator.check(Request(item.id, item.prompt))


def model_ref(generator: Generator, weights: str | None) -> ModelRef:
    """A described generator's part in a spec."""
    return ModelRef(generator.name, generator.weights_sha256, weights=weights)


def planned(
    look: Look,
    detector: Encoder,
    models: dict[str, ModelRef],
    inputs: dict[str, DataRef],
    concept: str,
    kind: str,
    options: RunOptions,
    files: Mapping[str, str],
    probes: Probes | None,
) -> Spec:
    """The spec but for what only models or only folders have; raises `EvalkitError` for labels that nobody gives."""
    rule = rule_of(detector, concept, kind, look.labels, look.top, look.threshold)
    texts = text_scorer_ref(files) if look.texts else "text scores were not asked for"
    if isinstance(texts, ModelRef):
        models = {**models, ROLE: texts}
    domain = domain_of(look, files)
    if domain is not None:
        models = {**models, DOMAIN: domain[0]}
    if look.distances:
        models = {**models, "features": ModelRef(FEATURES, file_sha256(find_weights("efficientnet-lite0")))}
    parameters: dict[str, Any] = {
        "concept": concept,
        "limit": options.limit,
        "shown": options.keep != "none",
        "operating": None if look.operating is None else list(look.operating),
        "why": {} if isinstance(texts, ModelRef) else {CLIPSCORE.name: texts},
        "domain_labels": [] if domain is None else list(domain[1]),
        "probes": None if probes is None else [str(path) for path in probes],
    }
    if probes is not None:
        read_probes(*parameters["probes"])  # refused before any work
    return Spec(
        NAME,
        VERSION,
        models,
        inputs,
        (protocol_of(rule, look.gates),),
        parameters=parameters,
        seed=options.seed,
        shard=SHARD,
    )
