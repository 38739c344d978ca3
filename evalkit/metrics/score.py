"""How the metrics of `evalkit score` are declared: of a set against a reference, or of an image for its prompt."""

from __future__ import annotations

from evalkit.metrics.metric import Direction, Level, Metric, View, everywhere

INCEPTION = "inception-v3-fid"
FIRST: frozenset[View] = frozenset({"headline"})


def declare_score(
    name: str,
    label: str,
    title: str,
    better: Direction,
    source: str,
    needs: tuple[str, ...] = (INCEPTION,),
    *,
    unit: str = "",
    low: float | None = 0.0,
    high: float | None = None,
    level: Level = "set",
    shown: frozenset[View] = FIRST,
) -> Metric:
    """A metric of the section `score`; which protocols take it is said by those of evalkit.protocols.score."""
    return Metric(
        name=name,
        label=label,
        title=title,
        unit=unit,
        better=better,
        low=low,
        high=high,
        source=source,
        level=level,
        task="score",
        needs=needs,
        under=everywhere,
        shown=shown,
    )
