"""One declaration per metric: the only home of its name, label, unit, direction, range, source, columns and maths."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from evalkit.arrow import numbers
from evalkit.errors import EvalkitError
from evalkit.metrics.base import Estimate
from evalkit.metrics.sums import OWN_MEAN, BySample
from evalkit.protocols import Protocol

Direction = Literal["higher", "lower", "none"]
Level = Literal["sample", "pair", "set"]
View = Literal["headline", "spread", "plane", "kept", "full"]
Features = npt.NDArray[Any]
Pairs = Callable[[], Iterable[tuple[Features, Features]]]


class NotMeasured(EvalkitError):
    """An aggregation that gives no number; the message is the reason that the result row states."""


@dataclass(frozen=True)
class Pair:
    """An original and its reconstruction, uint8 [H, W, 3] of one shape, as `protocol` compares them.

    `truth` is the text that the image is known to show. `evidence` holds, per needed encoder, what it found in the pair:
    a distance, (text of the original, text of the reconstruction), `metrics.faces.FacesSeen`, or two feature vectors.
    """

    original: npt.NDArray[Any]
    reconstruction: npt.NDArray[Any]
    protocol: Protocol
    truth: str | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Parts:
    """What one number is aggregated from: plain tables and arrays, no store and no model.

    `rows` are the good samples it speaks of. `features` gives, per encoder, the chunks (x, y) of [k, d] of originals and
    reconstructions. `counts` [vocabulary] says how often each code occurs. `seed` is that of resampling. `range`: what a
    sample's value cannot pass (None: unbounded). `memo` holds what several aggregations share.
    """

    rows: pa.Table
    protocol: Protocol
    seed: int = 0
    features: Mapping[str, Pairs] = field(default_factory=dict)
    counts: npt.NDArray[Any] | None = None
    range: tuple[float | None, float | None] = (None, None)
    memo: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def column(self, name: str) -> npt.NDArray[np.float64]:
        """A column of the rows as float64 [n]; nan where a sample has no value."""
        return numbers(self.rows[name])

    def empty(self, name: str) -> bool:
        """Whether no sample has a value in this column."""
        return bool(self.rows[name].null_count == self.rows.num_rows)


def everywhere(protocol: Protocol) -> bool:
    """Every protocol takes the metric."""
    return True


def own_protocol(protocol: Protocol) -> bool:
    """The default protocol takes the metric; the others re-make papers, which have no such numbers."""
    return protocol.id == "evalkit-1"


def all_images(task: str | None) -> bool:
    """The metric speaks of every image, whatever `task` the data names for it."""
    return True


@dataclass(frozen=True)
class Metric:
    """Everything known of one metric.

    - `label` is its usual name on a page, `title` what it is in words, `low` and `high` its range (None: unbounded).
    - `better` is `none` for counts, which are never ranked. `family` joins metrics that answer one question.
    - `level`: `sample` needs the model's codes, `pair` two images, `set` the whole set.
    - `task` is the section of the results; `under` says which protocols take it, `images` of which images it speaks.
    - `needs` are ids of encoders: availability, record and comparability follow from them.
    - `columns` are those of samples.parquet that it fills or is aggregated from.
    - `compute` gives the columns of one pair; metrics that share a function share one call. None: the task fills them.
    - `aggregate` gives the number, None where the data has nothing to say, or raises `NotMeasured`. Without it the metric
      is a column only, or the task that owns it aggregates.
    - `by_sample` says how the number is a function of sums over samples, which paired comparisons need.
    - `shown` are the views that list it: `headline`, `spread` over images, `plane` against rate, `kept` images, and `full`
      for those that short tables leave out.
    """

    name: str
    label: str
    title: str
    better: Direction
    level: Level
    task: str
    source: str = "definition"
    unit: str = ""
    low: float | None = None
    high: float | None = None
    needs: tuple[str, ...] = ()
    columns: tuple[pa.Field, ...] = ()
    compute: Callable[[Pair], Mapping[str, Any]] | None = None
    aggregate: Callable[[Parts], Estimate | None] | None = None
    under: Callable[[Protocol], bool] = own_protocol
    images: Callable[[str | None], bool] = all_images
    by_sample: BySample = OWN_MEAN
    family: str = ""
    shown: frozenset[View] = frozenset({"spread"})

    def __post_init__(self) -> None:
        if self.better not in ("higher", "lower", "none"):
            raise EvalkitError(f"the metric {self.name} has the direction {self.better!r}; give higher, lower or none")
        if self.level not in ("sample", "pair", "set"):
            raise EvalkitError(f"the metric {self.name} has the level {self.level!r}; give sample, pair or set")

    def as_dict(self) -> dict[str, Any]:
        """What can be said in JSON."""
        plain = ("name", "label", "title", "unit", "better", "low", "high", "source", "level", "task", "needs")
        return {**{key: getattr(self, key) for key in plain}, "columns": [each.name for each in self.columns]}


def floats(*names: str) -> tuple[pa.Field, ...]:
    """Columns of 64-bit floats."""
    return tuple(pa.field(name, pa.float64()) for name in names)
