"""A probe's page in a real browser, opened from disk: filters without a script, keyboard, a phone's width, no network."""

import pytest
from helpers.drawn import drawn

from evalkit.jobs.options import RunOptions
from evalkit.tasks.probe import probe

SEEN = "[...document.querySelectorAll('.found > li')].filter(each => each.offsetParent !== null)"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("probe")
    options = RunOptions(out=folder / "run", limit=48, device="cpu")
    run = probe("world", drawn(folder / "images", 48, moved=18), options=options)
    return (run.path / "report.html").as_uri()


def test_filters_by_task_and_reason_work_together_without_a_script(browser, address):
    page = browser.page()
    page.open(address)
    every = page.run(f"{SEEN}.length")
    page.run("document.querySelector('label[for=task-2]').click()")
    assert page.run(f"{SEEN}.every(each => each.classList.contains('task-2'))")
    page.run("document.querySelector('label[for=why-missing]').click()")
    assert page.run(f"{SEEN}.every(each => each.matches('.task-2.why-missing'))")
    assert 0 < page.run(f"{SEEN}.length") < every
    page.run("document.getElementById('why-missing').focus()")
    page.key("ArrowLeft")
    assert page.run("document.getElementById('why-wrong').checked")
    assert page.said == []
    assert page.outside == []


def test_nothing_is_wider_than_a_phone(browser, address):
    page = browser.page(width=390)
    page.open(address)
    assert page.run("document.documentElement.scrollWidth") <= 390
    box = "document.querySelector('.boxes').getBoundingClientRect()"
    image = "document.querySelector('.seen img').getBoundingClientRect()"
    assert page.run(f"Math.abs({box}.width - {image}.width) < 1 && Math.abs({box}.top - {image}.top) < 1")
    assert page.run("getComputedStyle(document.querySelector('.boxes rect')).strokeWidth") == "2.5px"
