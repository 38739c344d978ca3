"""Ten thousand samples: what is not in sight does not exist; benchmarks/view.py measures how fluent that is."""

import numpy as np
import pytest

from evalkit.pages.view import write_view

N = 10_000


@pytest.fixture(scope="module")
def large(tmp_path_factory, make):
    home = tmp_path_factory.mktemp("large")
    rng = np.random.default_rng(0)
    columns = {"id": [f"{i:05d}" for i in range(N)], "prompt": [f"prompt number {i}" for i in range(N)]}
    columns["file"] = [f"images/{i % 50}.png" for i in range(N)]
    columns |= {f"score_{k}": rng.normal(size=N) for k in range(10)}
    run = make.run(home / "run", "large", N, columns)
    for i in range(50):
        make.image(run / "images" / f"{i}.png", i)
    return write_view([run], home / "view")


@pytest.mark.parametrize("look", ["gallery", "table"])
def test_of_ten_thousand_samples_only_those_in_sight_exist(large, show, look):
    tab = show(large, f"#look={look}")
    assert tab.count == "10,000 samples"
    for place in (0, 0.37, 1):
        tab.run(
            f"(() => {{ const s = document.getElementById('samples'); s.scrollTop = {place} * s.scrollHeight; }})()"
        )
        tab.wait("document.querySelectorAll('#canvas > *').length < 120 && document.querySelector('#canvas > *')")
    tab.wait("document.querySelector('[data-position=\"9999\"]')")
    assert tab.run("document.querySelector('[data-position=\"9999\"]').textContent").find("prompt number 9999") >= 0
    assert tab.run("document.querySelectorAll('#canvas img').length") < 120
    tab.choose("Search", "number 77")
    assert tab.count == f"{sum('77' in str(i) for i in range(N))} of 10,000 samples"


def test_lists_longer_than_a_browser_can_draw_reach_their_last_sample(large, show):
    tab = show(large)
    tab.run("(() => { view.List.MOST = 40000; })()")
    tab.choose("Size", "200")
    assert tab.run("document.getElementById('canvas').offsetHeight") == 40000
    tab.run("document.querySelector('.tile').focus()")
    tab.key("End")
    assert tab.run("document.activeElement.dataset.position") == "9999"
    tab.wait("document.activeElement.getBoundingClientRect().bottom <= innerHeight + 2")
    tab.run("document.activeElement.blur()")
    tab.run("(() => { const s = document.getElementById('samples'); s.scrollTop = s.scrollHeight / 2; })()")
    tab.wait("[...document.querySelectorAll('.tile')].some((t) => t.getBoundingClientRect().top < innerHeight / 2)")
    middle = tab.run("Math.min(...[...document.querySelectorAll('.tile')].map((t) => Number(t.dataset.position)))")
    assert 4000 < middle < 6000
