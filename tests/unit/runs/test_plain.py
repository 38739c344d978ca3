"""Pipes are refused, never waited for, by every reader of a file that a user names."""

import os
import threading

import pytest

from evalkit.errors import EvalkitError
from evalkit.leaderboard.imports.taken import read
from evalkit.runs.plain import open_plain, read_plain
from evalkit.tasks.probe.evidence.read import read_evidence
from evalkit.tasks.probe.spec import file_digest


def quickly(call, path):
    """What the call raises within some seconds."""
    raised = []

    def run():
        try:
            call(path)
        except (OSError, EvalkitError) as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(5)
    assert not thread.is_alive(), "it waits for the pipe"
    return raised


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in folders here")
@pytest.mark.parametrize("call", [open_plain, read_plain, read, read_evidence, file_digest])
def test_a_pipe_is_refused(call, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert quickly(call, tmp_path / "pipe")


@pytest.mark.parametrize("call", [open_plain, read_plain, read, read_evidence])
def test_a_folder_is_refused(call, tmp_path):
    assert quickly(call, tmp_path)


def test_a_folder_is_refused_by_name(tmp_path):
    with pytest.raises(OSError, match="plain file") as refused:
        read_plain(tmp_path)
    assert refused.value.filename == str(tmp_path)


def test_a_plain_file_is_read(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    assert read_plain(tmp_path / "a") == read(tmp_path / "a") == b"x"
