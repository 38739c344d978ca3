"""Which weight files are here, and where the others come from."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Literal

from evalkit.errors import EvalkitError, WeightsError
from evalkit.tokenizers.cards import list_models
from evalkit.weights.find import WeightFile, find_weights, weights_manifest
from evalkit.weights.reading import file_sha256

State = Literal["present", "missing", "wrong content"]


@dataclass(frozen=True)
class WeightState:
    """A manifest entry with the models that use it, and what is on this machine."""

    entry: WeightFile
    models: tuple[str, ...]
    state: State
    path: Path | None
    sha256: str | None


def weight_states(pattern: str = "*", *, digest: bool = False) -> list[WeightState]:
    """States of the entries whose key, or a model that uses them, matches the shell `pattern`; nothing is fetched.

    `digest`: hash what is there, and compare where the manifest states a sha256.
    """
    found = [_state(entry, models, digest) for entry, models in _matching(pattern)]
    if not found:
        raise EvalkitError(f"no weight file or model matches {pattern!r}; see: evalkit weights list")
    return found


def fetch(pattern: str) -> list[tuple[WeightFile, Path | str]]:
    """Try to have every matching entry here; gives its path, or the sentence that says why not."""
    done: list[tuple[WeightFile, Path | str]] = []
    for entry, _ in _matching(pattern):
        try:
            done.append((entry, find_weights(entry.key)))
        except WeightsError as error:
            done.append((entry, str(error)))
    if not done:
        raise EvalkitError(f"no weight file or model matches {pattern!r}; see: evalkit weights list")
    return done


def _matching(pattern: str) -> list[tuple[WeightFile, tuple[str, ...]]]:
    users: dict[str, list[str]] = {}
    for card in list_models():
        if card.weights:
            users.setdefault(card.weights, []).extend((card.name, *card.aliases))
    rows = [(entry, tuple(users.get(key, ()))) for key, entry in weights_manifest().items()]
    return [(e, models) for e, models in rows if any(fnmatch(name, pattern) for name in (e.key, *models))]


def _state(entry: WeightFile, models: tuple[str, ...], digest: bool) -> WeightState:
    try:
        path = find_weights(entry.key, download=False)
    except WeightsError:
        return WeightState(entry, models, "missing", None, None)
    sha256 = file_sha256(path) if digest else None
    wrong = sha256 is not None and entry.sha256 is not None and sha256 != entry.sha256
    return WeightState(entry, models, "wrong content" if wrong else "present", path, sha256)
