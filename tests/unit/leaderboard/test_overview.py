import re

import pytest

from evalkit.leaderboard.collect import collect
from evalkit.leaderboard.names import named
from evalkit.leaderboard.overview import overview


def seen(runs, *paths):
    return overview(named(runs.boards(*paths).boards), collect(paths).entrants)


@pytest.fixture
def three(runs, noise):
    """a and b are level in psnr and ahead of c; a is first in ssim."""

    def made(name, seed, psnr, ssim):
        values, others = noise(seed) + psnr, noise(seed + 5) + ssim
        rows = [runs.result(m, float(v.mean()), 60) for m, v in (("psnr", values), ("ssim", others))]
        return runs.run(name, values, columns={"ssim": others}, results=rows)

    return made("c", 3, -3.0, -3.0), made("a", 1, 0.0, 3.0), made("b", 2, 0.0, 0.0)


def test_a_star_stands_only_where_a_system_is_first(runs, three):
    found = seen(runs, *three)
    assert [column.metric for column in found.columns] == ["PSNR", "SSIM"]
    assert {row.entrant.name: row.cells for row in found.rows} == {
        "a": ("1–2", "1★"),
        "b": ("1–2", "2"),
        "c": ("3", "3"),
    }
    assert [row.entrant.name for row in found.rows] == ["a", "b", "c"]
    assert [row.answer for row in found.rows] == [
        "first on 1, maybe 1 more, of 2",
        "first on 0, maybe 1 more, of 2",
        "first on 0, of 2",
    ]
    assert found.sentence == "First at 95 % confidence, of 2 boards that systems share: a on 1."


def test_boards_of_one_system_are_not_in_the_overview(runs, noise):
    assert seen(runs, runs.run("a", noise(1))).columns == ()


def test_the_overview_is_the_first_thing_below_the_heading(runs, three, tmp_path):
    page = runs.make(tmp_path / "board", *three).path.read_text(encoding="utf-8")
    assert page.index('id="overview"') < page.index('id="tools"') < page.index('class="board"')
    cells = re.findall(r'<td data-f="0" data-l="(PSNR photos|SSIM photos)">(?:<b>)?([^<]+)', page)
    assert len(cells) == 6
    assert ("SSIM photos", "1★") in cells


def test_boards_stand_by_the_number_of_their_systems(runs, noise):
    paths = [runs.run(name, noise(seed), "ssim") for name, seed in (("a", 1), ("b", 2))]
    paths += [runs.run("c", noise(3))]
    assert [board.terms.metric for board in runs.boards(*paths).boards] == ["ssim", "psnr"]


def test_no_two_boards_have_one_name(runs, noise):
    paths = [
        runs.run("a", noise(1)),
        runs.run("b", noise(2)[:12]),
        runs.run("c", noise(3), record={"protocols": [{"id": "evalkit-1", "sha256": "0" * 64}]}),
        runs.run("d", noise(4), protocol="clean"),
        runs.run("e", noise(5), "ssim"),
    ]
    names = {board.name for board in named(runs.boards(*paths).boards)}
    assert names == {
        "PSNR on photos (clean)",
        "PSNR on photos (evalkit-1, n = 12)",
        "PSNR on photos (evalkit-1, n = 60, rules eeeeeeee)",
        "PSNR on photos (evalkit-1, n = 60, rules 00000000)",
        "SSIM on photos",
    }


def test_a_task_of_many_boards_is_shown_data_set_by_data_set(runs):
    for name in "ab":
        rows = [runs.result("psnr", float(i), 3, dataset=f"set-{i}") for i in range(14)]
        runs.bare(name, rows, record={"model": {"name": name}, "data": {}})
    found = seen(runs, *sorted(runs.place.iterdir()))
    assert found.families == tuple(f"Reconstruction, set-{i}" for i in sorted(range(14), key=str))
