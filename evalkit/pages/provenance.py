"""What was run: the facts of a record as terms and values, and in what the protocols of a page differ."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.protocols.protocol import flatten
from evalkit.runs.store import Run
from evalkit.text import as_float, counted, number_text

CARD = ("family", "code", "paper", "licence", "codebook", "native_size", "value_range", "note")
BOOKKEEPING = ("id", "title", "source", "sha256", "side", "misfed")


@dataclass(frozen=True)
class Fact:
    """A term and what is true of it; `code` where it is to be copied or compared letter by letter."""

    term: str
    value: str
    code: bool = False


@dataclass(frozen=True)
class Difference:
    """A rule in which the protocols differ, with its value in each."""

    rule: str
    values: tuple[str, ...]


def facts(run: Run) -> list[Fact]:
    """Command, model, weights, data, protocols, judges, seed, environment; what a record does not say is left out."""
    return [fact for fact in _facts(run.record) if fact.value]


def _facts(record: Mapping[str, Any]) -> Iterator[Fact]:
    model, data = record["model"], record["data"]
    environment, judges = _part(record, "environment"), _part(record, "judges")
    yield Fact("command", shlex.join(str(word) for word in record.get("command", ())), code=True)
    yield Fact("model", f"{model['name']}: {model.get('title') or model['name']}")
    yield Fact("weights", f"sha256 {model['weights_sha256']}" if model.get("weights_sha256") else "none needed", True)
    yield Fact("device, precision", ", ".join(str(model[key]) for key in ("device", "dtype") if model.get(key)))
    yield Fact("model card", _listing(_part(model, "card"), CARD))
    yield Fact("data", f"{data.get('spec', data['name'])}: {counted(int(data['n']), 'image')}")
    troubles = [f"{data[key]:,} {key}" for key in ("unreadable", "duplicates") if data.get(key) is not None]
    yield Fact("among them", ", ".join(troubles))
    yield Fact("data digest", str(data.get("digest") or ""), code=True)
    for protocol in record["protocols"]:
        side = _side(protocol.get("side"))
        yield Fact("protocol", f"{protocol['id']}: {protocol.get('title', '')}{side}")
        yield Fact(f"{protocol['id']} digest", str(protocol.get("sha256") or ""), code=True)
        if protocol.get("misfed"):
            yield Fact(f"{protocol['id']} note", "feeds this model another value range than it was trained on")
    weights = _part(judges, "weights")
    yield Fact("judges", "; ".join(f"{name} {sha[:12]}" if sha else str(name) for name, sha in weights.items()))
    seed = record.get("seed")
    decoder = "" if model.get("deterministic", True) else " (the decoder is stochastic)"
    yield Fact("seed", "" if seed is None else f"{seed}{decoder}")
    yield Fact("environment", _environment(environment))
    yield Fact("packages", _listing(_part(environment, "packages"), None))
    yield Fact("source", _source(environment.get("git")), code=True)
    yield Fact("evalkit", str(record.get("evalkit", "")))


def speed(run: Run) -> str:
    """How fast it went and what bounds it, in one sentence; empty where the record does not say."""
    timings = _part(run.record, "timings")
    rate, wall, bound = timings.get("images_per_second"), timings.get("wall_seconds"), timings.get("bound_by")
    parts = [f"{number_text(rate)} images a second" if rate else "", f"{number_text(wall)} s in all" if wall else ""]
    said = ", ".join(part for part in parts if part)
    bounded = f"the run is bound by {bound}" if bound else ""
    sentence = "; ".join(part for part in (said, bounded) if part)
    return sentence[:1].upper() + sentence[1:] + "." if sentence else ""


def stages(run: Run) -> list[tuple[str, float]]:
    """Seconds by stage, summed over threads."""
    seconds = _part(_part(run.record, "timings"), "seconds")
    return [(str(name), spent) for name, value in seconds.items() if (spent := as_float(value)) is not None]


def protocols(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Every protocol of the page once, in order of appearance."""
    return list({str(p["id"]): p for run in reversed(runs) for p in reversed(run.record["protocols"])}.values())[::-1]


def protocol_differences(found: Sequence[Mapping[str, Any]]) -> list[Difference]:
    """Every rule in which the protocols differ, with its value in each; empty for a single protocol."""
    flat = [flatten({k: v for k, v in p.items() if k not in BOOKKEEPING}) for p in found]
    rules = dict.fromkeys(rule for each in flat for rule in each)
    rows = [Difference(rule, tuple(each.get(rule, "—") for each in flat)) for rule in rules]
    exceptions = ("input.sizes.", "input.ranges.")  # by model; the record states the side that was used
    return [r for r in rows if len(set(r.values)) > 1 and not r.rule.startswith(exceptions)]


def _environment(environment: Mapping[str, Any]) -> str:
    python, cpus = environment.get("python"), environment.get("cpus")
    parts = [f"Python {python}" if python else "", environment.get("system"), environment.get("machine")]
    parts += [counted(cpus, "CPU") if cpus else "", environment.get("gpu")]
    parts += [f"CUDA {environment['cuda']}" if environment.get("cuda") else ""]
    return ", ".join(str(part) for part in parts if part)


def _source(git: Any) -> str:
    if not isinstance(git, Mapping) or not git.get("commit"):
        return ""
    return f"commit {git['commit']}{', with uncommitted changes' if git.get('dirty') else ''}"


def _listing(values: Mapping[str, Any], keys: Sequence[str] | None) -> str:
    chosen = values if keys is None else {key: values[key] for key in keys if values.get(key) not in (None, "")}
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in chosen.items() if value is not None)


def _part(mapping: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = mapping.get(key)
    return value if isinstance(value, Mapping) else {}


def _side(side: object) -> str:
    """How large the model's input is, after the protocol's name."""
    return f"; {side} px" if isinstance(side, int) else f"; {side}" if side else ""
