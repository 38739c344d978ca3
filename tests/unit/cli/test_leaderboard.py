"""The verb: what it prints, what it refuses, and its exit codes."""

import json

import pytest

from evalkit.jsonio import pretty_json

from .conftest import write_run


def test_a_folder_of_runs_is_ranked_and_the_page_named(run, two, tmp_path):
    code, out, err = run("leaderboard", two, "--out", tmp_path / "board")
    assert (code, err) == (0, "")
    assert "a is first at 95 % confidence" in out
    assert "paired by sample" in out
    assert (tmp_path / "board" / "index.html").is_file()


def test_json_is_the_file(run, two, tmp_path):
    code, out, _ = run("leaderboard", two, "--out", tmp_path / "board", "--json")
    assert code == 0
    assert json.loads(out) == json.loads((tmp_path / "board" / "leaderboard.json").read_bytes())


def test_a_mixture_is_refused_and_the_message_says_what_differs(run, tmp_path):
    write_run(tmp_path / "a", "a", [1.0, 2.0, 3.0])
    write_run(tmp_path / "b", "b", [1.0, 2.0], protocol="vtbench-2025")
    code, _, err = run("leaderboard", tmp_path / "a", tmp_path / "b", "--out", tmp_path / "board")
    assert code == 2
    assert "no two of these 2 runs can be ranked together" in err
    assert "protocol evalkit-1 and vtbench-2025" in err
    assert "n 3 and 2" in err
    assert "Traceback" not in err


def test_explain_names_every_pair_that_is_apart(run, two, tmp_path):
    write_run(two / "c", "c", [1.0, 2.0, 3.0])
    code, out, _ = run("leaderboard", two, "--out", tmp_path / "board", "--explain")
    assert code == 0
    flat = " ".join(out.split())
    assert "not ranked together in PSNR: they differ in n" in flat
    code, out, _ = run("leaderboard", two / "a", two / "b", "--out", tmp_path / "board", "--explain")
    assert "all runs that measured the same thing are ranked together" in out


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda place: None, "is not there"),
        (lambda place: (place.mkdir(), (place / "plan.json").write_text("{}")), "unfinished"),
        (lambda place: place.mkdir(), "holds no finished run"),
    ],
)
def test_what_is_no_sealed_run_is_one_sentence(run, tmp_path, make, message):
    make(tmp_path / "run")
    code, _, err = run("leaderboard", tmp_path / "run", "--out", tmp_path / "board")
    assert code == 2
    assert message in err
    assert err.count("\n") == 1


def test_an_unfinished_run_beside_finished_ones_is_named(run, two, tmp_path):
    (two / "c").mkdir()
    (two / "c" / "plan.json").write_text("{}")
    code, _, err = run("leaderboard", two, "--out", tmp_path / "board")
    assert code == 0
    assert f"left out, unfinished: {two / 'c'}" in err


def test_names_that_would_act_are_shown(run, tmp_path):
    write_run(tmp_path / "a", "\x1b[31mred\u202e", [1.0, 2.0, 3.0])
    code, out, _ = run("leaderboard", tmp_path / "a", "--out", tmp_path / "board")
    assert code == 0
    assert "\\x1b[31mred\\u202e" in out


def test_many_boards_are_cut_short_in_the_terminal(run, tmp_path):
    folder = write_run(tmp_path / "a", "a", [1.0, 2.0, 3.0])
    rows = json.loads((folder / "results.json").read_bytes())
    many = [rows[0] | {"dataset": f"set-{i}"} for i in range(30)]
    (folder / "results.json").write_bytes(pretty_json(many))
    record = json.loads((folder / "record.json").read_bytes())
    (folder / "record.json").write_bytes(pretty_json(record | {"files": {}}))
    code, out, _ = run("leaderboard", folder, "--out", tmp_path / "board")
    assert code == 0
    assert "and 13 more boards, on the page" in out


def test_a_long_table_is_cut_short_in_the_terminal(run, tmp_path):
    for i in range(15):
        write_run(tmp_path / "runs" / f"m{i:02d}", f"m{i:02d}", [float(j + i) for j in range(10)])
    code, out, _ = run("leaderboard", tmp_path / "runs", "--out", tmp_path / "board")
    assert code == 0
    assert "3 more, on the page" in out


def test_runs_of_one_name_are_one_system_and_one_row_of_the_papers_table(run, tmp_path):
    write_run(tmp_path / "fid", "images", [1.0, 2.0, 3.0])
    write_run(tmp_path / "geneval", "images", [1.0, 0.0, 1.0], metric="ssim")
    code, _, err = run("leaderboard", tmp_path / "fid", tmp_path / "geneval", "--out", tmp_path / "board")
    assert code == 2
    assert "--name NAME=RUN for each" in err
    named = [f"--name=ours={tmp_path / each}" for each in ("fid", "geneval")]
    code, _, err = run("leaderboard", tmp_path / "fid", tmp_path / "geneval", *named, "--out", tmp_path / "board")
    assert code == 0, err
    table = (tmp_path / "board" / "table.tex").read_text("utf-8")
    assert table.count("\nours & ") == 1
    assert "<h1>1 system on 2 boards</h1>" in (tmp_path / "board" / "index.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "message"), [("ours", "type --name NAME=RUN"), ("ours={other}", "is none of the runs here")]
)
def test_a_name_says_of_which_run_it_is(run, two, tmp_path, name, message):
    other = write_run(tmp_path / "elsewhere", "c", [1.0, 2.0, 3.0])
    del other
    given = name.format(other=tmp_path / "elsewhere")
    code, _, err = run("leaderboard", two, f"--name={given}", "--out", tmp_path / "board")
    assert code == 2
    assert message in err


def test_two_runs_on_one_board_need_two_names(run, two, tmp_path):
    code, _, err = run("leaderboard", two, f"--name=same={two}", "--out", tmp_path / "board")
    assert code == 2
    assert "are both called same" in err
