"""Replies on disk, one JSON object on a line, found again by the content of their request.

A reply is written before anyone reads it, so that nothing is asked twice and a killed run goes on where it stopped.
Lines that broke off are passed over: their requests are asked again. Errors are kept for the record and asked again.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evalkit.errors import DAMAGED, EvalkitError
from evalkit.jsonio import loose_json, parse_json
from evalkit.judges.reply import RawReply, raw_reply_of
from evalkit.transport import redacted_json


class ReplyStore:
    """The replies in one file. Threads may share it; processes may append to it at once, and see it as it was opened."""

    def __init__(self, path: Path) -> None:
        """Open or create the file. Raises `EvalkitError` where it cannot be read or written."""
        self.path = path
        self.broken = 0  # lines that could not be read
        self.judges: set[str] = set()  # whose replies were there when it was opened
        self._lock = threading.Lock()
        self._known: dict[str, RawReply] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            self._load()
        except OSError as error:
            raise EvalkitError(
                f"{path} cannot hold replies: {error.strerror}. Give a file that can be written"
            ) from None

    def __enter__(self) -> ReplyStore:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._known)

    def close(self) -> None:
        """Close the file; what was put is on disk already."""
        os.close(self._file)

    def check_of(self, judge: str) -> None:
        """Raise `EvalkitError` where the file held replies, and none of them is the judge's."""
        if self.judges and judge not in self.judges:
            raise EvalkitError(
                f"{self.path} holds replies of {', '.join(sorted(self.judges))}, and {judge} is asked. "
                "Give another --replies, or the same --judge"
            )

    def get(self, key: str) -> RawReply | None:
        """The reply to the request with this key, unless it was an error."""
        with self._lock:
            return self._known.get(key)

    def put(self, key: str, raw: RawReply, about: Mapping[str, Any]) -> RawReply:
        """Write a reply with what is known of its request; keys of the environment are taken out. Gives what was kept."""
        line = {
            "key": key,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "reply": raw.as_json(),
            "about": dict(about),
        }
        data = json.dumps(redacted_json(line), ensure_ascii=False, allow_nan=False).encode("utf-8", "replace") + b"\n"
        kept = raw_reply_of(loose_json(data)["reply"])
        with self._lock:
            while data:  # one call as a rule, so that lines of several processes do not mix
                data = data[os.write(self._file, data) :]
            if kept.kind != "error":
                self._known[key] = kept
        return kept

    def _load(self) -> None:
        with self.path.open("rb") as lines:
            last = b"\n"
            for line in lines:
                last = line
                if line.strip():
                    self._take(line)
        if not last.endswith(b"\n"):  # a run was killed within a line
            os.write(self._file, b"\n")

    def _take(self, line: bytes) -> None:
        try:
            found = parse_json(line, "the line")
            key, raw = str(found["key"]), raw_reply_of(found["reply"])
        except DAMAGED:
            self.broken += 1
            return
        about = found.get("about")
        if isinstance(about, Mapping) and isinstance(about.get("judge"), str):
            self.judges.add(about["judge"])
        if raw.kind != "error":
            self._known[key] = raw
