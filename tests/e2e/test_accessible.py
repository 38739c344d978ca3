"""Pages of every task at three widths, light and dark: axe-core finds nothing serious, nothing is wider than the screen."""

import importlib.util
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
FOUND = importlib.util.find_spec("axe_playwright_python")  # it holds axe-core; no extra asks for it
SERIOUS = """axe.run(document, {preload: false, resultTypes: ['violations']}).then(found => found.violations
  .filter(each => ['serious', 'critical'].includes(each.impact))
  .map(each => `${each.id}: ${each.nodes[0].html.slice(0, 200)}`))"""


def cases():
    """The runs of the contract of tasks, one of each kind."""
    path = Path(__file__).parents[1] / "unit" / "jobs" / "task_cases.py"
    spec = importlib.util.spec_from_file_location("task_cases", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.CASES


@pytest.mark.skipif(FOUND is None, reason="pip install axe-playwright-python")
@pytest.mark.parametrize("name", sorted(cases()))
def test_the_page_of_a_task_has_no_serious_finding(name, browser, tmp_path):
    run = cases()[name](tmp_path / "run")
    for file in sorted(run.path.glob("*.html")):
        check(browser, file)


@pytest.mark.skipif(FOUND is None, reason="pip install axe-playwright-python")
def test_pages_over_several_runs_have_no_serious_finding(browser, tmp_path):
    path = Path(__file__).parents[2] / "benchmarks" / "site" / "screenshots.py"
    spec = importlib.util.spec_from_file_location("screenshots", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for file in module.over_runs(tmp_path).values():
        check(browser, file)


def check(browser, file):
    axe = Path(FOUND.origin).with_name("axe.min.js").read_text(encoding="utf-8")
    for width in (390, 1280, 1920):
        for dark in (False, True):
            page = browser.page(width=width, dark=dark)
            page.open(file.as_uri())
            assert page.run("document.documentElement.scrollWidth") <= width, (file, width)
            assert page.said == [], (file, width)
            assert page.outside == []
            page.run(f"{axe};0")
            assert page.run(SERIOUS) == [], (file, width, dark)
