"""`command:PROGRAM`: any program of any environment, spoken to in JSON lines.

One line in: {"id", "prompt", "class_id", "seed", "sampler"}. One line out: {"id", "path"} or {"id", "image_base64"} or
{"id", "error"}; further keys are kept as notes. Other lines on its standard output are kept in the log and ignored, so
that libraries may chatter; its standard error goes to the log too. A program that dies, or is silent for `timeout`
seconds, is started again.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import queue
import shlex
import subprocess
import threading
import time
from collections import deque
from pathlib import Path
from typing import IO, Any

from evalkit.errors import EvalkitError
from evalkit.generators.base import Request
from evalkit.generators.external import ExternalGenerator, RequestFailed, request_line
from evalkit.generators.registry import Entry, Source
from evalkit.jsonio import parse_json

TIMEOUT = 600.0  # seconds per image
LOG = "worker.log"


class CommandGenerator(ExternalGenerator):
    """A worker program; it is started at the first request and keeps its model between requests."""

    device = "the worker's"
    takes = frozenset(("guidance", "temperature", "top_k", "top_p", "steps"))

    def __init__(self, name: str, program: str, timeout: float = TIMEOUT) -> None:
        self.name, self.timeout = name, timeout
        self.arguments = shlex.split(program)
        if not self.arguments:
            raise EvalkitError("command: names no program; give --model 'command:python worker.py'")
        self._process: subprocess.Popen[str] | None = None
        self._replies: queue.Queue[str | None] = queue.Queue()
        self._said: deque[str] = deque(maxlen=1)  # on standard error: where programs say why they die
        self._chatter: deque[str] = deque(maxlen=1)
        self._log: Path | None = None
        self._lock = threading.Lock()
        self._listeners: list[threading.Thread] = []

    @classmethod
    def load(cls, source: Source) -> CommandGenerator:
        """The runner of the program that the name holds."""
        return cls(source.name, source.config)

    def attach(self, folder: Path) -> None:
        """Keep what the program says in `folder`/worker.log."""
        self._log = folder / LOG

    def ask(self, request: Request) -> tuple[bytes, dict[str, Any]]:
        """One line in, one reply out."""
        process = self._started()
        if process.stdin is None:
            raise RequestFailed("the program takes no input")
        try:
            process.stdin.write(json.dumps(request_line(request, request.sampler or self.default_sampler)) + "\n")
            process.stdin.flush()
        except OSError:
            raise RequestFailed(self._death()) from None
        reply = self._reply(request.id)
        if "error" in reply:
            raise RequestFailed(f"the program says: {str(reply['error'])[:300]}")
        return _bytes_of(reply), {k: v for k, v in reply.items() if k not in ("id", "path", "image_base64")}

    def close(self) -> None:
        """End the program."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            try:
                process.stdin.close()
                process.wait(timeout=5)
            except (OSError, subprocess.TimeoutExpired):
                pass
        if process.poll() is None:
            process.kill()
        process.wait()

    def _started(self) -> subprocess.Popen[str]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        try:
            process = subprocess.Popen(
                self.arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            raise EvalkitError(
                f"{self.arguments[0]!r} cannot be started ({error.strerror}); "
                "give a program after command:, such as --model 'command:python worker.py'"
            ) from None
        self._process, self._replies = process, queue.Queue()
        self._listeners = [
            threading.Thread(target=self._listen, args=(stream, replies), daemon=True)
            for stream, replies in ((process.stdout, self._replies), (process.stderr, None))
            if stream is not None
        ]
        for listener in self._listeners:
            listener.start()
        return process

    def _listen(self, stream: IO[str], replies: queue.Queue[str | None] | None) -> None:
        for line in stream:
            if replies is not None and line.lstrip().startswith("{"):
                replies.put(line)
            else:
                self._note(line, chatter=replies is not None)
        if replies is not None:
            replies.put(None)

    def _note(self, line: str, chatter: bool = True) -> None:
        with self._lock:
            if line.strip():
                (self._chatter if chatter else self._said).append(line.strip()[:300])
            if self._log is not None:
                with self._log.open("a", encoding="utf-8") as log:
                    log.write(line if line.endswith("\n") else line + "\n")

    def _reply(self, id: str) -> dict[str, Any]:
        end = time.monotonic() + self.timeout
        while True:
            try:
                line = self._replies.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                self._kill()
                raise RequestFailed(f"the program gave no image within {self.timeout:g} s and was stopped") from None
            if line is None:
                raise RequestFailed(self._death())
            reply = _parsed(line)
            if isinstance(reply, dict) and str(reply.get("id")) == id:
                return reply
            self._note(line)

    def _death(self) -> str:
        """How the program ended, in one sentence; the next request starts it again."""
        process = self._process
        self._kill()
        for listener in self._listeners:
            listener.join(timeout=2)  # what it said last may still be on its way
        code = process.returncode if process is not None else None
        words = self._said or self._chatter
        last = f"; its last words: {words[-1]}" if words else ""
        return f"the program ended with code {code}{last}"

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            try:
                process.wait(timeout=0.5)  # it may be dying already, with a code of its own
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _parsed(line: str) -> Any:
    """The JSON of a line, None where it is none; a number that JSON does not have (NaN, infinity) is null in it."""
    try:
        found = json.loads(line, parse_constant=lambda name: None, parse_float=_finite)
        return parse_json(json.dumps(found), "the line")
    except (ValueError, RecursionError, MemoryError):
        return None


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _bytes_of(reply: dict[str, Any]) -> bytes:
    if isinstance(reply.get("path"), str):
        try:
            return Path(reply["path"]).expanduser().read_bytes()
        except OSError as error:
            raise RequestFailed(f"the program names a file that cannot be read ({error.strerror})") from None
    if isinstance(reply.get("image_base64"), str):
        try:
            return base64.b64decode(reply["image_base64"], validate=True)
        except binascii.Error:
            raise RequestFailed("image_base64 is no base64") from None
    raise RequestFailed("the reply has neither path nor image_base64")


def entry(name: str, program: str) -> Entry:
    """The entry of `command:PROGRAM`."""
    return Entry(name, CommandGenerator, program, None, None)
