"""What a generation is, as plain data, and how a worker reads it back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.generators.accelerate import settings as known
from evalkit.generators.accelerate.settings import JACOBI, KINDS, Settings, parse
from evalkit.generators.base import Generator, Request
from evalkit.generators.guidance import Guidance
from evalkit.generators.registry import GENERATORS, load_generator
from evalkit.generators.sampling import SETTINGS, Sampler
from evalkit.jobs.live import find, held, hold, is_live
from evalkit.jobs.spec import DataRef, ModelRef, Spec
from evalkit.prompts.load import Prompt, PromptSet, load_prompts
from evalkit.prompts.rewrite import with_rewritten
from evalkit.registry import foreign_code
from evalkit.tasks.generate.rows import seed_of
from evalkit.tasks.generate.sources import folder_of, sources_ref, with_sources

VERSION = 2
SHARD = 16
Asked = tuple[Prompt, int, Request]


@dataclass(frozen=True)
class Wanted:
    """Prompt, sample number and request of each position of a generation."""

    prompts: PromptSet
    samples: int
    seed: int
    sampler: Sampler
    folder: Path = Path()

    def at(self, position: int) -> Asked:
        """What is asked at `position`, in the order of prompts, then samples."""
        prompt, number = self.prompts.prompts[position // self.samples], position % self.samples
        seed = seed_of(self.seed, prompt, number)
        request = Request(f"{prompt.id}-{number:02d}", prompt.prompt, prompt.class_id, seed, self.sampler)
        return prompt, number, with_sources(request, prompt.meta, self.folder)


def model_ref(generator: Generator, dtype: str, weights: str | None, *, compiled: bool = False) -> ModelRef:
    """A reference to the generator that `generator` describes."""
    settings: dict[str, Any] = {"tokenizer": generator.tokenizer_name}
    if compiled:
        settings["compile"] = True
    if code := foreign_code(type(generator)):
        settings["code"] = code
    return ModelRef(generator.name, generator.weights_sha256, dtype, settings, weights)


def prompts_ref(prompts: PromptSet, source: str | None) -> DataRef:
    """A reference to prompts: by how they are loaded, or by the set itself."""
    return DataRef(prompts.name, len(prompts.prompts), prompts.digest, source=source or hold(prompts))


def processors(generator: Generator) -> list[dict[str, Any]]:
    """What logits processors that describe themselves (a watermark) do to the images."""
    listed = getattr(generator, "logits_processors", ())
    return [each.as_dict() for each in listed if hasattr(each, "as_dict")]


def wanted(spec: Spec) -> Wanted:
    """The requests of a spec; raises `EvalkitError` where its prompts are others now."""
    ref = spec.inputs["prompts"]
    if ref.source is None:
        raise EvalkitError(f"nothing says where the prompts {ref.name} lie. Give the run's own prompts")
    found = held(ref.source) if is_live(ref.source) else load_prompts(ref.source)
    if (rewrite := spec.here.get("rewrite")) is not None:
        found = with_rewritten(found, rewrite)
    if found.digest != ref.digest:
        raise EvalkitError(f"the prompts {ref.name} have changed since the run was planned. Give a fresh --out")
    beside = spec.here.get("sources")
    folder = Path(beside) if beside else folder_of(None if is_live(ref.source) else ref.source)
    sources = sources_ref(found, folder)
    if sources != spec.inputs.get("sources"):
        raise EvalkitError(f"source images of {ref.name} have changed since the run was planned. Give a fresh --out")
    sampler = sampler_of(spec.parameters["sampler"])
    return Wanted(found, int(spec.parameters["samples"]), spec.seed, sampler, folder)


def opened(spec: Spec, device: str) -> Generator:
    """The spec's generator, loaded; raises `EvalkitError` where its weights are others."""
    model = spec.models["model"]
    if is_live(model.weights):
        return held(str(model.weights))  # type: ignore[no-any-return]
    at_hand: Generator | None = find(spec.here.get("generator"))
    if at_hand is not None:
        return at_hand
    return loaded(model, device, spec.here.get("tokenizer_weights"))


def loaded(model: ModelRef, device: str, tokenizer_weights: str | None = None) -> Generator:
    """The generator behind a reference; raises `EvalkitError` where the weights here are not those of the run."""
    made = load_generator(model.name, model.weights, device, model.dtype, tokenizer_weights=tokenizer_weights)
    if made.weights_sha256 != model.sha256:
        raise EvalkitError(
            f"the weights here are not those of the run (sha256 {str(model.sha256)[:12]}…). Give theirs as --weights"
        )
    return made


def draft_of(settings: Settings | None) -> str | None:
    """The registered name of the draft model that an acceleration asks for."""
    name = getattr(settings, "draft", JACOBI)
    return None if name == JACOBI else GENERATORS.canonical(name)


def acceleration_of(spec: Spec) -> Settings | None:
    """The acceleration settings of a spec; raises `EvalkitError` for kinds that this evalkit does not know."""
    said = spec.parameters.get("accelerate")
    if said is None:
        return None
    kind = KINDS.get(str(said.get("kind")))
    if kind is None:
        raise EvalkitError(f"this version of evalkit knows no acceleration called {said.get('kind')!r}. Update evalkit")
    names = {each.name for each in fields(kind)}
    return parse(f"{said['kind']}:" + ",".join(f"{name}={value}" for name, value in said.items() if name in names))


def acceleration_said(settings: Settings) -> dict[str, Any]:
    """An acceleration as plain data."""
    return dict(known.as_dict(settings))


def sampler_of(said: Mapping[str, Any]) -> Sampler:
    """The sampler that a plan or record states; what is null there was not passed to the model."""
    guidance = dict(said["guidance"] or {})
    kept = {name: guidance[name] for name in Guidance.__dataclass_fields__ if name in guidance}
    if kept.get("window") is not None:
        kept["window"] = tuple(kept["window"])
    unset = frozenset(name for name in SETTINGS if said.get(name) is None)
    rest = {name: said[name] for name in SETTINGS if name not in unset and name != "guidance"}
    return Sampler(Guidance(**kept), **rest, unset=unset)


def upgraded(record: Mapping[str, Any]) -> Spec:
    """The spec of a record of format 1."""
    plan, said = record["plan"], record["prompts"] if "prompts" in record else record["plan"]["prompts"]
    model = ModelRef(plan["model"], plan["weights"], plan["dtype"], {"tokenizer": record["model"].get("tokenizer")})
    if plan.get("compile"):
        model = replace(model, settings={**model.settings, "compile": True})
    models = {"model": model}
    accelerate = plan.get("accelerate")
    if isinstance(accelerate, dict) and accelerate.get("draft", JACOBI) != JACOBI:
        models["draft"] = ModelRef(accelerate["draft"], accelerate.get("draft_weights"), plan["dtype"])
    more = {name: plan[name] for name in ("accelerate", "processors") if name in plan}
    parameters = {"samples": plan["samples"], "n": plan["n"], "sampler": plan["sampler"], **more}
    data = DataRef(said["name"], said["n"], said["digest"])
    return Spec("generate", 1, models, {"prompts": data}, parameters=parameters, seed=plan["seed"], shard=SHARD)


def source_of(prompts: str | Path | PromptSet) -> str | None:
    """How prompts are loaded again elsewhere; None for a set that was made in Python."""
    return None if isinstance(prompts, PromptSet) else str(prompts)
