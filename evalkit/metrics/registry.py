"""Every metric by name, in the order in which pages and tables list them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module

from evalkit.metrics.metric import Level, Metric
from evalkit.registry import Registry

# Modules with a tuple DECLARED of metrics, and a dict DECLARED_PATTERNS of names that hold a number.
MODULES = (
    "psnr",
    "ssim",
    "lpips",
    "frechet",
    "fid_infinity",
    "detail",
    "faces",
    "rate",
    "codes",
    "survival",
    "shift",
    "text_rates",
    "generation",
    "watermark",
)


class MetricRegistry(Registry[Metric]):
    """The registry of metrics: in the order of the table and of each module, then those of other packages."""

    def __init__(self) -> None:
        super().__init__("metric", self._fill_in, "evalkit.metrics")
        self._own: frozenset[str] = frozenset()

    def __iter__(self) -> Iterator[str]:
        self._load()
        own = [name for name in self._items if name in self._own]
        return iter([*own, *(name for name in self._items if name not in self._own)])

    def register(self, metric: Metric) -> Metric:
        """Add a metric of another package under its name; its module is named by an entry point in `evalkit.metrics`."""
        self.add(metric.name, metric)
        return metric

    def find(self, name: str) -> Metric | None:
        """The metric called `name`, None where nothing is known of it."""
        self._load()
        found = self._items.get(name)
        if found is not None:
            return found
        matches = ((make, pattern.fullmatch(name)) for pattern, make in self._patterns)
        return next((make(name, *match.groups()) for make, match in matches if match), None)

    def all(self) -> list[Metric]:
        """Every declaration, in order."""
        return [self._items[name] for name in self]

    def _fill_in(self) -> None:
        given, self._items = self._items, {}
        for module in (import_module(f"evalkit.metrics.{name}") for name in MODULES):
            for metric in module.DECLARED:
                self.add(metric.name, metric)
            patterns: dict[str, Callable[..., Metric]] = getattr(module, "DECLARED_PATTERNS", {})
            for pattern, make in patterns.items():
                self.add_pattern(pattern, make)
        self._own = frozenset(self._items)
        for name, metric in given.items():
            self.add(name, metric)


METRICS = MetricRegistry()


def of_level(level: Level) -> list[Metric]:
    """The metrics of single samples, of pairs, or of sets, in order."""
    return [metric for metric in METRICS.all() if metric.level == level]


def of_task(task: str) -> list[Metric]:
    """The metrics of one section of the results, in order."""
    return [metric for metric in METRICS.all() if metric.task == task]
