import hashlib
import json
import os
import re

import pytest

from evalkit.cli import group
from evalkit.errors import EvalkitError
from evalkit.pages.view import write_view
from evalkit.pages.view.facts import distinct

ROWS = [
    {"id": "a", "prompt": "red <b>", "file": "images/0.png", "error": None},
    {"id": "b", "prompt": "\u2028", "file": None, "error": "no"},
]
UNSAFE = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|fetch\(|XMLHttp"


def data_of(folder, name):
    text = (folder / "data" / name).read_text(encoding="ascii")
    return json.loads(re.fullmatch(r"view\.[a-z]+(?:\[\d+\])? = (.*);\n", text, re.S).group(1))


def digests(folder):
    files = sorted(each for each in folder.rglob("*") if each.is_file())
    return {str(f): (hashlib.sha256(f.read_bytes()).hexdigest(), f.stat().st_mtime_ns) for f in files}


def test_the_view_holds_columns_images_and_facts_of_each_run(make_run, draw, tmp_path):
    a, b = (
        make_run("a", ROWS),
        make_run("b", ROWS[:1], record={"model": {"name": "a", "weights_sha256": "ff"}, "seed": 0}),
    )
    draw(a / "images/0.png")
    (a / "report.html").write_text("")
    page = write_view([a, b], tmp_path / "runs" / "view")
    assert page == tmp_path / "runs" / "view" / "index.html"
    first, second = data_of(page.parent, "runs.js")
    assert [first["name"], second["name"]] == ["a (a)", "a (b)"]
    assert first["line"] == "colours, 2 samples"
    assert first["links"] == [
        ["record", "../a/record.json"],
        ["results", "../a/results.json"],
        ["report", "../a/report.html"],
    ]
    assert ["weights", "sha256 ff"] in second["terms"]
    assert ["seed", "0"] in second["terms"]
    data = data_of(page.parent, "0.js")
    assert [each["name"] for each in data["columns"]] == ["id", "prompt", "file", "error"]
    assert data["columns"][1]["values"] == ["red <b>", "\u2028"]
    assert data["pictures"] == [{"kind": "image", "base": "../a/images/", "files": ["0.png", None]}]
    assert data_of(page.parent, "1.js")["pictures"] == []


def test_writing_a_view_changes_nothing_in_a_run(make_run, draw, tmp_path):
    run = make_run("a", ROWS)
    draw(run / "images/0.png")
    before = digests(run)
    write_view([run], tmp_path / "runs" / "view")
    write_view([run], tmp_path / "copy", copy=True)
    assert digests(run) == before


def test_a_view_inside_a_run_or_over_something_else_is_refused(make_run, tmp_path):
    run = make_run("a", ROWS)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    (tmp_path / "file").write_text("precious")
    mine, file = tmp_path / "mine", tmp_path / "file"
    for folder, says in ((run / "view", "inside"), (run, "inside"), (mine, "not empty"), (file, "is a file")):
        with pytest.raises(EvalkitError, match=says):
            write_view([run], folder)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "precious"


def test_scored_images_that_are_nowhere_are_said(make_run, tmp_path):
    with pytest.raises(EvalkitError, match="gone is no folder; give as --images"):
        write_view([make_run("a", ROWS)], tmp_path / "view", images=tmp_path / "gone")


def test_an_earlier_view_is_replaced_whole(make_run, draw, tmp_path):
    a, b = make_run("a", ROWS), make_run("b", ROWS)
    draw(a / "images/0.png")
    out = tmp_path / "out"
    write_view([a, b], out, copy=True)
    write_view([b], out)
    assert sorted(each.name for each in (out / "data").iterdir()) == ["0.js", "runs.js"]
    assert not (out / "pictures").exists()


def test_the_same_runs_give_the_same_bytes(make_run, tmp_path):
    run = make_run("a", ROWS)
    pages = [write_view([run], tmp_path / "runs" / name).parent for name in ("v1", "v2")]
    first, second = ({f.relative_to(p): f.read_bytes() for f in p.rglob("*") if f.is_file()} for p in pages)
    assert first == second


def test_a_folder_that_cannot_be_written_is_said_with_what_to_give(make_run, tmp_path):
    run = make_run("a", ROWS)
    (tmp_path / "file").write_text("")
    with pytest.raises(EvalkitError, match="--out"):
        write_view([run], tmp_path / "file" / "view")


def test_records_that_lack_parts_are_no_obstacle(make_run, tmp_path):
    run = make_run("odd", ROWS, record={"model": None, "data": [], "protocols": None, "created": 7})
    page = write_view([run], tmp_path / "view")
    (facts,) = data_of(page.parent, "runs.js")
    assert facts["name"] == "odd"
    assert facts["line"] == "2 samples"


def test_the_policy_lets_nothing_in_from_a_network(make_run, tmp_path):
    text = write_view([make_run("a", ROWS)], tmp_path / "view").read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text).group(1)
    assert "default-src 'none'" in policy
    assert not re.search(r"https?:|\*|unsafe|connect-src", policy)
    for script in (tmp_path / "view" / "scripts").iterdir():
        assert not re.search(UNSAFE, script.read_text())


def test_only_equal_names_get_their_folder():
    assert distinct(["a", "a", "b"], ["x", "y", "z"]) == ["a (x)", "a (y)", "b"]


def invoke(*arguments):
    from click.testing import CliRunner

    return CliRunner().invoke(group, ["view", *map(str, arguments)], catch_exceptions=True)


def test_the_command_says_where_the_page_is_and_what_it_left_out(make_run, tmp_path):
    make_run("a", ROWS)
    (tmp_path / "runs" / "half").mkdir()
    (tmp_path / "runs" / "half" / "plan.json").write_text("{}")
    done = invoke(tmp_path / "runs", "--no-open")
    assert done.exit_code == 0
    page = re.search(r"view of 1 run: (\S+)", done.stdout).group(1)
    assert os.path.exists(page)
    assert "half" in done.stderr
    said = json.loads(invoke(tmp_path / "runs" / "a", "--no-open", "--json", "--out", tmp_path / "o").stdout)
    assert said == {"page": str(tmp_path / "o" / "index.html"), "runs": [str(tmp_path / "runs" / "a")]}


def test_the_browser_opens_only_where_there_is_a_screen(make_run, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    run = make_run("a", ROWS)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    assert invoke(run).exit_code == 0
    assert opened == []
    monkeypatch.setenv("DISPLAY", ":0")
    assert invoke(run).exit_code == 0
    assert invoke(run, "--no-open").exit_code == 0
    assert len(opened) == 1
    assert opened[0].startswith("file://")
    assert opened[0].endswith("/index.html")
