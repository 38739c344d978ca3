"""Programs of others: bounded, ended with all that they started, and each with its own last words."""

import os
import subprocess
import sys
import time

import pytest

from evalkit.generators import program as module
from evalkit.generators.base import Failed, Image, Request
from evalkit.generators.program import Ended, Log, Program
from evalkit.generators.registry import load_generator

IMAGE = """
import base64, io, json, os, subprocess, sys, time
from PIL import Image
buffer = io.BytesIO(); Image.new("RGB", (4, 4), 7).save(buffer, "PNG")
data = base64.b64encode(buffer.getvalue()).decode()
def answer(request):
    print(json.dumps({"id": request["id"], "image_base64": data}), flush=True)
"""


def python(source):
    return [sys.executable, "-c", source]


def running(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:  # a zombie is over
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pid, seconds=5):
    end = time.monotonic() + seconds
    while running(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not running(pid)


def a_child(tmp_path, rest):
    child = "import time; time.sleep(60)"
    return python(
        f"import subprocess, sys, os\nchild = subprocess.Popen([sys.executable, '-c', {child!r}])\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid))\n{rest}"
    )


def pid_of(tmp_path):
    end = time.monotonic() + 20
    while not ((tmp_path / "pid").exists() and (tmp_path / "pid").read_text()) and time.monotonic() < end:
        time.sleep(0.02)
    return int((tmp_path / "pid").read_text())


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="asks /proc")
class TestChildren:
    def test_a_dead_program_is_noticed_though_its_child_keeps_the_output_open(self, tmp_path):
        made = Program(a_child(tmp_path, "print('bye', file=sys.stderr, flush=True); os._exit(7)"))
        began = time.monotonic()
        with pytest.raises(Ended):
            made.line(30)
        assert "ended with code 7; its last words: bye" in made.end()
        assert time.monotonic() - began < 10
        assert gone(pid_of(tmp_path))

    def test_closing_ends_the_children_of_a_program_that_ends_itself(self, tmp_path):
        made = Program(a_child(tmp_path, "sys.stdin.read()"))
        child = pid_of(tmp_path)
        assert running(child)
        made.close()
        assert not made.alive
        assert gone(child)

    def test_killing_ends_the_children_of_a_program_that_hangs(self, tmp_path):
        made = Program(a_child(tmp_path, "import time; time.sleep(60)"))
        child = pid_of(tmp_path)
        made.kill()
        assert gone(child)


def test_a_line_without_an_end_is_bounded(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "LONGEST_REPLY", 1 << 16)
    for start in ("{", ""):
        made = Program(
            python(f"import sys\nsys.stdout.write({start!r})\nwhile True: sys.stdout.write('x' * 4096)"),
            Log(tmp_path / "log", 1 << 12),
        )
        with pytest.raises(Ended if start else TimeoutError):
            made.line(10 if start else 0.5)
        made.kill()
    assert "longer than 65,536 bytes" in (tmp_path / "log").read_text()


def test_a_log_stops_at_its_size_and_says_so(tmp_path):
    log = Log(tmp_path / "log", 1000)
    for number in range(500):
        log.write(f"line {number} " + "x" * 50)
    assert (tmp_path / "log").stat().st_size <= 1000 + module.LONGEST_LINE
    assert (tmp_path / "log").read_text().splitlines()[-1].strip() == "the log is full; what follows is not kept"


def test_a_flood_on_standard_error_is_kept_up_to_the_size_and_answers_come_through(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LARGEST_LOG", 1 << 14)
    flood = "import sys\nfor i in range(20000): print('warning', i, file=sys.stderr)\nprint('{}', flush=True)"
    made = Program(python(flood), Log(tmp_path / "log", module.LARGEST_LOG))
    assert made.line(20) == b"{}\n"
    made.close()
    assert (tmp_path / "log").stat().st_size <= (1 << 14) + module.LONGEST_LINE


def test_a_flood_of_answers_waits_in_the_pipe(tmp_path):
    made = Program(python("while True: print('{\"a\": 1}')"))
    time.sleep(0.3)
    assert made._lines.qsize() <= 4
    made.kill()
    for listener in made._listeners:
        listener.join(timeout=5)
        assert not listener.is_alive()


def test_a_program_that_reads_nothing_costs_its_time_only():
    made = Program(python("import time; time.sleep(60)"))
    with pytest.raises(Ended):
        made.send("x" * (1 << 22), 0.3)
    made.close(patience=0.1)
    assert not made.alive


def test_last_words_are_those_of_the_program_that_died(tmp_path):
    source = (
        IMAGE
        + """
first = not os.path.exists(sys.argv[1])
open(sys.argv[1], "a").close()
if first:
    print("the first one says", file=sys.stderr, flush=True)
    os._exit(3)
for line in sys.stdin:
    request = json.loads(line)
    if request["prompt"] == "die":
        os._exit(4)
    answer(request)
"""
    )
    (tmp_path / "worker.py").write_text(source)
    made = load_generator(f"command:{sys.executable} {tmp_path}/worker.py {tmp_path}/started")
    made.tries = 1
    try:
        done = [made.generate([Request(str(i), prompt=p)])[0] for i, p in enumerate(("a", "b", "die", "c"))]
    finally:
        made.close()
    assert [type(each) for each in done] == [Failed, Image, Failed, Image]
    assert "code 3; its last words: the first one says" in done[0].reason
    assert "code 4" in done[2].reason
    assert "last words" not in done[2].reason


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ({"path": "/dev/zero"}, "no plain file"),
        ({"path": "a\0b"}, "cannot be read"),
        ({"path": "~nobody-here/x.png"}, "cannot be read"),
        ({"image_base64": "é"}, "no base64"),
        ({"image_base64": 3}, "neither path nor image_base64"),
        ({"error": ["a", {"b": 1}]}, "the program says"),
    ],
)
def test_answers_that_hold_no_image_are_one_reason(reply, said, tmp_path):
    source = (
        "import json, sys\nfor line in sys.stdin:\n"
        f"    print(json.dumps({{**{reply!r}, 'id': json.loads(line)['id']}}), flush=True)"
    )
    (tmp_path / "worker.py").write_text(source)
    made = load_generator(f"command:{sys.executable} {tmp_path}/worker.py")
    made.tries, made.timeout = 1, 20.0
    try:
        (done,) = made.generate([Request("0", prompt="x")])
    finally:
        made.close()
    assert isinstance(done, Failed)
    assert said in done.reason


def test_a_terminated_run_ends_its_programs(tmp_path):
    (tmp_path / "worker.py").write_text(
        f"import os, sys, time\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)"
    )
    (tmp_path / "p.txt").write_text("a\nb")
    call = "from evalkit.cli import main; main()"
    arguments = ["generate", "-m", f"command:{sys.executable} {tmp_path}/worker.py", "-p", str(tmp_path / "p.txt")]
    run = subprocess.Popen([sys.executable, "-c", call, *arguments, "--out", str(tmp_path / "run")], stderr=-3)
    worker = pid_of(tmp_path)
    run.terminate()
    assert run.wait(timeout=30) == 130
    assert gone(worker)
