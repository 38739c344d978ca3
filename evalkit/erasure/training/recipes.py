"""Each method's own settings: as released on models of language, measured on the reference world."""

from __future__ import annotations

from dataclasses import replace

from evalkit.erasure.training.objective import METHODS
from evalkit.erasure.training.settings import Settings
from evalkit.errors import EvalkitError

# EAR's release: church's window, the sum gate, Adam at 1e-4, guidance 5, attention of the blocks 0 to 4
RELEASED = Settings(
    (0, 4), window=48, threshold=0.05, gate="sum", tail=False, strength=1.0, guidance=5.0, learning_rate=1e-4
)
DESCRIBED = replace(RELEASED, gate="mean", threshold=0.05 / 48)
TAUGHT = Settings((0, 4), batch=8, epochs=2, guidance=5.0)
NOISE = Settings(None, strength=2.0)  # of all attention: enough to destroy a model
LARGE: dict[str, Settings] = {
    "ear-released": RELEASED,
    "ear": DESCRIBED,
    "replace": TAUGHT,
    "replace+retain": replace(TAUGHT, retain=1.0),
    "gradient-ascent": replace(TAUGHT, epochs=1),
    "masked-kl": replace(TAUGHT, retain=1.0),
    "first-scale": replace(TAUGHT, strength=0.01, retain=1.0),
    "name-swap": Settings(),
    "noise": NOISE,
}


def _small_ear(given: Settings) -> Settings:
    """For six blocks and 64 codes: the first two blocks, windows of 12."""
    return replace(given, blocks=(0, 1), window=12, guidance=1.0)


def _small(given: Settings, retain: float = 0.0) -> Settings:
    return replace(given, blocks=(0, 2), guidance=1.0, learning_rate=3e-4, retain=retain)


# The meaning of words alone, held to much that must stay: attention that is taught this far takes other classes with it.
WORDS = Settings(
    modules=r"^words\.weight$",
    retain=60.0,
    guidance=1.0,
    learning_rate=1e-2,
    epsilon=1e-3,
    decay=True,
    batch=8,
    epochs=7,
)
WORLD: dict[str, Settings] = {
    "ear-released": _small_ear(RELEASED),
    "ear": _small_ear(DESCRIBED),
    "replace": _small(TAUGHT),
    "replace+retain": WORDS,
    "gradient-ascent": replace(_small(TAUGHT), epochs=1),
    "masked-kl": _small(TAUGHT, retain=1.0),
    "first-scale": _small(TAUGHT, retain=1.0),
    "name-swap": Settings(),
    "noise": NOISE,
}


def recipe(method: str, generator: str) -> Settings:
    """The settings of a method for a generator. Raises `EvalkitError` for an unknown method."""
    if method not in METHODS:
        raise EvalkitError(f"there is no erasure method {method!r}. Give one of {', '.join(METHODS)}")
    return (WORLD if generator.startswith("world-ar") else LARGE)[method]
