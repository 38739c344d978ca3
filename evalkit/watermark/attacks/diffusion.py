"""Regeneration by diffusion: noise up to a strength and back by an img2img pipeline of diffusers, n times (rinsing)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from evalkit.device import pick_device, pick_dtype
from evalkit.errors import MissingDependency, WeightsError
from evalkit.generators.diffusers_pipelines import check_classes
from evalkit.generators.folders import folder_digest
from evalkit.images.geometry import resize_exact
from evalkit.images.sample import Pixels
from evalkit.watermark.attacks.base import Attack, checked, seed_of
from evalkit.watermark.attacks.sizes import Shape
from evalkit.watermark.attacks.spelling import Options, Parameter, register
from evalkit.weights.find import hub_folder

STEPS, GUIDANCE = 50, 7.5  # of the whole schedule, as in WAVES


@dataclass(frozen=True)
class DiffusionAttack(Attack):
    """img2img with an empty prompt: strength s runs the last s of the schedule's 50 steps (WAVES: noise step 1000 s)."""

    name: str
    parameters: Mapping[str, Any]
    options: Options
    size: str = "shorter side to the model's own, sides to multiples of 8, and back (bicubic)"
    codec: str = "png"
    network: bool = True
    packages: tuple[str, ...] = ("numpy", "pillow", "torch", "diffusers", "transformers")

    @cached_property
    def folder_of_model(self) -> Path:
        """The local folder, or the hub's copy of the repository."""
        repo = str(self.parameters["repo"])
        local = Path(repo).expanduser()
        given = self.options.weights_of(repo)
        if given is not None:
            return Path(given).expanduser()
        return local if local.is_dir() else hub_folder(repo)

    @cached_property
    def pipeline(self) -> Any:
        """The pipeline; only classes of the libraries are run, never code of the folder."""
        try:
            from diffusers import AutoPipelineForImage2Image
        except ImportError:
            raise MissingDependency("the diffusion attack", "hf") from None
        folder = self.folder_of_model
        check_classes(folder)
        try:
            found = AutoPipelineForImage2Image.from_pretrained(
                str(folder), torch_dtype=pick_dtype(self.options.dtype), local_files_only=True
            )
        except Exception as error:  # the library raises many kinds for a folder that is not whole, or not such a model
            said = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
            raise WeightsError(f"{folder.name} cannot be loaded for img2img: {said}") from None
        if getattr(found, "safety_checker", None) is not None:
            found.safety_checker = None  # it would blacken images, and what is measured is the watermark
        found.set_progress_bar_config(disable=True)
        return found.to(pick_device(self.options.device))

    @cached_property
    def side(self) -> int:
        """The model's own side in pixels."""
        inner = self.pipeline.unet if hasattr(self.pipeline, "unet") else self.pipeline.transformer
        return int(inner.config.sample_size) * int(self.pipeline.vae_scale_factor)

    def shape_for(self, shape: Shape) -> Shape:
        """The size at which an image goes through the model."""
        factor = self.side / min(shape)
        step = max(8, int(self.pipeline.vae_scale_factor))
        height, width = (max(step, round(side * factor / step) * step) for side in shape)
        return height, width

    def apply(self, image: Pixels, seed: int = 0) -> Pixels:
        """The regenerated image; it goes through alone, with a generator of its own seed on the CPU."""
        own: Shape = (checked(image).shape[0], image.shape[1])
        x = Image.fromarray(resize_exact(image, self.shape_for(own), "bicubic"))
        for number in range(int(self.parameters["passes"])):
            generator = torch.Generator().manual_seed(seed_of(seed, f"pass {number}"))
            with torch.inference_mode():
                x = self.pipeline(
                    prompt="",
                    image=x,
                    strength=float(self.parameters["strength"]),
                    num_inference_steps=STEPS,
                    guidance_scale=GUIDANCE,
                    generator=generator,
                    output_type="pil",
                ).images[0]
        return resize_exact(np.array(x.convert("RGB"), dtype=np.uint8), own, "bicubic")

    def apply_many(self, images: Sequence[Pixels], seeds: Sequence[int]) -> list[Pixels]:
        """One at a time, so that an image does not depend on its batch."""
        return [self.apply(image, seed) for image, seed in zip(images, seeds, strict=True)]

    def release(self) -> None:
        """The pipeline goes; the next image would load it again."""
        self.__dict__.pop("pipeline", None)

    def record(self) -> dict[str, Any]:
        """With steps, guidance and the digest of the weights."""
        digest = folder_digest(self.folder_of_model)
        return {**super().record(), "steps": STEPS, "guidance": GUIDANCE, "weights_sha256": digest}


@register(
    "diffusion",
    Parameter("repo", "word"),
    Parameter("strength", low=0.02, high=1, default=0.2),
    Parameter("passes", "whole", 1, 20, default=1),
    about="noised and denoised by an img2img pipeline of diffusers (a repository or a folder), so many times",
)
def diffusion(name: str, values: Mapping[str, Any], options: Options) -> Attack:
    """WAVES's diffusive regeneration; two or four passes are its rinsing."""
    return DiffusionAttack(name, values, options)
