"""`generate_images`: every image of a prompt set, resumable, each with the seed that made it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from evalkit.errors import EvalkitError
from evalkit.generators.accelerate.settings import JACOBI, Settings, parse
from evalkit.generators.base import Generator
from evalkit.generators.external import ExternalGenerator
from evalkit.generators.network import NetworkTokenGenerator
from evalkit.generators.registry import GENERATORS, load_generator
from evalkit.generators.sampling import Sampler
from evalkit.jobs.engine_inline import run_job
from evalkit.jobs.job import RunOptions
from evalkit.jsonio import canonical_json
from evalkit.prompts.load import PromptSet, load_prompts
from evalkit.runs.store import Run, RunStore, read_run
from evalkit.tasks.generate.acceleration import start
from evalkit.tasks.generate.job import GenerationJob
from evalkit.tasks.generate.layouts import left_out, write_layout
from evalkit.tasks.generate.reopen import reopen


def generate_images(
    model: str | Generator,
    prompts: str | Path | PromptSet,
    *,
    samples: int = 1,
    sampler: Sampler | None = None,
    guidance: float | None = None,
    temperature: float | None = None,
    top_k: int | None = None,
    top_p: float | None = None,
    steps: int | None = None,
    layout: str | None = None,
    timeout: float | None = None,
    retry_failed: bool = False,
    accelerate: str | Settings | None = None,
    prepare: Callable[[Generator], None] | None = None,
    options: RunOptions | None = None,
) -> Run:
    """Make `samples` images of every prompt with `model` and seal them as a run; the same call resumes.

    `sampler`: by default the model's own; `guidance` (in the model's own numbers), `temperature`, `top_k`, `top_p` and
    `steps` change single values of it. `layout`: also write the images as `geneval`, `wise` or `npz50k` expects them.
    `timeout`: seconds that a program or an endpoint has for one image. `retry_failed`: ask again for what failed in a
    finished run. `accelerate`: draw faster or in less memory, as `speculative:length=8` (see docs/runners.md); the record
    says what was gained. `prepare` is given the loaded generator before anything is planned (to add a watermark, say). Raises
    `EvalkitError` before any work where a name, a file or an option is wrong.
    """
    options = options or RunOptions()
    if samples < 1:
        raise EvalkitError(f"at least one sample of each prompt is needed; {samples} given")
    asked = prompts if isinstance(prompts, PromptSet) else load_prompts(prompts)
    if isinstance(accelerate, str):
        accelerate = parse(accelerate)
    draft = _draft_name(accelerate)
    generator = _loaded(model, options, draft) if isinstance(model, str) else model
    if prepare is not None:
        prepare(generator)
    given = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "steps": steps}
    chosen = replace(sampler or generator.default_sampler, **{k: v for k, v in given.items() if v is not None})  # type: ignore[arg-type]
    if guidance is not None:
        chosen = replace(chosen, guidance=replace(chosen.guidance, scale=guidance))
    if options.compile and isinstance(generator, NetworkTokenGenerator):
        generator.compile()
    if timeout is not None and isinstance(generator, ExternalGenerator):
        generator.timeout = timeout
    acceleration = None
    if accelerate is not None:
        acceleration = start(generator, accelerate, lambda name: _loaded(name, _of_draft(name, options)))
    job = GenerationJob(generator, asked, samples, chosen, options, acceleration)
    store = RunStore(options.out or _folder(job))
    job.folder = store.path
    if retry_failed and store.sealed:
        reopen(store, job)
    try:
        run = run_job(job, store, options)
    finally:
        generator.close()
    if layout is not None:
        write_layout(run, layout)
        if said := left_out(run, layout):
            options.progress.note(said)
        store.cover(layout, renew=True)
        return read_run(store.path)
    return run


def _draft_name(settings: Settings | None) -> str | None:
    name = getattr(settings, "draft", JACOBI)
    return None if name == JACOBI else GENERATORS.canonical(name)


def _of_draft(name: str, options: RunOptions) -> RunOptions:
    """Only the weights that are meant for the draft: NAME=FILE, and folders, which hold those of several models."""
    name = GENERATORS.canonical(name)
    mine = [each for each in options.weights if _canonical(each.partition("=")[0]) == name or Path(each).is_dir()]
    return replace(options, weights=tuple(mine))


def _loaded(name: str, options: RunOptions, other: str | None = None) -> Generator:
    name = GENERATORS.canonical(name)
    tokenizer = GENERATORS.get(name).tokenizer
    weights, beside = _weights(options.weights, name, tokenizer, other)
    return load_generator(name, weights, options.device, options.dtype, tokenizer_weights=beside)


def _weights(
    given: Sequence[str], name: str, tokenizer: str | None, other: str | None = None
) -> tuple[str | None, str | None]:
    """Files of the model `name` and of its tokenizer; those of the model `other` are not looked at."""
    own: str | None = None
    beside: str | None = None
    for each in given:
        key, equals, path = each.partition("=")
        if equals and key in (tokenizer, "tokenizer"):
            beside = path
        elif equals and _canonical(key) == name:
            own = path
        elif not (equals and other is not None and _canonical(key) == other):
            own = each
    return own, beside


def _canonical(name: str) -> str:
    try:
        return GENERATORS.canonical(name)
    except EvalkitError:
        return name


def _folder(job: GenerationJob) -> Path:
    digest = hashlib.sha256(canonical_json(job.plan())).hexdigest()[:10]
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", job.generator.name).strip("-")[:40]
    return Path("runs") / f"generate-{name}-{digest}"
