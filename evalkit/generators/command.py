"""`command:PROGRAM`: any program of any environment, spoken to in JSON lines.

One line in: {"id", "prompt", "class_id", "seed", "sampler"}. One line out: {"id", "path"} or {"id", "image_base64"} or
{"id", "error"}; further keys are kept as notes. Other lines on its standard output are kept in the log and ignored, so
that libraries may chatter; its standard error goes to the log too. A program that dies, or is silent for `timeout`
seconds, is started again.
"""

from __future__ import annotations

import base64
import json
import shlex
import time
from pathlib import Path
from typing import Any

from evalkit.errors import BadData, EvalkitError
from evalkit.generators.base import Request
from evalkit.generators.external import ExternalGenerator, RequestFailed, request_line
from evalkit.generators.program import LONGEST_REPLY, Ended, Log, Program
from evalkit.generators.registry import Entry, Source
from evalkit.jsonio import finite, loose_json, parse_json

TIMEOUT = 600.0  # seconds per image
LOG = "worker.log"


class CommandGenerator(ExternalGenerator):
    """A worker program; it is started at the first request and keeps its model between requests."""

    device = "the worker's"
    takes = frozenset(("guidance", "temperature", "top_k", "top_p", "steps"))

    def __init__(self, name: str, program: str, timeout: float = TIMEOUT) -> None:
        self.name, self.timeout = name, timeout
        try:
            self.arguments = shlex.split(program)
        except ValueError as error:
            raise EvalkitError(f"command: {error}. Close every quotation mark of --model") from None
        if not self.arguments:
            raise EvalkitError("command: names no program; give --model 'command:python worker.py'")
        self._program: Program | None = None
        self._log: Log | None = None

    @classmethod
    def load(cls, source: Source) -> CommandGenerator:
        """The runner of the program that the name holds."""
        return cls(source.name, source.config)

    def attach(self, folder: Path) -> None:
        """Keep what the program says in `folder`/worker.log."""
        self._log = Log(folder / LOG)

    def ask(self, request: Request) -> tuple[bytes, dict[str, Any]]:
        """One line in, one reply out."""
        if self._program is not None and not self._program.alive:
            self._program.kill()  # its children may live on
            self._program = None
        program = self._program = self._program or Program(self.arguments, self._log)
        try:
            reply = self._reply(program, request)
        except Ended:
            self._program = None
            raise RequestFailed(program.end()) from None
        except TimeoutError:
            self._program = None
            program.kill()
            raise RequestFailed(f"the program gave no image within {self.timeout:g} s and was stopped") from None
        if "error" in reply:
            raise RequestFailed(f"the program says: {str(reply['error'])[:300]}")
        return _bytes_of(reply), {k: v for k, v in reply.items() if k not in ("id", "path", "image_base64")}

    def close(self) -> None:
        """End the program with all that it started."""
        program, self._program = self._program, None
        if program is not None:
            program.close()

    def _reply(self, program: Program, request: Request) -> dict[str, Any]:
        end = time.monotonic() + self.timeout
        program.send(json.dumps(request_line(request, request.sampler or self.default_sampler)), self.timeout)
        while True:
            line = program.line(max(0.0, end - time.monotonic()))
            reply = _parsed(line)
            if isinstance(reply, dict) and str(reply.get("id")) == request.id:
                return reply
            program.note(line.decode("utf-8", "replace"))


def _parsed(line: bytes) -> Any:
    """The JSON of a line, None where it is none; a number that JSON does not have (NaN, infinity) is null in it."""
    text = line.decode("utf-8", "replace")
    try:
        return parse_json(text, "the line")
    except BadData:
        pass
    try:  # a worker's NaN costs the note that holds it, not the image
        return parse_json(json.dumps(finite(loose_json(text))), "the line")
    except (BadData, RecursionError, MemoryError):
        return None


def _bytes_of(reply: dict[str, Any]) -> bytes:
    if isinstance(reply.get("path"), str):
        try:
            return _read(Path(reply["path"]).expanduser())
        except (OSError, ValueError, RuntimeError) as error:  # also names that no file can have
            said = getattr(error, "strerror", None) or error
            raise RequestFailed(f"the program names a file that cannot be read ({said})") from None
    if isinstance(reply.get("image_base64"), str):
        try:
            return base64.b64decode(reply["image_base64"], validate=True)
        except ValueError:
            raise RequestFailed("image_base64 is no base64") from None
    raise RequestFailed("the reply has neither path nor image_base64")


def _read(path: Path) -> bytes:
    """The bytes of a plain file; a pipe or a device would never end."""
    if path.exists() and not path.is_file():
        raise ValueError("no plain file")
    if path.stat().st_size > LONGEST_REPLY:
        raise ValueError(f"more than {LONGEST_REPLY:,} bytes")
    return path.read_bytes()


def entry(name: str, program: str) -> Entry:
    """The entry of `command:PROGRAM`."""
    return Entry(name, CommandGenerator, program, None, None)
