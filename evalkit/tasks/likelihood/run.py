"""`image_likelihood`: how many nats and bits a generator needs for the codes of images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from evalkit.device import pick_device
from evalkit.errors import EvalkitError
from evalkit.generators.base import CodingGenerator, Generator
from evalkit.generators.likelihood import check_likelihood
from evalkit.generators.network import NetworkTokenGenerator
from evalkit.generators.registry import GENERATORS, describe_generator, precision_on
from evalkit.images.sample import ImageSet
from evalkit.jobs.engine_inline import run_as_wished, run_folder
from evalkit.jobs.options import RunOptions
from evalkit.jobs.spec import DataRef, ModelRef, Spec
from evalkit.metrics.likelihood import CODES, PIXELS
from evalkit.runs.store import Run
from evalkit.tasks.generate.spec import model_ref
from evalkit.tasks.generate.weights import model_weights
from evalkit.tasks.likelihood.reported import read_reported
from evalkit.tasks.likelihood.task import LIKELIHOOD, REPORTED, SHARD, VERSION
from evalkit.tasks.score.inputs import Asked, Looked, asked_of, looked_at, tell
from evalkit.tokenizers.network import NetworkTokenizer
from evalkit.tokenizers.registry import describe_tokenizer
from evalkit.weights.layout import values_sha256
from evalkit.weights.reading import file_sha256


def image_likelihood(
    images: str | Path | ImageSet,
    model: str,
    *,
    prompts: str | Path | None = None,
    options: RunOptions | None = None,
) -> Run:
    """The negative log-likelihood of the codes of `images` under `model`, through its own tokenizer, as a sealed run.

    `images`: what `open_images` takes, or the folder of a run that made images. `model`: a generator of discrete codes.
    `prompts`: the class or prompt of each image [what its run asked for]. Nothing guides the model. Raises `EvalkitError`
    before any work where the likelihood is not defined or not built for the model, or an image has no class or prompt.

    >>> import pathlib, tempfile
    >>> from evalkit.tasks.generate import generate_images
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> made = generate_images("world-ar", "world", options=RunOptions(out=folder / "made", limit=2, device="cpu"))
    >>> run = image_likelihood(made.path, "world-ar", options=RunOptions(out=folder / "nll", device="cpu"))
    >>> [row["metric"] for row in run.results][:3]
    ['nll_per_token', 'code_bits_per_image', 'code_bits_per_dim']
    """
    options = options or RunOptions()
    pick_device(options.device)
    name = GENERATORS.canonical(model)
    dtype = precision_on(options.device) if options.dtype == "auto" else options.dtype
    weights = model_weights(options.weights, name)
    described = check_likelihood(describe_generator(name, weights.get(name), dtype))
    tokenizer = _tokenizer(described, weights, name)
    mine = looked_at(images, options.limit)
    asked = _asked(described, mine, prompts)
    inputs: dict[str, DataRef] = {"data": mine.ref} | ({} if asked.ref is None else {"prompts": asked.ref})
    spec = Spec(
        LIKELIHOOD.name,
        VERSION,
        models={
            "model": model_ref(described, dtype, weights.get(name)),
            "tokenizer": tokenizer,
        },
        inputs=inputs,
        metrics=tuple(metric.name for metric in CODES),
        seed=options.seed,
        shard=SHARD,
        here={"threads": options.threads, "tokenizer_weights": tokenizer.weights, "data": dict(mine.about)},
    )
    out = options.out or run_folder(spec, name)
    tell(mine, out, options)
    return run_as_wished(LIKELIHOOD, spec, out, options)


def reported_bits(images: str | Path | ImageSet, stated: str | Path, *, options: RunOptions | None = None) -> Run:
    """Bits per dimension of `images` from the log-likelihoods of their 8-bit pixels that a model's program states.

    `stated`: JSON lines with `id` (of the image, with or without ending) and `log_likelihood` in nats, called after the
    model. Raises `EvalkitError` before any work where a line is wrong.
    """
    options = options or RunOptions()
    path = Path(stated).expanduser()
    values = read_reported(path)
    mine = looked_at(images, options.limit)
    spec = Spec(
        LIKELIHOOD.name,
        VERSION,
        inputs={"data": mine.ref, REPORTED: DataRef(path.stem, len(values), file_sha256(path), source=str(path))},
        metrics=(PIXELS.name,),
        seed=options.seed,
        shard=SHARD,
        here={"threads": options.threads, "data": dict(mine.about)},
    )
    out = options.out or run_folder(spec, path.stem)
    tell(mine, out, options)
    return run_as_wished(LIKELIHOOD, spec, out, options)


def _tokenizer(model: CodingGenerator, weights: Mapping[str, str], name: str) -> ModelRef:
    """The tokenizer of a model, by its own weights: its file beside the model's, or what a library's model holds of it."""
    if isinstance(model, NetworkTokenGenerator):
        coder = str(model.tokenizer_name)
        beside = weights.get(coder) or _folder(weights.get(name))
        return ModelRef(coder, describe_tokenizer(coder, beside).weights_sha256, weights=beside)
    inside = model.tokenizer
    if weights.get(inside.name) not in (None, weights.get(name)):
        raise EvalkitError(f"{name} holds its tokenizer {inside.name}. Give the weights of {name} alone")
    digest = values_sha256(inside.network) if isinstance(inside, NetworkTokenizer) else inside.weights_sha256
    return ModelRef(inside.name, digest)


def _folder(weights: str | None) -> str | None:
    """A folder of weights holds the tokenizer's too."""
    return weights if weights is not None and Path(weights).is_dir() else None


def _asked(model: Generator, mine: Looked, prompts: str | Path | None) -> Asked:
    """The class or prompt of each image; raises where the model needs one and an image has none."""
    source = str(prompts) if prompts is not None else None if mine.run is None else str(mine.run.path)
    ids = [] if mine.images is None else list(mine.images.ids()[: mine.ref.n])
    if model.conditions == "any":
        return Asked()
    asked = asked_of(ids, source)
    known, word = (asked.classes, "class") if model.conditions == "class" else (asked.prompts, "prompt")
    without = next((id for id in ids if id not in known), None)
    if without is not None:
        raise EvalkitError(
            f"{model.name} needs the {word} of each image, and {without} has none. Give --prompts FILE, with lines that "
            f"have {'a class_id' if word == 'class' else 'a prompt'} each"
        )
    return asked
