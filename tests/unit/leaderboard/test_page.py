import json
import re

import numpy as np
import pytest
from PIL import Image

from evalkit.errors import EvalkitError
from evalkit.leaderboard import make_leaderboard, render
from evalkit.leaderboard.plot import Axis, axis_of, interval_svg


def script(path):
    """What a data script assigns."""
    text = path.read_text(encoding="ascii")
    return json.loads(text[text.index("= ") + 2 :].rstrip().removesuffix(";"))


def page_of(made):
    return made.path.read_text(encoding="utf-8")


def test_the_page_reads_without_scripts_and_links_each_record(runs, noise, tmp_path):
    runs.run("a", noise(1) + 0.3, row={"low": 24.0, "high": 26.0})
    runs.run("b", noise(2))
    page = page_of(runs.make(tmp_path / "board"))
    rows = re.findall(r'<tr data-run="(\d)"(.*?)>.*?</tr>', page, re.S)
    assert rows == [("0", ""), ("1", ' class="new-tier"')]
    assert page.count('href="../runs/a/record.json"') == 1
    assert "a is first at 95 % confidence" in page
    assert "24.00 to 26.00" in page


def test_nothing_on_the_page_points_at_a_network(runs, noise, tmp_path):
    runs.run("a", noise(1))
    page = page_of(runs.make(tmp_path / "board", reported="all"))
    assert "default-src 'none'" in page
    assert not re.search(r"""(src|href)=["'](https?:)?//""", page)


def test_boards_beyond_the_room_are_loaded_later(runs, noise, tmp_path, monkeypatch):
    for name, seed in (("a", 1), ("b", 2)):
        rows = [runs.result(metric, 1.0, 3) for metric in ("psnr", "ssim", "ms_ssim")]
        runs.bare(name, rows, record={"model": {"name": f"{name}{seed}"}})
    monkeypatch.setattr(render, "INLINE", 6000)
    made = runs.make(tmp_path / "board")
    page = page_of(made)
    later = [board.terms.digest for board in made.boards if f'data-src="data/b-{board.terms.digest}.js"' in page]
    assert 0 < len(later) < 3
    for digest in later:
        html = script(tmp_path / "board" / "data" / f"b-{digest}.js")
        assert 'data-run="1"' in html
        assert f'data-board="{digest}"' in html


def test_the_worst_and_best_samples_are_there_with_their_images(runs, tmp_path):
    values = np.arange(40.0)
    path = runs.run("a", values)
    (path / "images").mkdir()
    for kind in ("original", "reconstruction"):
        Image.new("RGB", (8, 8)).save(path / "images" / f"w-{kind}.png")
    entry = {"id": "s000", "protocol": "evalkit-1", "original": "images/w-original.png", "scores": {}}
    entry |= {"reconstruction": "images/w-reconstruction.png", "kind": "worst", "rank": 1}
    (path / "images" / "index.json").write_text(json.dumps([entry]))
    made = runs.make(tmp_path / "board", path)
    told = script(tmp_path / "board" / "data" / "run-0.js")
    samples = told["samples"][made.boards[0].terms.digest]
    assert [each["id"] for each in samples if each["end"] == "worst"] == [f"s{i:03d}" for i in range(12)]
    assert [each["id"] for each in samples if each["end"] == "best"] == [f"s{i:03d}" for i in range(39, 33, -1)]
    assert samples[0]["pictures"]["original"] == "../runs/a/images/w-original.png"
    assert ["record", "../runs/a/record.json"] in told["links"]
    runs.make(tmp_path / "moved", path, copy=True)
    samples = script(tmp_path / "moved" / "data" / "run-0.js")["samples"][made.boards[0].terms.digest]
    assert (tmp_path / "moved" / samples[0]["pictures"]["original"]).is_file()


def test_the_errors_of_all_differences_are_there(runs, noise, tmp_path):
    for i in range(4):
        runs.run(f"m{i}", noise(i))
    made = runs.make(tmp_path / "board")
    (board,) = made.boards
    pairs = script(tmp_path / "board" / "data" / f"pairs-{board.terms.digest}.js")
    assert pairs["entrants"] == list(board.entrants)
    assert len(pairs["errors"]) == 6
    assert pairs["errors"][1] == pytest.approx(board.order.errors[0, 2], rel=1e-3)
    assert pairs["errors"][5] == pytest.approx(board.order.errors[2, 3], rel=1e-3)


def test_prompts_are_shown_with_the_samples(runs, tmp_path):
    prompts = [f"a cat, {i}" for i in range(3)]
    path = runs.run("a", [1.0, 0.0, 1.0], "correct", columns={"prompt": prompts})
    made = runs.make(tmp_path / "board", path)
    samples = script(tmp_path / "board" / "data" / "run-0.js")["samples"][made.boards[0].terms.digest]
    assert samples[0]["prompt"] == "a cat, 1"


def test_an_earlier_board_is_replaced_and_nothing_else_is(runs, noise, tmp_path):
    path = runs.run("a", noise(1))
    out = tmp_path / "board"
    runs.make(out, path)
    (out / "data" / "old.js").write_text("")
    runs.make(out, path)
    assert not (out / "data" / "old.js").exists()
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("mine")
    with pytest.raises(EvalkitError, match="holds no earlier leaderboard"):
        runs.make(other, path)
    (other / "leaderboard.json").write_text('{"mine": 1}')
    with pytest.raises(EvalkitError, match="holds no earlier leaderboard"):
        runs.make(other, path)
    with pytest.raises(EvalkitError, match="lies inside the run"):
        runs.make(path / "board", path)
    with pytest.raises(EvalkitError, match="is a file"):
        runs.make(other / "thesis.tex", path)


def test_no_runs_and_no_numbers_are_one_sentence(runs, noise, tmp_path):
    with pytest.raises(EvalkitError, match="no run was given"):
        make_leaderboard([], tmp_path / "board")
    path = runs.run("a", noise(1))
    with pytest.raises(EvalkitError, match="no number of fid"):
        runs.make(tmp_path / "board", path, metrics=("fid",))


def test_reported_marks_far_away_become_arrows_at_the_edge():
    axis = axis_of([1.0, 2.0], [0.5, 900.0])
    assert axis == Axis(0.5, 2.0)
    drawn = interval_svg(axis, 1.5, 1.2, 1.8, [900.0, 0.5])
    assert drawn.count('class="hollow"') == 2
    assert drawn.count("l6 6") == 1
    assert "reported: 900" in drawn


@pytest.mark.parametrize("values", [[], [1.0, 1.0], [float("inf")], [None]])
def test_any_values_give_a_drawing(values):
    axis = axis_of(values, [])
    for value in (1.0, float("inf"), float("-inf"), None):
        drawn = interval_svg(axis, value, None, None, [])
        assert drawn.startswith("<svg")
        assert "nan" not in drawn
