import csv

import pytest

from evalkit.leaderboard.reported import reported_on
from evalkit.systems import load_system


def made(runs, tmp_path, scope, model="gigatok-bl", metric="fid", task="distribution"):
    for name in (model, "other"):
        row = runs.result(metric, 2.0, 500, task=task, better="lower", low=1.0, high=3.0)
        runs.bare(name, [row])
    return runs.make(tmp_path / "board", reported=scope)


def test_figures_of_a_measured_model_stand_beside_it_with_what_keeps_them_apart(runs, tmp_path):
    board = made(runs, tmp_path, "measured")
    (stated,) = board.reported
    wanted = {number.value for number in load_system("gigatok").numbers if number.measure == "rfid"}
    assert {each.value for each in stated} >= wanted
    entrant = next(each.number for each in board.entrants if each.model == "gigatok-bl")
    assert {each.entrant for each in stated if each.name == "gigatok-bl"} == {entrant}
    assert {each.entrant for each in stated if each.name == "gigatok"} == {None}  # of other sizes
    assert len({each.value for each in stated}) == len(stated)
    assert all("here evalkit-1, 500 of photos" in each.apart for each in stated)
    assert all(each.setting and each.source for each in stated)


def test_reported_figures_are_never_ranked(runs, tmp_path):
    board = made(runs, tmp_path, "all")
    assert len(board.boards[0].entrants) == 2
    rows = list(csv.DictReader((tmp_path / "board/leaderboard.csv").open(encoding="utf-8")))
    reported = [row for row in rows if row["status"].startswith("reported")]
    assert len(reported) == len(board.reported[0]) > 8
    assert all(row["rank"] == "" for row in reported)
    assert 'class="diamond"' in (tmp_path / "board/index.html").read_text(encoding="utf-8")


def test_all_shows_systems_that_were_not_measured(runs, tmp_path):
    names = {each.name for each in made(runs, tmp_path, "all").reported[0] if each.entrant is None}
    assert len(names) >= 3


def test_the_protocol_that_a_number_was_reported_under_is_named(runs, tmp_path):
    stated = made(runs, tmp_path, "measured", model="llamagen-vq16").reported[0]
    said = [each.apart for each in stated if each.source == "LlamaGen README"]
    assert said
    assert any(text.startswith("reported under llamagen-2024; here evalkit-1") for text in said)


@pytest.mark.parametrize(("metric", "task"), [("bpp", "reconstruction"), ("fid", "generate")])
def test_other_metrics_and_other_tasks_have_no_reported_figures(runs, tmp_path, metric, task):
    board = made(runs, tmp_path, "all", model="nobody", metric=metric, task=task)
    assert board.reported == ((),)


def test_none_shows_none(runs, tmp_path):
    board = made(runs, tmp_path, "none")
    assert board.reported == ((),)
    assert reported_on(board.boards[0], board.entrants, "measured")
