"""A program of any environment, spoken to in lines: what it says is bounded, and it ends with all that it started."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from evalkit.errors import EvalkitError

LONGEST_REPLY = 256 << 20  # bytes of one line that begins as JSON: an image in base64
LONGEST_LINE = 8 << 10  # bytes of any other line; the rest of it is dropped
LARGEST_LOG = 16 << 20  # bytes of a log, over all programs of a run
WORDS = 300  # characters of what a program said last
LAST = 0.5  # seconds in which a program that closed its output may end by itself
_TICK = 0.1  # seconds between two looks at whether the program lives


class Ended(Exception):
    """The program gave no more lines: it ended, or said more than a reply may hold."""


class Log:
    """A file that takes lines up to a size; what comes after is dropped, and the last line says so."""

    def __init__(self, path: Path, largest: int = LARGEST_LOG) -> None:
        self.path, self.largest = path, largest
        self._lock = threading.Lock()

    def write(self, line: str) -> None:
        """Add one line; a disk that takes nothing costs the line only."""
        data = line.rstrip("\n").encode("utf-8", "replace")[:LONGEST_LINE] + b"\n"
        with self._lock, contextlib.suppress(OSError):
            held = self.path.stat().st_size if self.path.exists() else 0
            if held >= self.largest:
                return
            with self.path.open("ab") as file:
                full = held + len(data) >= self.largest
                file.write(b"the log is full; what follows is not kept\n".rjust(self.largest - held) if full else data)


class Program:
    """One started program with its listeners; nothing of it is shared with the one that is started after it."""

    def __init__(self, arguments: Sequence[str], log: Log | None = None) -> None:
        self._log = log
        self._process = _start(arguments)
        self._lines: queue.Queue[bytes | None] = queue.Queue(maxsize=4)  # a program that floods has to wait
        self._said: deque[str] = deque(maxlen=1)  # on standard error: where programs say why they die
        self._chatter: deque[str] = deque(maxlen=1)
        self._over = threading.Event()
        streams = ((self._process.stdout, self._replies), (self._process.stderr, self._errors))
        self._listeners = [
            threading.Thread(target=listen, args=(stream,), daemon=True) for stream, listen in streams if stream
        ]
        for listener in self._listeners:
            listener.start()

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def send(self, line: str, seconds: float) -> None:
        """Write one line to it; raises `Ended` where it takes none within `seconds`."""
        failed: list[BaseException] = []
        writer = threading.Thread(target=self._write, args=(line.encode() + b"\n", failed), daemon=True)
        writer.start()
        writer.join(seconds)
        if writer.is_alive() or failed:
            raise Ended

    def line(self, seconds: float) -> bytes:
        """The next line that begins as JSON; raises `Ended`, or TimeoutError after `seconds`."""
        end, dead_since = time.monotonic() + seconds, None
        while True:
            now = time.monotonic()
            try:
                found = self._lines.get(timeout=max(0.0, min(_TICK, end - now)))
            except queue.Empty:
                if now >= end:
                    raise TimeoutError from None
                if self.alive:
                    continue
                dead_since = dead_since or now
                if now - dead_since < LAST:  # a child may hold its output open for ever
                    continue
                found = None
            if found is None:
                raise Ended
            return found

    def end(self, patience: float = LAST) -> str:
        """Wait `patience` seconds for its own end, then kill it with its children; how it ended, in one sentence."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=patience)
        self.kill()
        for listener in self._listeners:
            listener.join(timeout=1)  # what it said last may still be on its way
        words = self._said or self._chatter
        last = f"; its last words: {words[-1]}" if words else ""
        return f"the program ended with code {self._process.returncode}{last}"

    def close(self, patience: float = 2) -> None:
        """Close its input, wait for its end, and kill what is left of it."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        try:
            self._process.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self.kill()

    def kill(self) -> None:
        """Kill the program and every process of its group."""
        self._over.set()
        with contextlib.suppress(OSError):  # nobody of the group is left
            if os.name == "posix":
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()
        self._process.wait()

    def note(self, line: str, *, chatter: bool = True) -> None:
        """Keep a line in the log, and as the last words."""
        if line.strip():
            (self._chatter if chatter else self._said).append(line.strip()[:WORDS])
        if self._log is not None:
            self._log.write(line)

    def _write(self, data: bytes, failed: list[BaseException]) -> None:
        try:
            while data and self._process.stdin is not None:  # unbuffered: a buffer that is stuck cannot be closed
                data = data[os.write(self._process.stdin.fileno(), data) :]
        except (OSError, ValueError) as error:  # its input is closed
            failed.append(error)

    def _replies(self, stream: IO[bytes]) -> None:
        for line in _bounded(stream):
            if line is None:
                self.note(f"a line is longer than {LONGEST_REPLY:,} bytes", chatter=False)
                break
            if line.lstrip().startswith(b"{"):
                self._put(line)
            else:
                self.note(line.decode("utf-8", "replace"))
        self._put(None)

    def _errors(self, stream: IO[bytes]) -> None:
        for line in iter(lambda: stream.readline(LONGEST_LINE), b""):
            self.note(line.decode("utf-8", "replace"), chatter=False)

    def _put(self, line: bytes | None) -> None:
        while not self._over.is_set():
            with contextlib.suppress(queue.Full):
                self._lines.put(line, timeout=_TICK)
                return


def _bounded(stream: IO[bytes]) -> Iterator[bytes | None]:
    """Lines; of one that is no JSON its start only; None where one that begins as JSON does not end."""
    while line := stream.readline(LONGEST_LINE):
        if not line.endswith(b"\n"):
            if line.lstrip().startswith(b"{"):
                line += stream.readline(LONGEST_REPLY)
                if not line.endswith(b"\n") and len(line) > LONGEST_REPLY:
                    yield None
                    return
            else:
                while (rest := stream.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
                    pass
        yield line


def _start(arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(list(arguments), stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or error
        raise EvalkitError(
            f"{arguments[0]!r} cannot be started ({said}); "
            "give a program after command:, such as --model 'command:python worker.py'"
        ) from None
