import io
import sys
from types import SimpleNamespace

from evalkit.cli.every import Said
from evalkit.cli.progress import BarProgress, device_memory
from evalkit.cli.screen import Screen
from evalkit.jobs.timers import Timers


def fake(available, free=2**30, total=4 * 2**30):
    cuda = SimpleNamespace(is_available=lambda: available, mem_get_info=lambda: (free, total))
    return SimpleNamespace(cuda=cuda)


def test_device_memory_is_told_where_there_is_a_gpu(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", fake(True))
    assert device_memory() == "3.0 of 4 GiB"
    monkeypatch.setitem(sys.modules, "torch", fake(False))
    assert device_memory() == ""
    monkeypatch.delitem(sys.modules, "torch")
    assert device_memory() == ""


def test_the_bar_says_rate_bound_and_what_was_done_before(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", fake(True))
    bar, timers = BarProgress(), Timers()
    with timers("encode"):
        pass
    bar.start("model", 10)
    bar.advance(4, resumed=True)
    bar.advance(2, timers=timers)
    fields = bar.bar.tasks[0].fields
    assert "images/s" in fields["rate"]
    assert fields["bound"] == "bound by encode, 3.0 of 4 GiB"
    bar.finish()
    assert "4 samples are done already" in capsys.readouterr().err


def test_a_name_with_markup_is_shown_as_it_is_and_cannot_move_the_cursor(monkeypatch):
    bar = BarProgress()
    bar.console = Screen(file=io.StringIO(), terminal=True, width=120)
    bar.start("folder:a[/red]b [bold]\x1b[2J", 10)
    bar.advance(1)
    bar.bar.refresh()
    bar.finish()
    shown = bar.console.file.getvalue()
    assert "a[/red]b [bold]\\x1b[2J" in shown
    assert "\x1b[2J" not in shown


def plain(monkeypatch, **said):
    """A bar without a terminal, whose time goes by three seconds at each look."""
    clock = iter(range(0, 10_000, 3))
    monkeypatch.setattr("evalkit.cli.progress.time.perf_counter", lambda: float(next(clock)))
    bar = BarProgress()
    bar.said = Said(**said)
    bar.console = Screen(file=io.StringIO())
    return bar


def test_without_a_terminal_a_line_now_and_then_says_rate_and_time_left(monkeypatch):
    bar = plain(monkeypatch)
    bar.start("a model with a long name", 1000)
    for _ in range(6):
        bar.advance(50)
    bar.finish()
    lines = bar.console.file.getvalue().splitlines()
    assert 1 <= len(lines) < 6
    assert all("of 1,000" in line and "images/s" in line and line.endswith("left") for line in lines)
    assert lines[0].startswith("a model with a long name: 50 of")


def test_quiet_says_nothing_and_the_log_all(monkeypatch, tmp_path):
    with (tmp_path / "log").open("w") as file:
        bar = plain(monkeypatch, quiet=True, verbose=True, log=file)
        bar.start("m", 100)
        bar.advance(50)
        bar.spent({"encode": 1.5, "decode": 2.5})
        bar.note("something")
        bar.finish()
    assert bar.console.file.getvalue() == ""
    log = (tmp_path / "log").read_text()
    assert "something" in log
    assert "50 of 100" in log
    assert "seconds by stage: decode 2.5, encode 1.5" in log
