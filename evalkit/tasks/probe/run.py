"""`probe`: a suite on images, on a model that makes them first, or on evidence; resumable, a sealed run."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from evalkit.encoders.detectors.base import Detector
from evalkit.encoders.registry import encoder_names
from evalkit.encoders.zero_shot import KEY, ZeroShot
from evalkit.errors import EvalkitError
from evalkit.generators.base import Generator
from evalkit.jobs.engine_inline import run_as_wished, run_folder
from evalkit.jobs.live import hold
from evalkit.jobs.options import RunOptions, check_apart
from evalkit.jobs.spec import DataRef, ModelRef, Spec
from evalkit.prompts.prompt import Prompt, PromptSet
from evalkit.runs.durable import write_bytes
from evalkit.runs.store import RECORD, Run, read_run
from evalkit.tasks.generate import generate_images
from evalkit.tasks.probe.evidence.record import Evidence
from evalkit.tasks.probe.judged.options import JudgeOptions
from evalkit.tasks.probe.judged.suite import JudgedSuite
from evalkit.tasks.probe.listing import Listing, covered, list_images
from evalkit.tasks.probe.networks import judge_of, networks_of
from evalkit.tasks.probe.spec import (
    EVIDENCE,
    GIVEN_SHARD,
    SHARD,
    VERSION,
    file_digest,
    given_evidence,
    in_order,
    made_otherwise,
    prompts_digest,
    protocol_of,
    suite_called,
)
from evalkit.tasks.probe.suite import Suite, prompt_set
from evalkit.tasks.probe.task import PROBE
from evalkit.weights.object_stores import is_url


def probe(
    suite: str,
    images: str | Path | Run | None = None,
    *,
    model: str | Generator | None = None,
    evidence: str | Path | None = None,
    export_evidence: str | Path | None = None,
    detector: str | Detector | None = None,
    colors: ZeroShot | None = None,
    judge: JudgeOptions | None = None,
    rules: Mapping[str, float | str] | None = None,
    samples: int | None = None,
    allow_missing: bool = False,
    made: Sequence[str] = (),
    options: RunOptions | None = None,
) -> Run:
    """Score a suite on `images`, on those that `model` makes, or on `evidence`; the same call resumes.

    `suite`: its name, or a TOML file that declares a judged one. `images`: a generation, or a folder in the suite's own
    layout. `evidence`: a file in the form of `evalkit.tasks.probe.evidence`, or a run that holds one; no image, network or
    judge is needed then. `export_evidence`: a file that the evidence is copied to. `detector`: the suite's own by default.
    `judge`: who judges where a suite needs a judge, and what that may cost. `rules`: other numbers in the rules, by name;
    of judged suites `policy`. `samples`: images of each prompt. `allow_missing`: score what is there. `made`: rewritten=NAME,
    best-of=N or thinking, where images are not made from the prompts in one go; it is a part of the protocol. A generation
    says itself that its prompts were rewritten. Raises
    `EvalkitError` in one sentence for images that are missing, of other prompts, of mixed sizes or in another layout, and
    for evidence of another suite.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     options = RunOptions(out=Path(folder) / "run", limit=3, device="cpu")
    ...     run = probe("world", model="world-ar", options=options)
    >>> run.record["probe"]["probed"], run.record["probe"]["coverage"]
    (3, 1.0)
    """
    options = options or RunOptions()
    if sum(each is not None for each in (images, model, evidence)) != 1:
        raise EvalkitError(
            "a probe takes images, a model or evidence. Give exactly one of --images, --model, --evidence"
        )
    asked, judge = suite_called(suite), judge or JudgeOptions()
    if isinstance(asked, JudgedSuite):
        asked = judge.opened(asked)
    asked = asked.configured(rules) if rules else asked
    if evidence is not None:
        if detector is not None:
            raise EvalkitError("evidence says what was seen, so no detector is needed. Leave out --detector")
        spec, keep = _of_evidence(asked, Path(evidence).expanduser(), samples, allow_missing, options)
    else:
        look = partial(_listed, asked, samples, allow_missing, options)
        if model is None:  # weights are sought for images that can be probed
            source, listing = look(images)
        networks = networks_of(asked, detector, colors, options.weights, shared=model is not None)
        if isinstance(asked, JudgedSuite) and not asked.said.boxes:
            networks = judge_of(asked, judge, options.device)
        if model is not None:
            source, listing = look(_made(asked, model, samples, options))
        made = _as_generated(listing.run, made)
        spec, keep = _of_images(asked, listing, source, networks, samples, allow_missing, options)
    made = made or _made_before(evidence)
    spec = replace(spec, protocols=tuple(made_otherwise(ref, made) for ref in spec.protocols))
    if isinstance(asked, JudgedSuite):
        spec = _judged(spec, asked, judge)
        if asked.own:
            declared = {"declaration": hashlib.sha256(asked.own).hexdigest()}
            here = {**spec.here, "declaration": str(Path(suite).expanduser().resolve())}
            spec = replace(spec, parameters={**spec.parameters, **declared}, here=here)
    out = options.out or run_folder(spec, f"{asked.name}-{spec.models['model'].name}")
    run = run_as_wished(PROBE, spec, out, options)
    del keep, asked  # live references end here
    if export_evidence is not None:
        _export(run, Path(export_evidence).expanduser())
    return run


def _listed(
    suite: Suite, samples: int | None, allow_missing: bool, options: RunOptions, images: str | Path | Run | None
) -> tuple[str | Path, Listing]:
    """Where the images lie, and which they are; raises `EvalkitError` where some are missing and must not be."""
    source = images.path if isinstance(images, Run) else str(images) if is_url(images) else Path(str(images))
    if options.out is not None:
        check_apart(source, options.out)
    listing = list_images(source, suite, samples, options.limit)
    listing.coverage.require(allow_missing=allow_missing)
    return source, listing


def _as_generated(run: Run | None, made: Sequence[str]) -> Sequence[str]:
    """`made`, and that prompts were rewritten where the generation says so; equal prompts bear one name."""
    plan = {} if run is None else run.record["plan"]
    if not plan.get("parameters", {}).get("rewritten") or any(each.partition("=")[0] == "rewritten" for each in made):
        return made
    return (*made, f"rewritten={plan['inputs']['prompts']['digest'][:8]}")


def _made_before(evidence: str | Path | None) -> Sequence[str]:
    """How the images were made whose evidence a run holds."""
    path = Path(evidence).expanduser() if evidence is not None else Path()
    if evidence is None or not (path / RECORD).is_file():
        return ()
    plan = read_run(path).record["plan"]
    return tuple(plan["protocols"][0]["settings"].get("made", ())) if plan["task"] == PROBE.name else ()


def _judged(spec: Spec, suite: JudgedSuite, judge: JudgeOptions) -> Spec:
    """The spec with the benchmark's files, and with how the judge is asked where it is."""
    more = {} if "evidence" in spec.inputs else judge.parameters(suite)
    return replace(
        spec,
        inputs={**spec.inputs, **judge.inputs(suite)},
        parameters={**spec.parameters, **more},
        here={**spec.here, **judge.here(suite)},
    )


def _of_images(
    suite: Suite,
    listing: Listing,
    source: str | Path,
    networks: tuple[dict[str, ModelRef], Any],
    samples: int | None,
    allow_missing: bool,
    options: RunOptions,
) -> tuple[Spec, Any]:
    models, keep = networks
    inputs = {"images": DataRef(listing.name, len(listing.images), listing.digest, source=str(source))}
    places = [(each.prompt, each.sample) for each in listing.images]
    here = {"listing": hold(listing), "threads": options.threads}
    spec = _spec(suite, {"model": _model(listing), **models}, inputs, places, samples, options)
    said = {"expected": listing.coverage.expected, "allow_missing": allow_missing}
    return replace(spec, parameters={**spec.parameters, **said}, here=here), (listing, keep)


def _of_evidence(
    suite: Suite, path: Path, samples: int | None, allow_missing: bool, options: RunOptions
) -> tuple[Spec, Any]:
    file = path / EVIDENCE if (path / EVIDENCE).is_file() else path
    found = given_evidence(suite, file)
    suite.rules(Evidence((), found.facts))  # another suite's evidence is named as such
    count = samples or suite.samples
    counted = covered([(e.image, e.prompt, e.sample) for e in found.images], suite, count, options.limit)
    counted.require(allow_missing=allow_missing)
    kept = in_order(found, suite, count, options.limit)
    suite.rules(kept)  # so that what cannot be judged is said before any work
    name = str(found.facts.get("model") or file.name.split(".")[0])
    inputs = {"evidence": DataRef(file.name, len(kept.images), file_digest(file), source=str(file))}
    places = [(each.prompt, each.sample) for each in kept.images]
    own = any(each.options for each in kept.images)
    spec = _spec(suite, {"model": ModelRef(name)}, inputs, places, samples, options, own_options=own)
    said = {"expected": counted.expected, "allow_missing": allow_missing}
    return replace(spec, parameters={**spec.parameters, **said}, here={"evidence": hold(kept)}), kept


def _spec(
    suite: Suite,
    models: Mapping[str, ModelRef],
    inputs: Mapping[str, DataRef],
    places: list[tuple[str, int]],
    samples: int | None,
    options: RunOptions,
    *,
    own_options: bool = False,
) -> Spec:
    prompts = DataRef(suite.name, len({prompt for prompt, _ in places}), prompts_digest(suite, places))
    parameters = {
        "suite": suite.name,
        "rules": dict(suite.changed),
        "samples": samples or suite.samples,
        "limit": options.limit,
    }
    if isinstance(suite, JudgedSuite) and suite.said.revision > 1:
        parameters["revision"] = suite.said.revision
    return Spec(
        PROBE.name,
        VERSION,
        models,
        {"prompts": prompts, **inputs},
        (protocol_of(suite, own_options=own_options),),
        parameters=parameters,
        seed=options.seed,
        shard=SHARD if "images" in inputs else GIVEN_SHARD,
    )


def _made(suite: Suite, model: str | Generator, samples: int | None, options: RunOptions) -> Run:
    """The images of a model, in a run beside the probe's."""
    prompts, sources = _asked(suite)
    beside = None if options.out is None else options.out.with_name(f"{options.out.name}-images")
    ours = (*encoder_names("boxes"), KEY)
    rest = tuple(each for each in options.weights if each.partition("=")[0] not in ours)
    mine = replace(options, out=beside, weights=rest, dtype="auto" if options.dtype == "float32" else options.dtype)
    return generate_images(model, prompts, samples=samples or suite.samples, sources=sources, options=mine)


def _asked(suite: Suite) -> tuple[PromptSet, Path | None]:
    """The prompts of a suite, and where the source images lie that those of an editing benchmark name."""
    if not isinstance(suite, JudgedSuite) or not suite.said.images.sources:
        return prompt_set(suite), None
    told = [(item, {**item.metadata, **suite.edited(item)}) for item in suite.prompts()]
    return PromptSet(suite.name, tuple(Prompt(p.id, p.prompt, meta=meta) for p, meta in told)), suite.sources


def _model(listing: Listing) -> ModelRef:
    """Who made the images: the generation says so; of a folder nothing but its name is known."""
    if listing.run is None:
        return ModelRef(listing.name)
    said = listing.run.record["model"]
    return ModelRef(str(said["name"]), said.get("weights_sha256"), str(said.get("dtype", "float32")))


def _export(run: Run, target: Path) -> None:
    data = (run.path / EVIDENCE).read_bytes()
    write_bytes(target, gzip.compress(data, mtime=0) if target.suffix == ".gz" else data)


__all__ = ["probe"]
