import io
import sys
from types import SimpleNamespace

from rich.console import Console

from evalkit.cli.progress import BarProgress, device_memory
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
    bar.console = Console(file=io.StringIO(), force_terminal=True, width=120)
    bar.start("folder:a[/red]b [bold]\x1b[2J", 10)
    bar.advance(1)
    bar.bar.refresh()
    bar.finish()
    shown = bar.console.file.getvalue()
    assert "a[/red]b [bold]\\x1b[2J" in shown
    assert "\x1b[2J" not in shown
