"""`check_eraser` and `check_folders`: was a concept erased, by models or by images that were made elsewhere?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from evalkit.erasure.check.arms import erased_path
from evalkit.erasure.check.folders import open_folder, units_of_folders
from evalkit.erasure.check.look import Look, detector_of
from evalkit.erasure.check.memory import Memory
from evalkit.erasure.check.opening import NEVER_SAW, asked_digest
from evalkit.erasure.check.plan import (
    Probes,
    asked_items,
    check_prompts,
    label_of,
    model_ref,
    planned,
    rows_for,
    sampler_for,
)
from evalkit.erasure.check.rows import BASE, ERASED
from evalkit.erasure.check.spec import items_ref
from evalkit.erasure.check.task import ERASURE_CHECK
from evalkit.errors import EvalkitError
from evalkit.generators.base import TokenGenerator
from evalkit.generators.registry import GENERATORS, describe_generator
from evalkit.jobs.data import data_ref
from evalkit.jobs.engine_inline import run_as_wished, run_folder
from evalkit.jobs.live import hold
from evalkit.jobs.options import RunOptions, check_apart
from evalkit.jobs.spec import Spec
from evalkit.runs.store import Run

SAMPLES, SEARCH = 2, 64


def check_eraser(
    base: str,
    erased: str | Path,
    pairs: str | Path,
    concept: str,
    *,
    retain: str | Path | None = None,
    samples: int = SAMPLES,
    guidance: float | None = None,
    look: Look | None = None,
    controls: bool = True,
    relearn: int = 0,
    never_saw: str | Path | None = None,
    tries: int = 0,
    search: int = SEARCH,
    probes: Probes | None = None,
    label: str | None = None,
    memory: Memory | None = None,
    options: RunOptions | None = None,
) -> Run:
    """Draw the prompts of `pairs` with the generator `base` and with its `erased` weights, and judge; resumable, sealed.

    `erased`: a weight file, a folder that a training left, or NAME=FILE. `retain`: prompts that must stay, besides the
    pairs' replacements. `guidance`: its scale in the model's own numbers; top-k and top-p are off. `controls`: also draw
    with a model changed at random by as much, and with a destroyed one. `relearn`: steps of learning the concept again,
    also by weights `never_saw`. Two attacks have budgets: `tries`, further seeds of each direct prompt, and `search`,
    evaluations of the erased model by which a search rewrites each of some prompts. `probes`: two runs of `evalkit probe`.
    `memory`: what earlier checks of the same base drew. `options.limit`: prompts of each set.
    Raises `EvalkitError` before any work where a name, a file or a prompt is wrong.
    """
    options, look = options or RunOptions(), look or Look()
    entry = GENERATORS.get(base)
    items, kind, source = asked_items(pairs, concept, retain, options.limit)
    if ":" not in base and getattr(entry.cls, "conditions", None) == "class":
        raise EvalkitError(f"{base} draws classes, and the pairs hold texts. Give a base that reads prompts")
    path = erased_path(str(erased), base)
    detector, ref, files = detector_of(look, kind, base, options.weights, (base,))
    own = describe_generator(base, files.get(base))
    check_prompts(own, items)
    sampler = sampler_for(own, guidance)
    refs = {BASE: model_ref(own, files.get(base)), ERASED: model_ref(describe_generator(base, path), path)}
    if never_saw is not None:
        other = erased_path(str(never_saw), base)
        refs[NEVER_SAW] = model_ref(describe_generator(base, other), other)
    rows = options.batch_size if isinstance(options.batch_size, int) else rows_for(own)
    inputs = {"prompts": items_ref(items, *source)}
    asked = [inputs["prompts"].digest, base, own.weights_sha256, sampler.as_dict(), samples, rows, options.seed]
    spec = planned(look, detector, {**refs, "detector": ref}, inputs, concept, kind, options, files, probes)
    more = {
        "label": label or label_of(path),
        "samples": samples,
        "n": len(items) * samples,
        "sampler": sampler.as_dict(),
        "rows": rows,
        "controls": controls,
        "tries": tries,
        "search": search,
        "codes": isinstance(own, TokenGenerator),
        "relearn": relearn if isinstance(own, TokenGenerator) else 0,
        "asked": asked_digest(asked),
    }
    kept = memory or Memory()
    here = {"memory": hold(kept), "cache": None if kept.folder is None else str(kept.folder)}
    spec = replace(spec, parameters={**spec.parameters, **more}, here=here)
    return _run(spec, options, (kept, detector))


def check_folders(
    before: str | Path,
    after: str | Path,
    pairs: str | Path,
    concept: str,
    *,
    retain: str | Path | None = None,
    look: Look | None = None,
    probes: Probes | None = None,
    label: str | None = None,
    options: RunOptions | None = None,
) -> Run:
    """Judge images of the prompts of `pairs` that were made elsewhere, `before` and `after` an erasure; sealed.

    Both are folders of images with equal names (equal names are taken as equal seeds), or runs of `evalkit generate`.
    Raises `EvalkitError` where the folders are unequal, or an image belongs to no prompt.
    """
    options, look = options or RunOptions(), look or Look()
    items, kind, source = asked_items(pairs, concept, retain, options.limit)
    folders = open_folder(before), open_folder(after)
    units = units_of_folders(*folders, items)
    if not units:
        raise EvalkitError(
            f"no image of {before} is of a prompt in the pairs. Name images <number of the prompt>_<k>.png"
        )
    if options.out is not None:
        for path in (before, after):
            check_apart(path, options.out)
    detector, ref, files = detector_of(look, kind, "", options.weights, ())
    inputs = {"prompts": items_ref(items, *source)}
    for role, folder, path in zip(("before", "after"), folders, (before, after), strict=True):
        inputs[role] = data_ref(folder.images, len(folder.images), path)
    spec = planned(look, detector, {"detector": ref}, inputs, concept, kind, options, files, probes)
    more = {
        "label": label or Path(after).name,
        "n": len(units),
        "asked": asked_digest([inputs["prompts"].digest, inputs["before"].digest]),
    }
    return _run(replace(spec, parameters={**spec.parameters, **more}), options, detector)


def _run(spec: Spec, options: RunOptions, keep: object) -> Run:
    out = options.out or run_folder(spec, f"{spec.parameters['label']}-{spec.parameters['concept']}")
    run = run_as_wished(ERASURE_CHECK, spec, out, options)
    del keep  # live references end here
    return run


__all__ = ["Look", "check_eraser", "check_folders", "label_of"]
