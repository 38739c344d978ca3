"""Pipelines of diffusers that draw or change images, by repository or folder: `diffusers:OWNER/REPO`, `diffusers:FOLDER`.

An image is made by itself (one row), with a generator of its own seed on the CPU, so that it depends on its request
alone. Only folders whose classes diffusers itself has are run; custom pipelines, which would be code of the repository,
are refused.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as Pillow

from evalkit.errors import EvalkitError, MissingDependency, WeightsError
from evalkit.generators.base import Generator, Image, Request
from evalkit.generators.endpoints import served_models
from evalkit.generators.folders import folder_digest, model_folder
from evalkit.generators.pipeline_call import PipelineCall
from evalkit.generators.registry import Entry, Source, register
from evalkit.generators.sampling import Sampler
from evalkit.jsonio import parse_json


@dataclass(frozen=True)
class PipelineConfig:
    """A hub repository, and what its authors call with (None: the pipeline's own default)."""

    repo: str
    guidance: float | None = None
    steps: int | None = None
    side: int | None = None
    pickled: bool = False  # the repository has no safetensors; the libraries read its .bin files by weights only


@register("dit", config=PipelineConfig("facebook/DiT-XL-2-256", 4.0, 250))
@register("dit-512", config=PipelineConfig("facebook/DiT-XL-2-512", 4.0, 250))
@register("vq-diffusion", config=PipelineConfig("microsoft/vq-diffusion-ithq", 5.0, 100, pickled=True))
@register("amused", config=PipelineConfig("amused/amused-256", 10.0, 12))
@register("amused-512", config=PipelineConfig("amused/amused-512", 10.0, 12))
@register("glm-image", config=PipelineConfig("zai-org/GLM-Image"))
class DiffusersGenerator(Generator):
    """Any pipeline whose call takes `prompt` or `class_labels`."""

    rows = 1

    def __init__(self, source: Source, pipeline: Any, config: PipelineConfig) -> None:
        self.name, self.device, self.dtype, self.config = source.name, source.device, source.dtype, config
        self.pipeline = pipeline.to(source.device)
        self.pipeline.set_progress_bar_config(disable=True)
        self.call = PipelineCall.of(pipeline)
        if not self.call.parameters & {"prompt", "class_labels"}:
            raise EvalkitError(
                f"{type(pipeline).__name__} takes neither a prompt nor classes; give a text-to-image model"
            )
        self.conditions = "text" if "prompt" in self.call.parameters else "class"
        self.takes = frozenset(self.call.names)
        self.avoids = "negative_prompt" in self.call.parameters
        self.edits = "image" in self.call.parameters
        self.default_sampler = self.call.sampler(config.guidance, config.steps)

    @classmethod
    def load(cls, source: Source) -> DiffusersGenerator:
        """The pipeline of a folder in diffusers' layout."""
        try:
            from diffusers import DiffusionPipeline
        except ImportError:
            raise MissingDependency(source.name, "hf") from None
        config = source.config if isinstance(source.config, PipelineConfig) else PipelineConfig(source.config)
        local = Path(config.repo).expanduser()
        folder = local if local.is_dir() else model_folder(source, config.repo, pickled=config.pickled)
        check_classes(folder)
        extra = {"safety_checker": None} if "safety_checker" in _index(folder) else {}
        try:
            pipeline = DiffusionPipeline.from_pretrained(
                str(folder),
                torch_dtype=source.dtype,
                local_files_only=True,
                use_safetensors=not config.pickled or None,
                **extra,
            )
        except Exception as error:  # the library raises many kinds for a folder that is not whole
            said = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
            raise WeightsError(f"{folder.name} cannot be loaded: {said}. Give the model's whole folder") from None
        made = cls(source, pipeline, config)
        made.weights_sha256 = folder_digest(folder)
        return made

    def passed(self, sampler: Sampler) -> dict[str, Any]:
        """What the pipeline is called with beside prompt or class and seed, by its own names."""
        sizes = {} if self.config.side is None else {"height": self.config.side, "width": self.config.side}
        return {**self.call.settings(sampler), **{k: v for k, v in sizes.items() if k in self.call.parameters}}

    def check(self, request: Request) -> None:
        """Raise for a mask that the pipeline does not take, and where it needs an image that is not given."""
        super().check(request)
        if request.mask is not None and "mask_image" not in self.call.parameters:
            raise EvalkitError(f"{self.name} takes no mask; request {request.id!r} gives one. Leave it out")
        if request.source_image is None and self.call.needs_image:
            raise EvalkitError(f"{self.name} changes images; request {request.id!r} gives none. Give a source_image")

    def _generate(self, requests: Sequence[Request], sampler: Sampler) -> list[Image]:
        (request,) = requests
        started = time.perf_counter()
        settings, image = self.passed(sampler), request.source_image
        if request.negative is not None:
            settings["negative_prompt"] = request.negative
        if request.mask is not None:
            settings["mask_image"] = Pillow.fromarray(request.mask)
        for text in (*request.rounds, request.prompt):  # each changes the image of the one before
            asked: dict[str, Any] = (
                {"prompt": text} if self.conditions == "text" else {"class_labels": [request.class_id]}
            )
            asked |= {} if image is None else {"image": Pillow.fromarray(image)}
            seeded = {"generator": torch.Generator().manual_seed(request.seed), "output_type": "pil"}
            with torch.inference_mode():
                image = np.asarray(self.pipeline(**asked, **seeded, **settings).images[0].convert("RGB"))
            settings.pop("mask_image", None)
        steps = settings.get(self.call.names.get("steps", ""))
        evaluations = None if steps is None else int(steps) * (1 + len(request.rounds))
        return [Image(request.id, np.asarray(image), time.perf_counter() - started, evaluations)]


def _index(folder: Path) -> dict[str, Any]:
    try:
        found = parse_json((folder / "model_index.json").read_bytes(), "it")
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"{folder.name} has no readable model_index.json ({error}); give a diffusers folder"
        ) from None
    if not isinstance(found, dict):
        raise WeightsError(f"{folder.name}: model_index.json is no object; give a diffusers folder")
    return found


def check_classes(folder: Path) -> None:
    """Refuse folders whose classes would be code of the repository."""
    import diffusers

    for part, value in _index(folder).items():
        library = value[0] if isinstance(value, list) and value else None
        own = library in ("diffusers", "transformers") or hasattr(diffusers.pipelines, str(library))
        custom = library is not None and not own
        if custom or (part == "_class_name" and not isinstance(value, str)):
            raise WeightsError(
                f"{folder.name} names a class of {library or 'its own'} for {part}: running it would run code of the "
                "repository. Run such a model as a worker in a container: docs/runners.md"
            )


def entry(name: str, repo: str) -> Entry:
    """The entry of `diffusers:REPO`; a name of endpoints.toml stands for its repository and its authors' settings."""
    served = served_models().get(repo)
    if served is None:
        return Entry(name, DiffusersGenerator, repo, None, None)
    options = served.options
    scale = options.get("true_cfg_scale", options.get("guidance_scale"))
    side = int(str(options["size"]).partition("x")[0]) if "size" in options else None
    config = PipelineConfig(served.repo, scale, options.get("num_inference_steps"), side)
    return Entry(name, DiffusersGenerator, config, None, None)
