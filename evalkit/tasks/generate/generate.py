"""`generate_images`: every image of a prompt set, resumable, each with the seed that made it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from evalkit.device import pick_device
from evalkit.errors import EvalkitError
from evalkit.generators.accelerate.settings import Settings, parse
from evalkit.generators.accelerate.start import draft_for
from evalkit.generators.base import Generator
from evalkit.generators.endpoints import parse_address, served_models
from evalkit.generators.given import as_passed, with_given
from evalkit.generators.registry import GENERATORS, describe_generator, load_generator, precision_on
from evalkit.generators.sampling import Sampler
from evalkit.generators.workers import worker_of
from evalkit.jobs.engine_inline import run_as_wished, run_folder
from evalkit.jobs.live import hold
from evalkit.jobs.options import RunOptions
from evalkit.jobs.spec import ModelRef, Spec
from evalkit.prompts.load import PromptSet, load_prompts
from evalkit.prompts.rewrite import rewritten_count, with_rewritten
from evalkit.runs.store import Run, read_run
from evalkit.runs.store_objects import open_store
from evalkit.tasks.generate.layouts import left_out, write_layout
from evalkit.tasks.generate.prepare import Preparation
from evalkit.tasks.generate.reopen import in_shards_of
from evalkit.tasks.generate.sources import folder_of, sources_ref
from evalkit.tasks.generate.spec import (
    SHARD,
    VERSION,
    acceleration_said,
    draft_of,
    model_ref,
    processors,
    prompts_ref,
    source_of,
)
from evalkit.tasks.generate.task import GENERATE
from evalkit.tasks.generate.weights import model_weights
from evalkit.tokenizers.cards import generator_cards, tokenizer_cards


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
    preset: str = "default",
    layout: str | None = None,
    timeout: float | None = None,
    accelerate: str | Settings | None = None,
    prepare: Preparation | None = None,
    sources: Path | None = None,
    rewrite: str | Path | None = None,
    score_ahead: Sequence[str] = (),
    score_protocol: str = "evalkit-1",
    options: RunOptions | None = None,
) -> Run:
    """Make `samples` images of every prompt with `model` and seal them as a run; the same call resumes.

    `sampler`: by default the model's own; `preset` `paper` is that of the authors' evaluation; `guidance` (in the model's
    own numbers), `temperature`, `top_k`, `top_p` and `steps` change single values of it. `layout`: also write the images as
    `geneval`, `wise` or `npz50k` expects them. `timeout`: seconds that a program or an endpoint has for one image.
    `accelerate`: draw faster or in less memory, as `speculative:length=8` (see docs/runners.md); the record says what was
    gained. `prepare`: what is done to the loaded generator (a watermark, say). `sources`: where the paths of source images
    begin [the folder of the prompts]. `rewrite`: a file of rewritten prompts by the same ids, kept beside the original ones.
    `score_ahead`: metrics of `score_images` whose features are taken while an image is in memory, as `score_protocol` says;
    the scoring finds them in the user's cache and reads no file.

    Raises `EvalkitError` before any work where a name, a file or an option is wrong.

    >>> import tempfile, pathlib
    >>> out = pathlib.Path(tempfile.mkdtemp()) / "run"
    >>> run = generate_images("world-ar", "text:a photo of a red apple", options=RunOptions(out=out, device="cpu"))
    >>> run.samples["prompt"].to_pylist()
    ['a photo of a red apple']
    """
    options = options or RunOptions()
    if samples < 1:
        raise EvalkitError(f"at least one sample of each prompt is needed; {samples} given")
    asked = prompts if isinstance(prompts, PromptSet) else load_prompts(prompts)
    asked = asked if rewrite is None else with_rewritten(asked, rewrite)
    settings = parse(accelerate) if isinstance(accelerate, str) else accelerate
    models, described, beside = _models(model, settings, options, None if prepare is None else prepare.generator)
    given = {"guidance": guidance, "temperature": temperature, "top_k": top_k, "top_p": top_p, "steps": steps}
    n = len(asked.prompts) * samples
    parameters: dict[str, Any] = {
        "samples": samples,
        "n": n if options.limit is None else min(n, options.limit),
        "sampler": as_passed(described, with_given(described, sampler or described.preset(preset), given)),
    }
    if rewritten := rewritten_count(asked):
        parameters["rewritten"] = rewritten
        options.progress.note(
            f"{rewritten} prompts are rewritten ones: compare scores with those of rewritten prompts only"
        )
    said = [*processors(described), *([] if prepare is None else [{**prepare.said, "prepare": prepare.name}])]
    if said:
        parameters["processors"] = said
    if settings is not None:
        parameters["accelerate"] = acceleration_said(settings)
        if "draft" in models:
            parameters["accelerate"]["draft_weights"] = models["draft"].sha256
    ahead = _ahead(score_ahead, score_protocol, options)
    here: dict[str, Any] = {
        "score_ahead": ahead,
        "batch_size": options.batch_size,
        "timeout": timeout,
        "tokenizer_weights": beside,
    }
    if rewrite is not None:
        here["rewrite"] = str(Path(rewrite).expanduser().absolute())
    if sources is not None:
        here["sources"] = str(sources)
    if prepare is not None:
        here |= {"prepare": dict(prepare.here), "generator": prepare.generator and hold(prepare.generator)}
    inputs = {"prompts": prompts_ref(asked, source_of(prompts))}
    if (changed := sources_ref(asked, sources or folder_of(source_of(prompts)))) is not None:
        inputs["sources"] = changed
    spec = Spec("generate", VERSION, models, inputs, parameters=parameters, seed=options.seed, shard=SHARD, here=here)
    return _run(spec, options, layout, _shard(described, isinstance(model, Generator), options))


def _ahead(metrics: Sequence[str], protocol: str, options: RunOptions) -> dict[str, Any] | None:
    if not metrics:
        return None
    from evalkit.tasks.score.ahead import looking  # loads what most generations do without

    return looking(metrics, protocol, [each for each in options.weights if Path(each).expanduser().is_dir()])


def _shard(generator: Generator, loaded: bool, options: RunOptions) -> int:
    """Images of a shard: the rows that will run at once, so that none of them waits for the next shard."""
    if options.batch_size != "auto":
        return max(SHARD, options.batch_size)
    rows = generator.rows if loaded else generator.rows_that_fit(pick_device(options.device))
    return max(SHARD, rows)


def _run(spec: Spec, options: RunOptions, layout: str | None, shard: int) -> Run:
    name = spec.models["model"].name
    for said in forbidden(name, spec.models["model"].settings.get("tokenizer")):
        options.progress.note(said)
    out = options.out or run_folder(spec, name)  # the same for any shards
    spec = in_shards_of(replace(spec, here={**spec.here, "folder": str(out)}), out, shard)
    run = run_as_wished(GENERATE, spec, out, options)
    if layout is None:
        return run
    write_layout(run, layout)
    if said := left_out(run, layout):
        options.progress.note(said)
    open_store(out).cover(layout, renew=True)
    return read_run(out)


def forbidden(name: str, tokenizer: str | None) -> list[str]:
    """One sentence for each licence that forbids commercial use: of generator, tokenizer, endpoint's model or worker."""
    cards = [card for card in (generator_cards().get(name), tokenizer_cards().get(tokenizer or "")) if card is not None]
    found = [(card.name, card.licence) for card in cards if card.non_commercial]
    address = name.partition(":")[2]
    served = parse_address(name, address).served if name.startswith("http:") else None
    served = served_models().get(address) if name.startswith("diffusers:") else served
    found += [(served.repo, served.licence)] if served is not None and served.non_commercial else []
    worker = worker_of(address.split()) if name.startswith("command:") else None
    found += [(worker.title, worker.licence)] if worker is not None and worker.non_commercial else []
    return [f"{each} is under {licence}: its licence forbids commercial use" for each, licence in found]


def _models(
    model: str | Generator, settings: Settings | None, options: RunOptions, at_hand: Generator | None = None
) -> tuple[dict[str, ModelRef], Generator, str | None]:
    """References by role, the generator (described where it was named), and where its tokenizer's weights lie."""
    draft = draft_of(settings)
    if isinstance(model, Generator):
        dtype = str(getattr(model, "dtype", options.dtype)).removeprefix("torch.")
        described, beside = model, None
        weights = model_weights(options.weights, model.name, draft, elsewhere=True)
        own: str | None = hold(model)
    else:
        dtype = precision_on(options.device) if options.dtype == "auto" else options.dtype
        name = GENERATORS.canonical(model)
        weights = model_weights(options.weights, name, draft)
        own, beside = weights.get(name), weights.get(GENERATORS.get(name).tokenizer or "")
        described = at_hand or describe_generator(name, own, dtype)
    models = {"model": model_ref(described, dtype, own, compiled=options.compile)}
    if settings is not None:
        mine = weights.get(draft or "")
        other = draft_for(described, settings, lambda name: describe_generator(name, mine, dtype))
        if other is not None:
            models["draft"] = model_ref(other, dtype, mine)
    return models, described, beside


def load_for(model: str, options: RunOptions) -> Generator:
    """The generator that `generate_images` would load by these options."""
    name = GENERATORS.canonical(model)
    weights = model_weights(options.weights, name)
    beside = weights.get(GENERATORS.get(name).tokenizer or "")
    return load_generator(name, weights.get(name), options.device, options.dtype, tokenizer_weights=beside)
