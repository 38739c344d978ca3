"""Disks that are full, shut or gone: one sentence, exit code 2, no half file, and the same command goes on afterwards."""

import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from evalkit.cli import main
from evalkit.cli.boundary import sentence

TOKENIZER = ["tokenizer", "--model", "jpeg-q75", "--data", "sample/photos", "--limit", "2", "--tasks", "reconstruction"]
VERBS = {
    "tokenizer": [*TOKENIZER, "--out", "out/run"],
    "generate": ["generate", "--model", "world-ar", "--prompts", "world", "--limit", "2", "--out", "out/run"],
    "attack": ["watermark", "attack", "made/images", "--attack", "jpeg:75", "--out", "out/run"],
    "keygen": ["watermark", "keygen", "out/my.key"],
    "new-key": ["sign", "--new-key", "out/my.pem"],
    "certificate": ["sign", "--new-certificate", "out/c2pa"],
    "sign": ["sign", "made", "--key", "made.pem"],
    "report": ["report", "made", "--out", "out/report.html"],
    "view": ["view", "made", "--out", "out/view", "--no-open"],
    "leaderboard": ["leaderboard", "scored", "--out", "out/board"],
}
KEYS = ("keygen", "new-key", "certificate")


def typed(arguments, monkeypatch, capsys):
    """Exit code and standard error of a command in this process."""
    monkeypatch.setattr(sys, "argv", ["evalkit", *arguments])
    before = signal.getsignal(signal.SIGTERM)
    try:
        main()
    except SystemExit as end:
        return end.code, capsys.readouterr().err
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0, ""


@pytest.fixture(scope="module")
def things(tmp_path_factory):
    """Inputs of the verbs, made once."""
    pytest.importorskip("cryptography")
    home = tmp_path_factory.mktemp("things")
    before = Path.cwd()
    os.chdir(home)
    try:
        for arguments in (
            [*VERBS["generate"][:-1], "made"],
            [*TOKENIZER, "--out", "scored"],
            ["sign", "--new-key", "made.pem"],
        ):
            sys.argv = ["evalkit", *arguments]
            with pytest.raises(SystemExit) as end:
                main()
            assert end.value.code == 0
    finally:
        os.chdir(before)
    return home


@pytest.fixture
def here(things, tmp_path, monkeypatch):
    import shutil

    shutil.copytree(things, tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def broken(monkeypatch, place, name, nth, code):
    """The nth call of `place.name` fails as the disk would."""
    kept, count, lock = getattr(place, name), [0], threading.Lock()

    def fails(*given, **named):
        with lock:
            count[0] += 1
            if count[0] >= nth:
                raise OSError(code, os.strerror(code), "out/some-file")
        return kept(*given, **named)

    monkeypatch.setattr(place, name, fails)
    return count


@pytest.mark.parametrize("nth", [1, 3])
@pytest.mark.parametrize(("place", "name"), [(os, "fsync"), (Path, "replace")])
@pytest.mark.parametrize("verb", VERBS)
def test_a_full_disk_is_one_sentence_and_the_same_command_goes_on(verb, place, name, nth, here, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        count = broken(patch, place, name, nth, errno.ENOSPC)
        code, err = typed(VERBS[verb], patch, capsys)
        failed = count[0] >= nth
    if failed:
        assert code == 2
        assert "Traceback" not in err
        assert "evalkit: " in err
    assert not [path for path in here.rglob(".writing-*") if path.is_file()]
    if verb in KEYS and failed:
        assert not [path for path in (here / "out").rglob("*") if path.is_file()]
    if failed:
        code, err = typed(VERBS[verb], monkeypatch, capsys)
        assert (code, "Traceback" in err) == (0, False), err


@pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")
@pytest.mark.parametrize("verb", ["keygen", "new-key", "certificate", "tokenizer"])
def test_a_write_that_the_system_cuts_short_leaves_no_half_file(verb, tmp_path):
    import resource

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (60, 60))

    program = [sys.executable, "-B", "-m", "evalkit", *VERBS[verb]]
    done = subprocess.run(program, capture_output=True, text=True, preexec_fn=limited, cwd=tmp_path, timeout=120)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    left = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != ".lock"]
    assert [path for path in left if path.stat().st_size > 0] == []
    assert verb not in KEYS or not left


@pytest.mark.parametrize("verb", VERBS)
def test_a_target_that_may_not_be_written_is_one_sentence(verb, here, monkeypatch, capsys):
    (here / "out").write_text("a file, where a folder is wanted")
    code, err = typed(VERBS[verb], monkeypatch, capsys)
    assert (code, "Traceback" in err) == (0 if verb == "sign" else 2, False)
    assert (here / "out").read_text() == "a file, where a folder is wanted"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "runs/a"), "runs/a: the disk is full"),
        (OSError(errno.EROFS, "Read-only file system", "runs/a"), "may not be written"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "x"), "x: No such file or directory"),
        (OSError("odd"), "odd"),
        (MemoryError(), "not enough memory"),
    ],
)
def test_errors_of_the_machine_have_two_short_sentences(error, said):
    text = sentence(error)
    assert said in text
    assert "\n" not in text
    assert 1 <= text.count(". ") <= 3


def test_a_lack_of_memory_is_one_sentence(here, monkeypatch, capsys):
    def lacking(*given, **named):
        raise MemoryError

    monkeypatch.setattr("evalkit.pages.write_report", lacking)
    code, err = typed(VERBS["report"], monkeypatch, capsys)
    assert code == 2
    assert "not enough memory" in err


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_sigterm_ends_a_run_as_an_interrupt_does(tmp_path):
    program = (
        "import os, signal, sys\n"
        "import evalkit.cli as cli\n"
        "import evalkit.pages as pages\n"
        "sys.argv = ['evalkit', 'doctor']\n"
        "cli.group.main = lambda **given: cli.click.Group.main(cli.group, args=['doctor'], **given)\n"
        "import evalkit.cli.doctor as doctor\n"
        "doctor.doctor.callback = lambda *a, **k: (os.kill(os.getpid(), signal.SIGTERM), signal.pause())\n"
        "cli.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 130, done.stderr
    assert "type the same command again to resume it" in done.stderr.replace("resume", "resume it")
