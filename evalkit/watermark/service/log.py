"""The audit log: a JSON line for each answer, on the disk before the answer goes out; no key, no number, no image in it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evalkit.errors import BadData, EvalkitError
from evalkit.jsonio import canonical_json, parse_json
from evalkit.runs.durable import sync_folder
from evalkit.runs.lock import still, taken
from evalkit.version import __version__
from evalkit.watermark.service.answers import Answer
from evalkit.watermark.service.ring import Ring, time_text


class AuditLog:
    """Lines are only ever added, by one process at a time; what a kill tore off stays as it is, on a line of its own.

    Where the file was moved or removed, as by a rotation, the next line goes to a new one of its name.
    """

    def __init__(self, path: str | Path) -> None:
        """Raises `EvalkitError` where another process writes the file, or it cannot be written."""
        self.path = Path(path)
        self._ring: Mapping[str, Any] | None = None  # the last entry of a ring, with which a new file begins
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._handle, self._torn = _opened(self.path)
        except BlockingIOError:
            raise EvalkitError(f"another process writes the audit log {path}. Give a --log for each service") from None
        except OSError as error:
            raise EvalkitError(
                f"the audit log {path} cannot be written ({error.strerror}). Give another --log"
            ) from None

    def write(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Add entries, each with its time, and wait until they are on the disk. Raises `OSError`."""
        if not still(self._handle, self.path):
            entries = self._anew(entries)
        now = time_text(datetime.now(UTC))
        lines = b"".join(canonical_json({"time": now, **each}) + b"\n" for each in entries)
        data = memoryview(b"\n" + lines if self._torn else lines)
        self._torn = True
        while data:
            data = data[os.write(self._handle, data) :]
        os.fsync(self._handle)
        self._torn = False
        self._ring = next((each for each in reversed(entries) if "entries" in each), self._ring)

    def close(self) -> None:
        """Let the file go."""
        os.close(self._handle)

    def _anew(self, entries: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
        """Open a new file, and put the ring in force before the entries."""
        old = self._handle
        self._handle, self._torn = _opened(self.path)
        os.close(old)
        return entries if self._ring is None else [{**self._ring, "event": "ring"}, *entries]


def _opened(path: Path) -> tuple[int, bool]:
    """(the file, for this process alone and there after a power cut; whether its last line is torn).

    Raises `OSError`, of the kind that blocks where the file is another process's.
    """
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    if not taken(handle):
        os.close(handle)
        raise BlockingIOError
    sync_folder(path.parent)
    size = os.fstat(handle).st_size
    return handle, size > 0 and os.pread(handle, 1, size - 1) != b"\n"


def answer_entry(answer: Answer) -> dict[str, Any]:
    """What the log holds of an answer."""
    said = {"event": "answer", "sha256": answer.sha256, "verdict": answer.verdict, "key_ids": answer.found}
    return {**said, "keys": answer.rate.keys, "ring": answer.ring}


def ring_entry(event: str, ring: Ring) -> dict[str, Any]:
    """What the log holds of a ring that is used from now on."""
    entries = [{"id": each.id, "key_id": each.key_id, "state": each.state} for each in ring.entries]
    return {"event": event, "evalkit": __version__, "ring": ring.digest, "entries": entries}


def read_log(path: str | Path) -> Iterator[dict[str, Any]]:
    """The entries of a log in their order; torn lines, which no answer rests on, are left out."""
    with Path(path).open("rb") as stream:
        for line in stream:
            try:
                yield parse_json(line, str(path))
            except BadData:
                continue
