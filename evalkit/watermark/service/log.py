"""The audit log: a JSON line for each answer, on the disk before the answer goes out; no key, no number, no image in it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evalkit.errors import BadData, EvalkitError
from evalkit.jsonio import canonical_json, parse_json
from evalkit.runs.lock import taken
from evalkit.version import __version__
from evalkit.watermark.service.answers import Answer
from evalkit.watermark.service.ring import Ring, time_text


class AuditLog:
    """Lines are only ever added, by one process at a time; what a kill tore off stays as it is, on a line of its own."""

    def __init__(self, path: str | Path) -> None:
        """Raises `EvalkitError` where another process writes the file, or it cannot be written."""
        self.path = Path(path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        except OSError as error:
            raise EvalkitError(
                f"the audit log {path} cannot be written ({error.strerror}). Give another --log"
            ) from None
        if not taken(self._handle):
            os.close(self._handle)
            raise EvalkitError(f"another process writes the audit log {path}. Give a --log for each service")
        size = os.fstat(self._handle).st_size
        self._torn = size > 0 and os.pread(self._handle, 1, size - 1) != b"\n"

    def write(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Add entries, each with its time, and wait until they are on the disk. Raises `OSError`."""
        now = time_text(datetime.now(UTC))
        lines = b"".join(canonical_json({"time": now, **each}) + b"\n" for each in entries)
        data = memoryview(b"\n" + lines if self._torn else lines)
        self._torn = True
        while data:
            data = data[os.write(self._handle, data) :]
        os.fsync(self._handle)
        self._torn = False

    def close(self) -> None:
        """Let the file go."""
        os.close(self._handle)


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
