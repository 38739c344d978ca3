import subprocess
import sys
from types import SimpleNamespace

import pytest

from evalkit import peak
from evalkit.peak import process_peak

MIB = 2**20
CHILD = "from evalkit.peak import process_peak; import sys; sys.stdout.write(str(process_peak()))"
OF_LARGE_PARENT = f"""
import subprocess, sys
held = b"x" * (400 * {MIB})
subprocess.run([sys.executable, "-c", {CHILD!r}], check=True)
"""
LARGE_CHILD = f"""
import subprocess, sys
from evalkit.peak import process_peak
subprocess.run([sys.executable, "-c", "held = b'x' * (400 * {MIB})"], check=True)
print(process_peak(), process_peak(children=True))
"""


def printed(script):
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return [int(word) / MIB for word in done.stdout.split()]


@pytest.mark.skipif(not peak.STATUS.exists(), reason="Linux tells the peak of a program alone")
def test_what_the_parent_holds_is_not_counted():
    assert printed(OF_LARGE_PARENT)[0] < 200


def test_memory_that_was_freed_stays_counted():
    script = f"from evalkit.peak import process_peak\nheld = b'x' * (300 * {MIB})\ndel held\nprint(process_peak())"
    assert 300 < printed(script)[0] < 600


def test_the_largest_child_counts_where_it_is_asked_for():
    own, largest = printed(LARGE_CHILD)
    assert own < 200
    assert 400 < largest < 700


@pytest.mark.parametrize(("platform", "peak_bytes"), [("darwin", 5), ("freebsd14", 5 * 1024)])
def test_systems_without_a_status_file_tell_it_in_their_own_units(monkeypatch, tmp_path, platform, peak_bytes):
    used = SimpleNamespace(RUSAGE_SELF=0, RUSAGE_CHILDREN=1, getrusage=lambda who: SimpleNamespace(ru_maxrss=5))
    monkeypatch.setattr(peak, "STATUS", tmp_path / "none")
    monkeypatch.setattr(peak.sys, "platform", platform)
    monkeypatch.setitem(sys.modules, "resource", used)
    assert process_peak() == peak_bytes


def test_a_system_that_tells_nothing_gives_none(monkeypatch, tmp_path):
    monkeypatch.setattr(peak, "STATUS", tmp_path / "none")
    monkeypatch.setitem(sys.modules, "resource", None)
    assert process_peak(children=True) is None
