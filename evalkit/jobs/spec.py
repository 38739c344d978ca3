"""A Spec: plain data that says what a run computes, and all that a worker needs to compute it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.jsonio import canonical_json
from evalkit.version import __version__

FORMAT = 2  # of plan.json; format 1 had no models, inputs and parameters
LONG = 60  # characters of a value that a message shows


@dataclass(frozen=True)
class ModelRef:
    """A model: its name, the sha256 of its weights, its precision, and settings that decide what it gives.

    `weights`: where its file lies here, or a reference of `live`; it decides nothing.
    """

    name: str
    sha256: str | None = None
    dtype: str = "float32"
    settings: Mapping[str, Any] = field(default_factory=dict)
    weights: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class DataRef:
    """An input: its label, number of samples and content digest. `source`: how it is opened here; it decides nothing."""

    name: str
    n: int
    digest: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    source: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class ProtocolRef:
    """A named measurement definition, the sha256 of its rules, and how this run feeds its model under it."""

    id: str
    sha256: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Spec:
    """What one run computes; equal specs resume each other.

    `models`, `inputs`: by role. `parameters`: plain data that decides results. `shard`: samples of a shard. `here`: plain
    data that decides no result: batch size, threads, files of keys and caches, tokens of `live`; no plan holds it.
    """

    task: str
    version: int
    models: Mapping[str, ModelRef] = field(default_factory=dict)
    inputs: Mapping[str, DataRef] = field(default_factory=dict)
    protocols: tuple[ProtocolRef, ...] = ()
    metrics: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    shard: int = 64
    here: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def plan(self) -> dict[str, Any]:
        """What plan.json and the record hold: everything that decides results, as plain data."""
        said = {
            "format": FORMAT,
            "evalkit": __version__,
            "task": self.task,
            "version": self.version,
            "models": {
                role: {"name": m.name, "sha256": m.sha256, "dtype": m.dtype, "settings": m.settings}
                for role, m in self.models.items()
            },
            "inputs": {
                role: {"name": d.name, "n": d.n, "digest": d.digest, "settings": d.settings}
                for role, d in self.inputs.items()
            },
            "protocols": [{"id": p.id, "sha256": p.sha256, "settings": p.settings} for p in self.protocols],
            "metrics": list(self.metrics),
            "parameters": self.parameters,
            "seed": self.seed,
            "shard": self.shard,
        }
        plain: dict[str, Any] = json.loads(canonical_json(said))
        return plain


def spec_of(plan: Mapping[str, Any]) -> Spec:
    """The spec behind a plan of format 2, without sources; raises `EvalkitError` where it is none.

    >>> spec = Spec("t", 1, inputs={"data": DataRef("photos", 3, "ab")})
    >>> spec_of(spec.plan()) == spec
    True
    """
    try:
        return Spec(
            task=plan["task"],
            version=plan["version"],
            models={role: ModelRef(**each) for role, each in plan["models"].items()},
            inputs={role: DataRef(**each) for role, each in plan["inputs"].items()},
            protocols=tuple(ProtocolRef(**each) for each in plan["protocols"]),
            metrics=tuple(plan["metrics"]),
            parameters=plan["parameters"],
            seed=plan["seed"],
            shard=plan["shard"],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise EvalkitError(
            f"the plan lacks a part or has a strange one ({error}). Give a run that evalkit sealed"
        ) from None


def different(one: Mapping[str, Any], other: Mapping[str, Any], path: str = "") -> list[str]:
    """Dotted names of the parts in which two plans differ.

    >>> different({"seed": 1, "models": {"m": {"dtype": "a"}}}, {"seed": 2, "models": {"m": {"dtype": "b"}}})
    ['models.m.dtype', 'seed']
    """
    found: list[str] = []
    for key in sorted({*one, *other}):
        a, b, name = one.get(key), other.get(key), f"{path}{key}"
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found += different(a, b, f"{name}.")
        elif a != b:
            found.append(name)
    return found


def apart(before: Mapping[str, Any], now: Mapping[str, Any], most: int = 6) -> str:
    """In what two plans differ, in words: the part, what the first says, and what the second says.

    >>> apart({"seed": 0, "inputs": {"data": {"digest": "a"}}}, {"seed": 1, "inputs": {"data": {"digest": "b"}}})
    'content of data; seed 0, now 1'
    """
    names = different(before, now)
    told = [_told(name, _at(before, name), _at(now, name)) for name in names[:most]]
    return "; ".join([*told, *([f"{len(names) - most} more"] if len(names) > most else [])])


def _told(name: str, before: Any, now: Any) -> str:
    parts = name.split(".")
    if parts[0] in ("models", "inputs", "parameters") and len(parts) > 1:
        parts = parts[1:]
    if parts[-1] in ("digest", "listing"):
        return f"content of {parts[0]}"
    if parts[-1] == "sha256":
        return f"weights of {parts[0]}"
    if parts[-2:] == ["settings", "code"]:
        return f"the Python file that defines {parts[0]}"
    shown = [json.dumps(each, ensure_ascii=False) for each in (before, now)]
    words = " ".join(each for each in parts if each not in ("name", "settings"))
    return f"{words} {shown[0]}, now {shown[1]}" if max(map(len, shown)) <= LONG else words


def _at(plan: Any, name: str) -> Any:
    for key in name.split("."):
        plan = plan.get(key) if isinstance(plan, Mapping) else None
    return plan
