"""A worker from a spec: its models or folders, its detector, and why something cannot be measured with them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from evalkit.encoders.base import Encoder, FeatureExtractor
from evalkit.encoders.prompt_scorer import load_prompt_scorer
from evalkit.erasure.check.arms import changed, destroyed, moved_at_random
from evalkit.erasure.check.attacks import ATTACKED, Attacks
from evalkit.erasure.check.beside import Beside
from evalkit.erasure.check.drawing import Drawer
from evalkit.erasure.check.folders import Unit, open_folder, units_of_folders
from evalkit.erasure.check.items import DIRECT, Item
from evalkit.erasure.check.look import DOMAIN
from evalkit.erasure.check.memory import Memory
from evalkit.erasure.check.probed import read_probes
from evalkit.erasure.check.relearn import EXAMPLES, Relearning
from evalkit.erasure.check.rows import BASE, COLLAPSE, ERASED, RANDOM
from evalkit.erasure.check.search import can_search
from evalkit.erasure.check.seen import labels_of
from evalkit.erasure.check.spec import items_in, opened_encoder, opened_model, rule_of_spec
from evalkit.erasure.check.texts import ROLE
from evalkit.erasure.check.worker import Aside, CheckWorker
from evalkit.erasure.check.worker_folders import FolderWorker
from evalkit.errors import EvalkitError, WeightsError
from evalkit.generators.base import Generator, Request, TokenGenerator
from evalkit.jobs.live import find
from evalkit.jobs.spec import Spec
from evalkit.jobs.task import Worker
from evalkit.jobs.timers import Timers
from evalkit.jsonio import canonical_json
from evalkit.metrics import erasure as declared
from evalkit.tasks.generate.spec import sampler_of
from evalkit.version import __version__

NEVER_SAW = "never_saw"
PROBE, RELEARNING = "probe", "relearning"  # shards without images
TESTS = 32  # direct prompts that are asked while a model learns again


def units_of_models(items: tuple[Item, ...], samples: int) -> tuple[Unit, ...]:
    """Every prompt with every number of an image."""
    return tuple(Unit(item, sample) for item in items for sample in range(samples))


def open_worker(spec: Spec, device: str) -> Worker:
    """The worker of a spec; raises `EvalkitError` where a model, a folder or the detector is not what was planned."""
    detector = opened_encoder(spec.models["detector"], device)
    ref = spec.models.get("features")
    features = None if ref is None else opened_encoder(ref, device)
    network = features if isinstance(features, FeatureExtractor) else None
    beside = _beside(spec, device)
    facts = {"labels": list(labels_of(detector)), "why": why_not(spec)}
    probes = {PROBE: partial(read_probes, *spec.parameters["probes"])} if spec.parameters.get("probes") else {}
    if BASE not in spec.models:
        folders = (open_folder(str(spec.inputs["before"].source)), open_folder(str(spec.inputs["after"].source)))
        for role, folder in zip(("before", "after"), folders, strict=True):
            if folder.images.digest() != spec.inputs[role].digest:
                raise EvalkitError(f"the images of {role} have changed since the run was planned. Give a fresh --out")
        units, shown = units_of_folders(*folders, items_in(spec)), spec.parameters["shown"]
        return FolderWorker(units, folders, detector, network, beside, shown=shown, aside=probes, facts=facts)
    return _of_models(spec, device, detector, network, beside, probes, facts)


def _of_models(
    spec: Spec,
    device: str,
    detector: Encoder,
    network: FeatureExtractor | None,
    beside: Beside,
    probes: Aside,
    facts: Mapping[str, Any],
) -> Worker:
    models, said = models_of(spec, device), spec.parameters
    found = find(spec.here.get("memory"))
    memory = found if isinstance(found, Memory) else Memory(spec.here.get("cache"))
    drawer = Drawer(models, detector, network, memory, _key(spec, models[BASE], detector), Timers())
    units = units_of_models(items_in(spec), said["samples"])
    forcing, rule = isinstance(models[BASE], TokenGenerator), rule_of_spec(spec)
    relearning = _relearning(spec, drawer, units, device)
    searched = list(dict.fromkeys(unit.item.id for unit in units if unit.item.subset == DIRECT))[:ATTACKED]
    budget = said["search"] if can_search(models[ERASED]) is None else 0
    return CheckWorker(
        units,
        drawer,
        Attacks(rule, spec.seed, forcing, said["tries"], budget, frozenset(searched)),
        beside,
        sampler=sampler_of(said["sampler"]),
        shown=said["shown"],
        aside={**probes, **({} if relearning is None else {RELEARNING: relearning.curves})},
        facts=facts,
    )


def _key(spec: Spec, base: Generator, detector: Encoder) -> list[Any]:
    """All that decides the base's images and what is seen in them, but the requests."""
    model, said = spec.models[BASE], spec.parameters
    how = [model.name, model.sha256, model.dtype, base.rows, str(base.device), said["sampler"], spec.seed]
    return [__version__, *how, detector.id, detector.version, detector.weights_sha256]


def _beside(spec: Spec, device: str) -> Beside:
    texts, domain = spec.models.get(ROLE), spec.models.get(DOMAIN)
    return Beside(
        None if texts is None else load_prompt_scorer(texts.name, texts.weights, device),
        None if domain is None else opened_encoder(domain, device),
    )


def models_of(spec: Spec, device: str) -> dict[str, Generator]:
    """The models of all arms."""
    rows = spec.parameters["rows"]
    models = {BASE: opened_model(spec.models[BASE], device, rows), ERASED: _erased(spec, ERASED, device)}
    if spec.parameters["controls"]:
        norms = changed(models[BASE], models[ERASED])
        if norms:
            models[RANDOM] = moved_at_random(models[BASE], norms, spec.seed)
        models[COLLAPSE] = destroyed(models[BASE], spec.seed)
    return models


def _erased(spec: Spec, role: str, device: str) -> Generator:
    """A model whose weights came from elsewhere; raises `EvalkitError` where they are of another architecture."""
    ref = spec.models[role]
    try:
        return opened_model(ref, device, spec.parameters["rows"])
    except WeightsError as error:
        if "does not fit" not in str(error):
            raise
        base, reason = spec.models[BASE].name, str(error).partition(": ")[2].partition(" (")[0]
        raise EvalkitError(
            f"{Path(str(ref.weights)).name} is no erased {base}: {reason}. Give weights of {base}'s own architecture"
        ) from None


def why_not(spec: Spec) -> dict[str, str]:
    """Reasons by metric for what these inputs cannot give."""
    said = dict(spec.parameters.get("why", {}))
    coded = (declared.ROBUST, declared.UTILITY, declared.KL, declared.NLL, declared.SAVINGS, declared.SEARCH)
    if BASE not in spec.models:
        return {**said, **dict.fromkeys([m.name for m in coded], "images come without codes. Give --base and --erased")}
    if not spec.parameters["codes"]:
        reason = f"{spec.models[BASE].name} gives no codes to evalkit, so nothing can be forced and no likelihood taken"
        return {**said, **dict.fromkeys([m.name for m in coded], reason)}
    return said


def _relearning(spec: Spec, drawer: Drawer, units: tuple[Unit, ...], device: str) -> Relearning | None:
    steps = int(spec.parameters.get("relearn") or 0)
    if not steps:
        return None
    learners = {ERASED: drawer.models[ERASED]}
    never = spec.models.get(NEVER_SAW)
    if never is not None:
        learners[NEVER_SAW] = _erased(spec, NEVER_SAW, device)
    direct = [unit.item for unit in units if unit.item.subset == DIRECT and unit.sample == 0]
    sampler = sampler_of(spec.parameters["sampler"])

    def requests(arm: str, count: int) -> list[Request]:
        chosen = [(direct[i % len(direct)], i // len(direct)) for i in range(count)]
        return [
            Request(f"{item.id}-{n}", item.prompt, seed=item.seed(spec.seed, n, arm), sampler=sampler)
            for item, n in chosen
        ]

    control = None if never is None else [drawer.key, never.sha256]
    lessons, tests = requests("|lesson", EXAMPLES), requests("|test", TESTS)
    return Relearning(drawer, learners, lessons, tests, rule_of_spec(spec), steps, spec.seed, control)


def asked_digest(parts: list[Any]) -> str:
    """sha256 over all that decides what the base draws; two checks are compared where it is equal."""
    return hashlib.sha256(canonical_json(parts)).hexdigest()
