"""From a concept to files of pairs: grammars, language models or a given file, then the visual filter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from evalkit.erasure.pairs.asking import ask_for_pairs
from evalkit.erasure.pairs.combine import deduplicated
from evalkit.erasure.pairs.concepts import Concept, find_concept
from evalkit.erasure.pairs.filter import Filtered, FilterRule, visual_filter
from evalkit.erasure.pairs.grammar import grammar_pairs, retained
from evalkit.erasure.pairs.pair import Kind, Pair, read_pairs, write_pairs
from evalkit.erasure.pairs.public import public_pairs
from evalkit.erasure.pairs.recogniser import ByLabel, Recogniser
from evalkit.erasure.pairs.summary import counts, filter_summary
from evalkit.erasure.pairs.world import world_concept, world_pairs, world_retained
from evalkit.errors import EvalkitError
from evalkit.generators.base import Generator
from evalkit.generators.guidance import Guidance
from evalkit.generators.sampling import Sampler
from evalkit.jobs.progress import Progress
from evalkit.jsonio import canonical_json, pretty_json
from evalkit.whole_files import whole

Grammar = Literal["text", "world"]
RETAINED = 512  # prompts without the concept, written beside the pairs


@dataclass(frozen=True)
class Wanted:
    """What pairs are made of: `count` of each stratum and split from each source.

    `given`: a file of pairs in place of a grammar, evalkit's own or one of the literature. `endpoints`: language models,
    as judges are named. `concepts`: a TOML file that describes concepts. `synonyms`: whether a retained prompt of the
    world may ask for the concept by another name, as prompts filtered by the name do.
    """

    concept: str
    kind: Kind | None = None
    grammar: Grammar = "text"
    count: int = 40
    seed: int = 0
    given: Path | None = None
    endpoints: tuple[str, ...] = ()
    concepts: Path | None = None
    synonyms: bool = False


@dataclass(frozen=True)
class Sight:
    """How pairs are filtered: the base that draws them at `guidance`, and who looks at the images."""

    generator: Generator
    recogniser: Recogniser
    rule: FilterRule = field(default_factory=FilterRule)
    guidance: float = 1.0


@dataclass(frozen=True)
class Made:
    """`pairs.jsonl`, `retain.jsonl`, `summary.json`, and `filtered.jsonl` where there was a filter."""

    folder: Path
    pairs: tuple[Pair, ...]
    summary: Mapping[str, Any]


def make_pairs(wanted: Wanted, out: Path, sight: Sight | None = None, progress: Progress | None = None) -> Made:
    """Make the pairs and write them to `out`; the same for the same seed, models and weights.

    Raises `EvalkitError` for an unknown concept, an endpoint without answers, and where the filter leaves no pair.
    """
    concept = _concept(wanted)
    found, lost = _sources(wanted, concept, out)
    pairs, twice = deduplicated(found)
    summary: dict[str, Any] = {"concept": concept.name, "kind": concept.kind, "seed": wanted.seed}
    summary |= {"made": len(found), "left_out_as_equal": twice, "lost_answers": lost}
    if sight is not None:
        filtered = _filtered(pairs, sight, wanted.seed, progress)
        _write_lines(out / "filtered.jsonl", [each.as_dict() for each in filtered])
        pairs = tuple(each.pair for each in filtered if each.kept)
        summary["filter"] = {**_facts(sight), **filter_summary(filtered, sight.rule)}
    if not pairs:
        raise EvalkitError(
            f"no pair of {concept.name} is left. Look into {out / 'filtered.jsonl'}, or give another concept"
        )
    _write(wanted, concept, out, pairs, summary | {"pairs": counts(pairs)})
    return Made(out, pairs, summary | {"pairs": counts(pairs)})


def _write(wanted: Wanted, concept: Concept, out: Path, pairs: tuple[Pair, ...], summary: Mapping[str, Any]) -> None:
    write_pairs(out / "pairs.jsonl", pairs)
    if prompts := _retained(wanted, concept):
        _write_lines(out / "retain.jsonl", [{"prompt": prompt} for prompt in prompts])
    with whole(out / "summary.json") as temporary:
        temporary.write_bytes(pretty_json(dict(summary)))


def _facts(sight: Sight) -> dict[str, Any]:
    made_by = {"generator": sight.generator.name, "weights_sha256": sight.generator.weights_sha256}
    return {**made_by, "recogniser": sight.recogniser.facts, "guidance": sight.guidance}


def _concept(wanted: Wanted) -> Concept:
    if wanted.grammar == "world":
        return world_concept(wanted.concept)
    if wanted.given is not None and wanted.concepts is None and not wanted.endpoints:
        if wanted.kind is None:
            raise EvalkitError("pairs of a file need to be told their kind. Give --kind object, style or nudity")
        return Concept(wanted.concept, wanted.kind, wanted.concept, ())
    return find_concept(wanted.concept, wanted.kind, wanted.concepts)


def _sources(wanted: Wanted, concept: Concept, out: Path) -> tuple[list[Pair], dict[str, dict[str, int]]]:
    found = list(_first(wanted, concept))
    lost: dict[str, dict[str, int]] = {}
    for name in wanted.endpoints:
        from evalkit.judges.registry import load_judge
        from evalkit.judges.store import ReplyStore

        judge = load_judge(name)
        with ReplyStore(out / "replies.jsonl") as store:
            asked = ask_for_pairs(judge, concept, wanted.count, store=store)
        found += asked.pairs
        lost[judge.model] = asked.lost
    return found, lost


def _first(wanted: Wanted, concept: Concept) -> tuple[Pair, ...]:
    if wanted.given is not None:
        if wanted.given.suffix == ".jsonl":
            return tuple(pair for pair in read_pairs(wanted.given) if pair.concept == concept.name)
        return public_pairs(wanted.given, concept.name, concept.kind)
    if wanted.grammar == "world":
        return world_pairs(concept.name, wanted.count, wanted.seed)
    return grammar_pairs(concept, wanted.count, wanted.seed)


def _filtered(pairs: tuple[Pair, ...], sight: Sight, seed: int, progress: Progress | None) -> tuple[Filtered, ...]:
    own = sight.generator.default_sampler.guidance.form
    form = own if own in ("var", "flexvar") else "llamagen"
    sampler = Sampler(Guidance(form, sight.guidance - 1.0 if form != "llamagen" else sight.guidance))
    return visual_filter(pairs, sight.generator, sight.recogniser, sight.rule, sampler, seed=seed, progress=progress)


def _retained(wanted: Wanted, concept: Concept) -> tuple[str, ...]:
    if wanted.grammar == "world":
        return world_retained(concept.name, RETAINED, wanted.seed, synonyms=wanted.synonyms)
    return retained(concept, RETAINED, wanted.seed)


def _write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    with whole(path) as temporary:
        temporary.write_bytes(b"".join(canonical_json(row) + b"\n" for row in rows))


def sight_of(
    generator: Generator,
    detector: str,
    labels: tuple[str, ...],
    rule: FilterRule,
    guidance: float,
    device: str = "auto",
) -> Sight:
    """A filter by one of evalkit's detectors or classifiers. Raises `EvalkitError` for a label that it does not know."""
    from evalkit.encoders.registry import load_encoder

    return Sight(generator, ByLabel(load_encoder(detector, device=device), labels), rule, guidance)
