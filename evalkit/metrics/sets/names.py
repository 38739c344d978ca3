"""Names of the metrics that one scoring takes: groups, defaults, and which of them need a reference or prompts."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from evalkit.errors import EvalkitError
from evalkit.metrics.image_text import AESTHETIC, AESTHETIC_V1
from evalkit.metrics.metric import Metric
from evalkit.metrics.niqe import LUMA
from evalkit.metrics.registry import METRICS, of_task
from evalkit.metrics.sets.composition import ALONE, HEADS
from evalkit.protocols.score import ScoreProtocol

_BALLS = ("precision", "recall", "density", "coverage")
GROUPS: Mapping[str, tuple[str, ...]] = {
    "prdc": _BALLS,
    "prdc_efflite0": tuple(f"{name}_efflite0" for name in _BALLS),
}
USUAL = ("fid", "is", "kid", "fvd", *_BALLS, "fd_efflite0", "kid_efflite0", *GROUPS["prdc_efflite0"])
NO_PROMPT = frozenset({AESTHETIC.name, AESTHETIC_V1.name, *LUMA})


def image_metrics() -> list[Metric]:
    """The scores of single images, in order."""
    return [metric for metric in of_task("score") if metric.level == "sample"]


def chosen_metrics(given: Sequence[str], protocol: ScoreProtocol, *, reference: bool) -> tuple[str, ...]:
    """The metrics that `given` names, each once; by default the usual ones of the protocol.

    A group is those of its metrics that the protocol defines, or all of them where it defines none.

    Raises where a name is unknown, the protocol does not define it, or it needs a reference and there is none.
    """
    if not given:
        return tuple(name for name in USUAL if name in protocol.metrics and (reference or name in ALONE))
    names = tuple(dict.fromkeys(name for each in given for name in _members(each, protocol)))
    alike = [metric.name for metric in image_metrics()]
    for name in names:
        if name not in HEADS and name not in alike:
            raise _unknown(name, [*HEADS, *GROUPS, *alike])
        if name in HEADS:
            protocol.check(name)
        elif protocol.clips is not None:
            raise EvalkitError(f"{METRICS.get(name).label} looks at images, and {protocol.id} at videos. Leave it out.")
        if name in HEADS and name not in ALONE and not reference:
            raise EvalkitError(
                f"{METRICS.get(name).label} compares two sets, and there is no reference. Give --reference FOLDER|NPZ."
            )
    return names


def _members(name: str, protocol: ScoreProtocol) -> tuple[str, ...]:
    """The metrics behind the name of a group or of a metric."""
    every = GROUPS.get(name, (name,))
    return tuple(each for each in every if each in protocol.metrics) or every


def set_metrics(names: Sequence[str]) -> tuple[str, ...]:
    """Those that are of a whole set."""
    return tuple(name for name in names if name in HEADS)


def prompted(names: Sequence[str]) -> tuple[str, ...]:
    """Those that look at the prompts.

    >>> prompted(["clipscore", "aesthetic_v2", "fid"])
    ('clipscore',)
    """
    return tuple(name for name in names if name not in HEADS and name not in NO_PROMPT)


def needs_reference(names: Sequence[str]) -> bool:
    """Whether one of them compares with a reference."""
    return any(name in HEADS and name not in ALONE for name in names)


def _unknown(name: str, known: Sequence[str]) -> EvalkitError:
    if name == "vqascore":
        return EvalkitError("VQAScore asks a vision-language model. Type evalkit probe vqascore --images DATA")
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"Use some of {', '.join(known)}."
    return EvalkitError(f"There is no metric of `evalkit score` called {name!r}. {hint}")
