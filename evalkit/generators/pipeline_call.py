"""How a pipeline of diffusers is called: which of its parameters are evalkit's settings, and what it takes by default.

A pipeline's guidance is `guidance_scale`, or `true_cfg_scale` where that one is off by default (Qwen-Image), or where the
network was not trained to be told a scale (FLUX.1-schnell). `true_cfg_scale` compares with a negative prompt and does
nothing without one. `distilled_guidance_scale` (HunyuanImage) is read by distilled networks alone.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evalkit.generators.guidance import Guidance
from evalkit.generators.sampling import SETTINGS, Sampler

SCALES = ("guidance_scale", "true_cfg_scale", "distilled_guidance_scale")
OTHERS = {"steps": "num_inference_steps", "temperature": "temperature", "top_k": "top_k", "top_p": "top_p"}
NEGATIVE = " "  # what Qwen-Image's authors give where nothing is to be avoided


@dataclass(frozen=True)
class PipelineCall:
    """`parameters` of a pipeline's call, the `names` that evalkit's settings have there, and the `defaults` of those.

    `needs_image`: it draws nothing without a source image.
    """

    parameters: frozenset[str]
    names: Mapping[str, str]
    defaults: Mapping[str, Any]
    needs_image: bool = False

    @classmethod
    def of(cls, pipeline: Any) -> PipelineCall:
        """What a loaded pipeline says of itself."""
        taken = inspect.signature(type(pipeline).__call__).parameters
        names = {name: own for name, own in OTHERS.items() if own in taken}
        if scale := _scale(pipeline, {each: taken[each].default for each in SCALES if each in taken}):
            names["guidance"] = scale
        defaults = {name: taken[own].default for name, own in names.items()}
        return cls(frozenset(taken), names, defaults, _needs_image(pipeline, taken))

    def sampler(self, guidance: float | None, steps: int | None) -> Sampler:
        """The pipeline's own defaults under `guidance` and `steps`, where those are given; what is no number is unset."""
        given = {name: value for name, value in (("guidance", guidance), ("steps", steps)) if value is not None}
        told: dict[str, Any] = {**self.defaults, **{name: given[name] for name in given if name in self.names}}
        known: dict[str, Any] = {name: value for name, value in told.items() if isinstance(value, int | float)}
        unset = frozenset(set(SETTINGS) - known.keys())
        return Sampler(Guidance("passed", float(known.pop("guidance", 1.0))), **known, unset=unset)

    def settings(self, sampler: Sampler) -> dict[str, Any]:
        """The keyword arguments of a sampler."""
        said = {name: getattr(sampler, name) for name in self.names if name not in sampler.unset}
        found = {self.names[name]: value for name, value in said.items() if name != "guidance" and value is not None}
        if "guidance" in said and sampler.guidance.form != "none":  # a request's own sampler may hold no guidance
            found[self.names["guidance"]] = scale = sampler.guidance.scale
            if self.names["guidance"] == "true_cfg_scale" and scale > 1 and "negative_prompt" in self.parameters:
                found["negative_prompt"] = NEGATIVE
        return found


def _needs_image(pipeline: Any, taken: Mapping[str, inspect.Parameter]) -> bool:
    """Whether a pipeline changes images only: by its name, since most give their `image` a default that they refuse."""
    named = any(
        word in type(pipeline).__name__ for word in ("Edit", "Img2Img", "Inpaint", "Kontext", "Pix2Pix", "Fill")
    )
    return "image" in taken and (named or taken["image"].default is inspect.Parameter.empty)


def _scale(pipeline: Any, defaults: Mapping[str, Any]) -> str | None:
    """The parameter that is the guidance of this pipeline; None where no known one has an effect."""
    untold = getattr(getattr(getattr(pipeline, "transformer", None), "config", None), "guidance_embeds", None) is False
    kept = dict(defaults)
    if untold:
        kept.pop("distilled_guidance_scale", None)
        if "true_cfg_scale" in kept:
            kept.pop("guidance_scale", None)
    named = [each for each, default in kept.items() if default is not None] or list(kept)
    return named[0] if named else None
