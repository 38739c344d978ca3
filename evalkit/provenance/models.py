"""The names of a run's models against their weights: a run whose record calls its model by another name is found."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.generators.registry import GENERATORS
from evalkit.generators.registry import Entry as GeneratorEntry
from evalkit.jobs.checks import Failure
from evalkit.provenance.shape import shape_failures
from evalkit.runs.store import RECORD, Run
from evalkit.tokenizers.registry import TOKENIZERS, tokenizer_alias
from evalkit.tokenizers.registry import Entry as TokenizerEntry
from evalkit.weights.find import find_weights, weights_manifest
from evalkit.weights.reading import file_sha256

SHIPPED = "package:"  # how the manifest names the source of weights that come with evalkit


def model_failures(run: Run) -> list[Failure]:
    """What the record says of its model in two ways, and where name and weights do not go together.

    Weights that are shipped, or lie in the hub's cache here, are known by their sha256. Of others it is known whether a
    name has any, and how many codes its network makes.
    """
    model, plan = run.record.get("model") or {}, run.record.get("plan") or {}
    models: Mapping[str, Any] = plan.get("models") or {}
    found = list(_apart(model, models))
    for role, ref in models.items():
        if isinstance(ref, Mapping) and isinstance(ref.get("name"), str):
            found += _misnamed(ref["name"], ref.get("sha256"), role)
    return [*found, *shape_failures(run)]


def _apart(model: Mapping[str, Any], models: Mapping[str, Any]) -> Iterator[Failure]:
    """Where the record's model, its card and its plan name different things."""
    planned = models.get("model") or models.get("tokenizer") or {}
    card = model.get("card") or {}
    name = model.get("name")
    for said, what in ((planned.get("name"), "its plan"), (card.get("name"), "the card of its model")):
        if isinstance(said, str) and isinstance(name, str) and _canonical(said) != _canonical(name):
            yield Failure(RECORD, f"its model is called {name}, {what} says {said}")
    sha256, other = planned.get("sha256"), model.get("weights_sha256")
    if isinstance(sha256, str) and isinstance(other, str) and sha256 != other:
        yield Failure(RECORD, f"its model has the weights {other}, its plan says {sha256}")


def _misnamed(name: str, sha256: object, role: str) -> Iterator[Failure]:
    entry = _entry(name)
    if entry is None:
        return
    key = _known().get(str(sha256))
    if key is not None and key != entry.weights:
        yield Failure(RECORD, f"its {role} is called {name}, its weights are those of {key}")
    elif entry.weights is None and sha256 is not None and not _of_folder(entry):
        yield Failure(RECORD, f"its {role} is called {name}, which has no weights; the plan names some")
    elif entry.weights is not None and sha256 is None:
        yield Failure(RECORD, f"its {role} is called {name}, which has weights; the plan names none")


def _of_folder(entry: TokenizerEntry | GeneratorEntry) -> bool:
    """Whether a library builds the model from a whole folder of the hub, which is no file of the manifest."""
    return isinstance(entry, GeneratorEntry) and isinstance(entry.config, str)


def _entry(name: str) -> TokenizerEntry | GeneratorEntry | None:
    """What is registered under the name, None for names of patterns, of other packages and of objects."""
    try:
        return TOKENIZERS.get(name) if name in TOKENIZERS else GENERATORS.get(name) if name in GENERATORS else None
    except EvalkitError:  # its family needs a package that is not here
        return None


def _canonical(name: str) -> str:
    return tokenizer_alias(name)


@cache
def _known() -> dict[str, str]:
    """The keys of weights by sha256: of those that come with evalkit, and of those that the hub's cache names by it."""
    found = {}
    for key, entry in weights_manifest().items():
        with suppress(EvalkitError, OSError):  # weights that are not here
            path = find_weights(key, download=False)
            if entry.source.startswith(SHIPPED):
                found[file_sha256(path)] = key
            elif path.is_symlink() and re.fullmatch("[0-9a-f]{64}", name := path.resolve().name):
                found[name] = key
    return found
