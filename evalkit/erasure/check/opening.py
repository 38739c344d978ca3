"""A worker from a spec: its models or folders, its detector, and why something cannot be measured with them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from evalkit.encoders.base import FeatureExtractor
from evalkit.erasure.check.arms import changed, destroyed, moved_at_random
from evalkit.erasure.check.folders import Unit, open_folder, units_of_folders
from evalkit.erasure.check.items import DIRECT, Item
from evalkit.erasure.check.memory import Memory
from evalkit.erasure.check.relearn import EXAMPLES, Relearning
from evalkit.erasure.check.rows import BASE, COLLAPSE, ERASED, RANDOM
from evalkit.erasure.check.seen import labels_of
from evalkit.erasure.check.spec import items_in, opened_encoder, opened_model, rule_of_spec
from evalkit.erasure.check.worker import CheckWorker
from evalkit.erasure.check.worker_folders import FolderWorker
from evalkit.errors import EvalkitError
from evalkit.generators.base import Generator, Request, TokenGenerator
from evalkit.jobs.live import find
from evalkit.jobs.spec import Spec
from evalkit.jobs.task import Worker
from evalkit.jsonio import canonical_json
from evalkit.metrics import erasure as declared
from evalkit.tasks.generate.spec import sampler_of

NEVER_SAW = "never_saw"
TESTS = 16  # direct prompts that are asked while a model learns again


def units_of_models(items: tuple[Item, ...], samples: int) -> tuple[Unit, ...]:
    """Every prompt with every number of an image."""
    return tuple(Unit(item, sample) for item in items for sample in range(samples))


def open_worker(spec: Spec, device: str) -> Worker:
    """The worker of a spec; raises `EvalkitError` where a model, a folder or the detector is not what was planned."""
    detector = opened_encoder(spec.models["detector"], device)
    ref = spec.models.get("features")
    features = None if ref is None else opened_encoder(ref, device)
    network = features if isinstance(features, FeatureExtractor) else None
    facts = {"labels": list(labels_of(detector)), "why": why_not(spec)}
    if BASE not in spec.models:
        folders = (open_folder(str(spec.inputs["before"].source)), open_folder(str(spec.inputs["after"].source)))
        for role, folder in zip(("before", "after"), folders, strict=True):
            if folder.images.digest() != spec.inputs[role].digest:
                raise EvalkitError(f"the images of {role} have changed since the run was planned. Give a fresh --out")
        units = units_of_folders(*folders, items_in(spec))
        return FolderWorker(units, folders, detector, network, shown=spec.parameters["shown"], facts=facts)
    models = models_of(spec, device)
    memory = find(spec.here.get("memory"))
    units = units_of_models(items_in(spec), spec.parameters["samples"])
    return CheckWorker(
        units,
        models,
        detector,
        network,
        rule=rule_of_spec(spec),
        sampler=sampler_of(spec.parameters["sampler"]),
        seed=spec.seed,
        forcing=isinstance(models[BASE], TokenGenerator),
        tries=int(spec.parameters["tries"]),
        shown=spec.parameters["shown"],
        memory=memory if isinstance(memory, Memory) else Memory(),
        key=(spec.parameters["asked"], spec.models["detector"].name, spec.models["detector"].sha256, spec.seed),
        relearning=_relearning(spec, models, units, detector, device),
        facts=facts,
    )


def models_of(spec: Spec, device: str) -> dict[str, Generator]:
    """The models of all arms."""
    rows = spec.parameters["rows"]
    models = {role: opened_model(spec.models[role], device, rows) for role in (BASE, ERASED)}
    if spec.parameters["controls"]:
        norms = changed(models[BASE], models[ERASED])
        if norms:
            models[RANDOM] = moved_at_random(models[BASE], norms, spec.seed)
        models[COLLAPSE] = destroyed(models[BASE], spec.seed)
    return models


def why_not(spec: Spec) -> dict[str, str]:
    """Reasons by metric for what these inputs cannot give."""
    if BASE not in spec.models:
        said = "images alone come without codes. Give --base and --erased"
        return {m.name: said for m in (declared.ROBUST, declared.UTILITY, declared.KL, declared.NLL, declared.SAVINGS)}
    if not spec.parameters["codes"]:
        said = f"{spec.models[BASE].name} gives no codes to evalkit, so no prefix can be forced and no likelihood taken"
        return {m.name: said for m in (declared.ROBUST, declared.UTILITY, declared.KL, declared.NLL, declared.SAVINGS)}
    return {}


def _relearning(
    spec: Spec, models: Mapping[str, Generator], units: tuple[Unit, ...], detector: Any, device: str
) -> Relearning | None:
    steps = int(spec.parameters.get("relearn") or 0)
    if not steps:
        return None
    learners = {ERASED: models[ERASED]}
    if NEVER_SAW in spec.models:
        learners[NEVER_SAW] = opened_model(spec.models[NEVER_SAW], device, spec.parameters["rows"])
    direct = [unit.item for unit in units if unit.item.subset == DIRECT and unit.sample == 0]
    sampler = sampler_of(spec.parameters["sampler"])

    def requests(arm: str, count: int) -> list[Request]:
        chosen = [(direct[i % len(direct)], i // len(direct)) for i in range(count)]
        return [
            Request(f"{item.id}-{n}", item.prompt, seed=item.seed(spec.seed, n, arm), sampler=sampler)
            for item, n in chosen
        ]

    lessons, tests = requests("|lesson", EXAMPLES), requests("|test", TESTS)
    return Relearning(models[BASE], learners, lessons, tests, detector, rule_of_spec(spec), steps, spec.seed)


def asked_digest(parts: list[Any]) -> str:
    """sha256 over all that decides what the base draws; two checks are compared where it is equal."""
    return hashlib.sha256(canonical_json(parts)).hexdigest()
