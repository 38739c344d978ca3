"""Where verbs print: nothing is wrapped for a pipe, and a narrow terminal cuts no interval and no name."""

import io

import pytest
from rich.table import Table
from rich.text import Text

from evalkit.cli.screen import Screen

CELLS = [
    ("psnr dB ↑", "33.2\n31.5 to 35.0", "34.0\n32.7 to 35.6"),
    ("a-metric-with-a-name-that-is-long ↓", "0.00123\n0.000912 to 0.00171", "inf"),
    ("lpips_alex", "", "0.12"),
]
MODELS = ("a-model-with-a-long-name-1024", "another-model/of-somebody")


def table():
    made = Table(title="values, and their 95 % intervals below; more metrics in the report, or with --full")
    for heading in ("metric", *MODELS):
        made.add_column(heading, no_wrap=True)
    made.add_row(Text("sample/photos", style="bold"))
    for row in CELLS:
        made.add_row(*map(Text, row))
    return made


def shown(width, *, terminal=True):
    file = io.StringIO()
    Screen(file=file, width=width, terminal=terminal).print(table())
    return file.getvalue()


@pytest.mark.parametrize("width", [36, 60, 80, 200])
def test_no_width_cuts_an_interval_or_a_name(width):
    text = shown(width)
    assert "…" not in text
    for row in CELLS:
        for cell in row:
            for line in cell.split("\n"):
                assert line in text
    assert all(model in text for model in MODELS)


def test_a_wide_terminal_shows_a_table_and_a_narrow_one_rows_below_each_other():
    assert "─" in shown(200) or "━" in shown(200)
    narrow = shown(60)
    assert not set("─━│┃") & set(narrow)
    assert "sample/photos" in narrow.splitlines()[2]
    assert "34.0, 32.7 to 35.6" in narrow


def test_a_pipe_gets_whole_lines(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    file = io.StringIO()
    screen = Screen(file=file)
    screen.print(Text("word " * 100))
    assert len(file.getvalue().splitlines()) == 1
    screen.print(table())
    assert "values, and their 95 % intervals below; more metrics in the report, or with --full\n" in file.getvalue()
    assert any("33.2" in line and "34.0" in line for line in file.getvalue().splitlines())
