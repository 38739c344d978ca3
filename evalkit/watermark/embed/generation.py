"""Marking while generating: the normal resumable generation, with green codes raised in its sampling."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.generators.base import Generator, TokenGenerator
from evalkit.jobs.live import hold
from evalkit.jobs.options import RunOptions
from evalkit.prompts.load import PromptSet
from evalkit.runs.store import Run, read_run
from evalkit.runs.store_objects import open_store
from evalkit.tasks.generate.generate import generate_images, load_for
from evalkit.tasks.generate.prepare import PREPARATIONS, Preparation
from evalkit.tokenizers.base import Tokenizer
from evalkit.watermark.bias import check_generator, mark_generator, marking
from evalkit.watermark.mark import Mark
from evalkit.watermark.methods import write_mark
from evalkit.watermark.methods.files import NAME
from evalkit.watermark.shipped import opened_mark

NAME_OF = "watermark"  # of the preparation
STRENGTH = ("delta", "until")  # what is said beside the mark's own numbers


def generate_marked(
    model: str | Generator,
    prompts: str | Path | PromptSet,
    build: Callable[[Tokenizer], Mark],
    delta: float | None,
    *,
    until: float | None = None,
    samples: int = 1,
    guidance: float | None = None,
    temperature: float | None = None,
    top_k: int | None = None,
    top_p: float | None = None,
    steps: int | None = None,
    options: RunOptions | None = None,
) -> Run:
    """Make images as `generate_images` does, each with the mark that `build` makes for the generator's tokenizer.

    `delta` is added to guided logits of green codes before temperature, top-k and top-p; infinity leaves only green ones,
    and None is for methods that draw codes by the key. With `until` only green codes that an image lacks are raised, and
    only while the exact p of its codes so far is above it (`BiasUntil`).
    The run holds mark.json, its plan the mark and its key's id, the manifest the list of each image (`notes`). Raises
    `EvalkitError` before any work where the model's codes cannot be marked, or cannot be read back.
    """
    options = options or RunOptions()
    generator = load_for(model, options) if isinstance(model, str) else model
    mark = build(tokenizer_of(generator))
    mark.list_of(0)  # several marks at once say now that they only detect
    check_generator(generator)
    said = marking(mark, delta, until).as_dict()
    here = {"mark": hold(mark), "key": mark.key.source}
    run = generate_images(
        model,
        prompts,
        samples=samples,
        guidance=guidance,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        steps=steps,
        prepare=Preparation(NAME_OF, said, here, generator),
        options=options,
    )
    if not (run.path / NAME).exists():
        strength = {name: said[name] for name in STRENGTH if name in said}
        write_mark(run.path / NAME, mark, {"how": "in generation", **strength})
        open_store(run.path).cover(NAME)
    return read_run(run.path)


def _prepare(generator: Generator, said: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    numbers = {name: value for name, value in said.items() if name not in ("prepare", "tokenizer", *STRENGTH)}
    mark = opened_mark(numbers, here, tokenizer_of(generator))
    mark_generator(generator, mark, None if said["delta"] is None else float(said["delta"]), said.get("until"))


PREPARATIONS.add(NAME_OF, _prepare)


def tokenizer_of(generator: Generator) -> Tokenizer:
    """The tokenizer of a generator's codes, loaded; raises `EvalkitError` where its codes cannot be read from images."""
    if not isinstance(generator, TokenGenerator) or not generator.vocab_size:
        raise EvalkitError(
            f"{generator.name} does not choose discrete codes here, so its sampling cannot be biased; mark its images "
            "afterwards: evalkit watermark embed FOLDER --tokenizer NAME"
        )
    tokenizer = getattr(generator, "tokenizer", None)
    if not isinstance(tokenizer, Tokenizer):
        raise EvalkitError(
            f"{generator.name} has no tokenizer that reads codes from images, so a mark could not be found again; mark "
            "its images afterwards: evalkit watermark embed FOLDER --tokenizer NAME"
        )
    if tokenizer.vocab_size is not None and tokenizer.vocab_size != generator.vocab_size:
        raise EvalkitError(
            f"{generator.name} chooses among {generator.vocab_size} codes and {tokenizer.name} reads "
            f"{tokenizer.vocab_size}; give the tokenizer's weights that belong to the generator"
        )
    return tokenizer
