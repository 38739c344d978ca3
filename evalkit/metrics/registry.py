"""Every metric by name, in the order in which pages and tables list them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module

from evalkit.metrics.metric import Level, Metric
from evalkit.registry import Registry, foreign_code

# Modules with a tuple DECLARED of metrics, and a dict DECLARED_PATTERNS of names that hold a number.
MODULES = (
    "psnr",
    "ssim",
    "lpips",
    "frechet",
    "fid_infinity",
    "spatial",
    "fvd",
    "inception_score",
    "kid",
    "prdc",
    "cmmd",
    "vendi",
    "efflite0",
    "per_class",
    "memorisation",
    "detail",
    "faces",
    "rate",
    "codes",
    "survival",
    "shift",
    "text_rates",
    "tokbench",
    "image_text",
    "niqe",
    "generation",
    "likelihood",
    "paired",
    "captions",
    "tsed",
    "probe",
    "decoder",
    "drift",
    "watermark",
    "erasure",
)


class MetricRegistry(Registry[Metric]):
    """The registry of metrics: in the order of the table and of each module, then those of other packages."""

    def __init__(self) -> None:
        super().__init__("metric", self._declare, "evalkit.metrics")
        self._own: list[str] = []
        self._numbered: dict[str, Callable[..., Metric]] = {}

    def __iter__(self) -> Iterator[str]:
        names = list(super().__iter__())
        own = dict.fromkeys(self._own)
        return iter([*own, *(name for name in names if name not in own)])

    @property
    def own(self) -> frozenset[str]:
        """Names that evalkit itself declares."""
        list(self)
        return frozenset(self._own)

    def register(self, metric: Metric) -> Metric:
        """Add a metric of another package under its name; its module is named by an entry point in `evalkit.metrics`."""
        self.add(metric.name, metric)
        return metric

    def get(self, name: str) -> Metric:
        """The metric called `name`; an unknown name is an error that proposes the nearest ones."""
        return self.find(name) or super().get(name)

    def find(self, name: str) -> Metric | None:
        """The metric called `name`, None where nothing is known of it."""
        names = () if self._own else list(self)
        if name in self._items:
            return self._items[name]
        return super().get(name) if name in (names or list(self)) else self._by_number(name)

    def all(self) -> list[Metric]:
        """Every declaration, in order."""
        return [self._items.get(name) or super(MetricRegistry, self).get(name) for name in self]

    def _by_number(self, name: str) -> Metric | None:
        matches = ((make, re.fullmatch(pattern, name)) for pattern, make in self._numbered.items())
        return next((make(name, *match.groups()) for make, match in matches if match), None)

    def _declare(self) -> None:
        for module in (import_module(f"evalkit.metrics.{name}") for name in MODULES):
            for metric in module.DECLARED:
                self._own.append(metric.name)
                self.add(metric.name, metric)
            self._numbered |= getattr(module, "DECLARED_PATTERNS", {})


METRICS = MetricRegistry()


def of_level(level: Level) -> list[Metric]:
    """The metrics of single samples, of pairs, or of sets, in order."""
    return [metric for metric in METRICS.all() if metric.level == level]


def foreign_metrics(tasks: Iterable[str]) -> dict[str, str | None]:
    """Metrics of `tasks` that other packages or scripts declare, each with the digest of its code."""
    codes = {metric.name: foreign_code(metric.compute) for task in sorted(tasks) for metric in of_task(task)}
    return {name: codes[name] for name in codes if name not in METRICS.own}


def of_task(task: str) -> list[Metric]:
    """The metrics of one section of the results, in order."""
    return [metric for metric in METRICS.all() if metric.task == task]
