"""A probe as plain data, and how a worker reads it back."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evalkit.device import pick_device
from evalkit.encoders.detectors.base import Detector
from evalkit.encoders.registry import load_detector
from evalkit.encoders.zero_shot import ClipZeroShot, ZeroShot
from evalkit.errors import EvalkitError
from evalkit.jobs.live import find, held, is_live
from evalkit.jobs.spec import ModelRef, ProtocolRef, Spec
from evalkit.jsonio import canonical_json
from evalkit.judges.asking import AskOptions
from evalkit.judges.base import Judge
from evalkit.judges.registry import load_judge
from evalkit.judges.store import ReplyStore
from evalkit.judges.usage import Ledger, Prices
from evalkit.runs.plain import plain_sha256
from evalkit.tasks.probe.evidence.read import read_evidence
from evalkit.tasks.probe.evidence.record import Evidence
from evalkit.tasks.probe.judged.official_files import official_evidence
from evalkit.tasks.probe.judged.seat import Seat, replies_file
from evalkit.tasks.probe.judged.suite import JudgedSuite, suite_of_file
from evalkit.tasks.probe.listing import Listing, Place, list_images, wanted_places
from evalkit.tasks.probe.measures import measures_of
from evalkit.tasks.probe.suite import SUITES, Encoders, Suite

VERSION = 1
EVIDENCE = "evidence.jsonl"  # in the run
DATA = "data"  # the role of a judged suite's files among the inputs
SHARD, GIVEN_SHARD = 16, 1024  # images that are looked at, and whose evidence is given
MAKING = ("rewritten", "best-of", "thinking")  # how images were made, where not from the prompts in one go
RULES = 1  # raised where the rules of a suite change
MEASURES = 2  # raised where what networks measure of edits changes


def suite_called(name: str) -> Suite:
    """The suite called so, or that of a user's file NAME.toml."""
    return suite_of_file(Path(name).expanduser()) if name.endswith(".toml") else SUITES.get(name)()


def _own(suite: JudgedSuite) -> str | None:
    """sha256 of a user's file that declares the suite."""
    return hashlib.sha256(suite.own).hexdigest() if suite.own else None


def suite_of(spec: Spec) -> Suite:
    """The suite of a spec with the numbers in its rules, and with its items where its files must say them."""
    suite = suite_called(spec.here.get("declaration", str(spec.parameters["suite"])))
    if isinstance(suite, JudgedSuite):
        if _own(suite) != spec.parameters.get("declaration"):
            raise EvalkitError(f"the file of {suite.name} has changed since the run was planned. Give a fresh --out")
        suite = _opened(spec, suite)
    changed = spec.parameters["rules"]
    return suite.configured(changed) if changed else suite


def protocol_of(suite: Suite, *, own_options: bool = False) -> ProtocolRef:
    """The rules by name, with every number that is not the suite's own, so that leaderboards keep them apart."""
    said = [suite.name, *(f"{name}={_word(value)}" for name, value in suite.changed.items())]
    said += ["own options of images"] if own_options else []
    prompts = [[prompt.id, dict(prompt.metadata)] for prompt in suite.prompts()]
    rules: dict[str, Any] = {
        "suite": suite.name,
        "version": RULES,
        "changed": dict(suite.changed),
        "own": own_options,
        "prompts": prompts,
    }
    if isinstance(suite, JudgedSuite) and (suite.said.measures or suite.said.boxes):
        rules["measures"] = MEASURES
    if isinstance(suite, JudgedSuite) and suite.said.revision > 1:
        rules["revision"] = suite.said.revision
    if isinstance(suite, JudgedSuite) and suite.own:
        rules["declaration"] = _own(suite)
    return ProtocolRef(" ".join(said), hashlib.sha256(canonical_json(rules)).hexdigest(), dict(suite.changed))


def made_otherwise(ref: ProtocolRef, said: Sequence[str]) -> ProtocolRef:
    """The rules of images that were not made from the suite's prompts in one go, so that leaderboards keep them apart.

    `said`: of `MAKING`, with a word behind "=" where that is known, such as rewritten=FILE or best-of=4. Raises
    `EvalkitError` for anything else.
    """
    for each in said:
        name, _, value = each.partition("=")
        if name not in MAKING or (name == "best-of" and not (value.isdecimal() and int(value) > 1)):
            raise EvalkitError(f"images are not made by {each[:60]!r}. Give rewritten=NAME, best-of=N or thinking")
    made = sorted(dict.fromkeys(said))
    if not made:
        return ref
    digest = hashlib.sha256(canonical_json([ref.sha256, made])).hexdigest()
    return ProtocolRef(" ".join([ref.id, *made]), digest, {**ref.settings, "made": made})


def _word(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def prompts_digest(suite: Suite, places: Sequence[Place]) -> str:
    """sha256 over the prompts and sample numbers that verdicts are given on."""
    known = {prompt.id: dict(prompt.metadata) for prompt in suite.prompts()}
    digest = hashlib.sha256()
    for prompt, sample in places:
        digest.update(canonical_json([prompt, sample, known[prompt]]))
    return digest.hexdigest()


def listing_of(spec: Spec, suite: Suite) -> Listing:
    """The images of a spec; raises `EvalkitError` where they are others now."""
    at_hand: Listing | None = find(spec.here.get("listing"))
    ref = spec.inputs["images"]
    if at_hand is not None:
        return at_hand
    if ref.source is None:
        raise EvalkitError(f"nothing says where the images {ref.name} lie. Give the run's own images")
    found = list_images(ref.source, suite, spec.parameters["samples"], spec.parameters["limit"])
    if found.digest != ref.digest:
        raise EvalkitError(f"the images of {ref.name} have changed since the run was planned. Give a fresh --out")
    return found


def evidence_of(spec: Spec, suite: Suite) -> Evidence:
    """The evidence of a spec that was given some, in the suite's order; raises `EvalkitError` where it is other now."""
    at_hand: Evidence | None = find(spec.here.get("evidence"))
    ref = spec.inputs["evidence"]
    if at_hand is not None:
        return at_hand
    if ref.source is None:
        raise EvalkitError(f"nothing says where the evidence {ref.name} lies. Give the run's own file")
    if file_digest(Path(ref.source)) != ref.digest:
        raise EvalkitError(f"the evidence {ref.name} has changed since the run was planned. Give a fresh --out")
    return in_order(
        given_evidence(suite, Path(ref.source)), suite, spec.parameters["samples"], spec.parameters["limit"]
    )


def given_evidence(suite: Suite, path: Path) -> Evidence:
    """The evidence in a file, or in the files of the suite's own script."""
    found = official_evidence(suite, path) if isinstance(suite, JudgedSuite) else None
    return found or read_evidence(path)


def in_order(evidence: Evidence, suite: Suite, samples: int, limit: int | None) -> Evidence:
    """The evidence of the places that are expected, in their order."""
    at = {(each.prompt, each.sample): each for each in evidence.images}
    return Evidence(tuple(at[place] for place in wanted_places(suite, samples, limit) if place in at), evidence.facts)


def encoders_of(spec: Spec, device: str) -> Encoders:
    """The networks of a spec, loaded; raises `EvalkitError` where their weights are others."""
    detector = spec.models.get("detector")
    colors = spec.models.get("colors")
    return Encoders(
        None if detector is None else _detector(detector, device),
        None if colors is None else _colors(colors, device),
        _seat(spec, device) if "judge" in spec.models else None,
        measures_of(str(kind), device) if (kind := spec.parameters.get("measures")) else None,
    )


def file_digest(path: Path) -> str:
    """sha256 of a file, or of all files of a folder; raises `EvalkitError` where it cannot be read."""
    if path.is_dir():
        digests = (
            f"{each.relative_to(path)}\0{file_digest(each)}\n" for each in sorted(path.rglob("*")) if each.is_file()
        )
        return hashlib.sha256("".join(digests).encode("utf-8", "surrogatepass")).hexdigest()
    try:
        return plain_sha256(path)
    except OSError as error:
        raise EvalkitError(f"{path} cannot be read: {error.strerror}. Give a file of evidence") from None


def _detector(ref: ModelRef, device: str) -> Detector:
    made: Detector = held(str(ref.weights)) if is_live(ref.weights) else load_detector(ref.name, ref.weights, device)
    _check(made.weights_sha256, ref)
    return made


def _colors(ref: ModelRef, device: str) -> ZeroShot:
    live = is_live(ref.weights)
    made: ZeroShot = held(str(ref.weights)) if live else ClipZeroShot(ref.weights, pick_device(device))
    _check(made.weights_sha256, ref)
    return made


def _opened(spec: Spec, suite: JudgedSuite) -> JudgedSuite:
    at_hand: JudgedSuite | None = find(spec.here.get("suite"))
    if at_hand is not None:
        return at_hand
    if "items" in spec.here:
        return suite.opened(Path(spec.here["items"]))
    data = spec.inputs[DATA]
    if data.source is None:
        raise EvalkitError(f"nothing says where the files of {suite.name} lie. Give --data DIR")
    sources = spec.here.get("sources")
    return suite.opened(Path(data.source), None if sources is None else Path(sources))


def _seat(spec: Spec, device: str) -> Seat:
    """The judge of a spec with its store of replies and its budget."""
    ref, here = spec.models["judge"], spec.here
    judge: Judge = held(str(ref.weights)) if is_live(ref.weights) else load_judge(str(ref.weights), device)
    if (judge.model, judge.snapshot) != (ref.name, ref.settings.get("snapshot")):
        raise EvalkitError(
            f"the judge is {judge.model} now, and was {ref.name}. Give a fresh --out, or the same --judge"
        )
    prices = Prices(*here.get("prices", (0.0, 0.0)))
    ledger = Ledger(prices, most_cost=here.get("budget"), most_requests=here.get("requests"))
    options = AskOptions(
        parse_tries=int(spec.parameters["tries"]),
        refused_too=bool(spec.parameters["refused_too"]),
        deadline=here.get("deadline"),
    )
    file = Path(here["replies"]) if here.get("replies") else replies_file(judge.model)
    store = ReplyStore(file)
    store.check_of(judge.model)
    return Seat(judge, store, ledger, options)


def _check(sha256: str | None, ref: ModelRef) -> None:
    if sha256 != ref.sha256:
        raise EvalkitError(f"the weights of {ref.name} are not those of the run. Give a fresh --out, or its weights")
