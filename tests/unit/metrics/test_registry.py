"""What holds for every declared metric, and how the registry finds them."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

from evalkit.errors import EvalkitError
from evalkit.metrics.metric import Metric
from evalkit.metrics.registry import METRICS, MODULES, MetricRegistry, of_level, of_task
from evalkit.tasks.tokenizer.rows import schema

ALL = METRICS.all()


def made_up(name="made_up", **more):
    told = {"label": name, "title": name, "unit": "", "better": "higher", "low": None, "high": None}
    return Metric(name=name, source="test", level="pair", task="reconstruction", **(told | more))


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.name)
def test_a_declaration_says_everything_that_a_reader_asks(metric):
    assert METRICS.get(metric.name) is METRICS.find(metric.name) is metric
    assert metric.label
    assert metric.title
    assert metric.source
    assert metric.better in ("higher", "lower", "none")
    assert metric.low is None or metric.high is None or metric.low < metric.high
    assert metric.better != "none" or not metric.shown
    assert {column.name for column in metric.columns} <= set(schema().names)
    if metric.level == "pair":
        assert metric.compute is not None
        assert metric.columns
    assert metric.as_dict()["columns"] == [column.name for column in metric.columns]


def test_labels_tell_metrics_apart():
    labels = [metric.label for metric in ALL]
    assert len(set(labels)) == len(labels)


def test_the_order_is_that_of_the_table_and_of_each_module():
    names = list(METRICS)
    assert names[:6] == ["psnr", "mse", "images_exact", "psnr_pooled", "ssim", "ms_ssim"]
    assert [metric.name for metric in of_task("codes")] == ["codes_used", "code_perplexity"]
    assert [metric.name for metric in of_level("sample")][:2] == ["bpp", "survival_exact"]


def test_a_name_with_a_number_is_found_by_its_pattern():
    found = METRICS.find("discoveries_fdr_0.01")
    assert found.better == "none"
    assert "0.01" in found.title
    assert METRICS.find("nothing_of_the_kind") is None


def test_a_metric_of_another_package_comes_last_and_is_named_once():
    registry = MetricRegistry()
    registry.register(made_up())
    assert list(registry) == [*METRICS, "made_up"]
    assert registry.find("made_up").label == "made_up"
    with pytest.raises(ValueError, match="registered twice"):
        registry.register(made_up())


def test_entry_points_of_other_packages_are_loaded(monkeypatch, tmp_path):
    source = """
        from evalkit.metrics.metric import Metric
        import test_registry
        def add(): test_registry.TARGET.register(test_registry.made_up("from_outside"))
        add()
    """
    (tmp_path / "outside_metric.py").write_text("\n".join(line.strip() for line in source.splitlines()))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "test_registry", sys.modules[__name__])
    registry = MetricRegistry()
    monkeypatch.setattr(sys.modules[__name__], "TARGET", registry, raising=False)
    point = importlib.metadata.EntryPoint("from_outside", "outside_metric", "evalkit.metrics")
    monkeypatch.setattr("evalkit.registry.entry_points", lambda group: [point] if group == "evalkit.metrics" else [])
    assert list(registry)[-1] == "from_outside"
    assert registry.find("from_outside").label == "from_outside"


@pytest.mark.parametrize("wrong", [{"better": "up"}, {"better": ""}])
def test_a_direction_that_is_none_of_three_is_refused(wrong):
    with pytest.raises(EvalkitError, match="give higher, lower or none"):
        made_up(**wrong)


def test_reading_the_registry_loads_no_entry_and_its_entries_load_nothing_heavy():
    told = (
        "import sys, evalkit.metrics.registry as r; before = [m for m in sys.modules if m.startswith('evalkit.metrics.')];"
        "list(r.METRICS); print(before, [m for m in ('torch', 'scipy.stats', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    before, heavy = done.stdout.strip().split("] [")
    assert heavy == "]"
    assert not {f"evalkit.metrics.{name}" for name in MODULES} & set(before.strip("[").replace("'", "").split(", "))


def test_the_example_of_the_contributing_page_is_a_metric(monkeypatch):
    text = (Path(__file__).parents[3] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    source = text.partition("## A metric in")[2].partition("```python\n")[2].partition("```")[0]
    assert source.count("\n") <= 32
    list(METRICS)
    monkeypatch.setattr(METRICS, "_items", dict(METRICS._items))
    exec(compile(source, "CONTRIBUTING.md", "exec"), {"__name__": "outside"})
    assert METRICS.get("contrast").better == "higher"
    assert "contrast" in schema().names
