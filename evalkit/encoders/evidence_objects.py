"""Evidence that machines share: one object of a store for each piece, named by the digest of its keys."""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Mapping, Sequence

from evalkit.jsonio import loose_json
from evalkit.weights.object_stores import opened

Key = tuple[str, str, str, str]
SHARED = "EVALKIT_EVIDENCE"  # names the address, such as s3://bucket/evidence


class SharedEvidence:
    """Evidence below an address; a store that fails once is not asked again, which costs time only."""

    def __init__(self, url: str) -> None:
        """Raises `EvalkitError` where the address names no store."""
        self._place, self._works = opened(url), True

    def get(self, keys: Sequence[Key]) -> dict[Key, str]:
        """What the store knows of the keys."""
        wanted = {_name(key): key for key in keys}
        if not wanted or not self._works:
            return {}
        try:
            found = self._place.fs.cat([self._place.path(name) for name in wanted], on_error="omit")
            objects = found if isinstance(found, Mapping) else {}
            by_name = {posixpath.basename(path): loose_json(data) for path, data in objects.items()}
        except Exception:  # stores and what lies in them raise many kinds
            self._works = False
            return {}
        pairs = ((key, by_name.get(posixpath.basename(name))) for name, key in wanted.items())
        return {key: held["evidence"] for key, held in pairs if held is not None and held["key"] == list(key)}

    def put(self, evidence: Mapping[Key, str]) -> None:
        """Keep evidence; the same piece by another machine has the same bytes."""
        if not evidence or not self._works:
            return
        try:
            for key, text in evidence.items():
                path = self._place.path(_name(key))
                self._place.fs.makedirs(posixpath.dirname(path), exist_ok=True)
                self._place.fs.pipe_file(path, json.dumps({"key": list(key), "evidence": text}).encode())
        except Exception:
            self._works = False


def _name(key: Key) -> str:
    digest = hashlib.sha256("\0".join(key).encode()).hexdigest()
    return f"{digest[:2]}/{digest}.json"
