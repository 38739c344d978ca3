"""The file of a key ring: read with bounds, written whole or not at all, and the keys that it names."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from evalkit.errors import EvalkitError
from evalkit.jsonio import parse_json, pretty_json
from evalkit.runs.durable import write_bytes
from evalkit.secret_files import write_new
from evalkit.typed import built
from evalkit.watermark.keys import Key, read_key
from evalkit.watermark.service.ring import Entry, Ring

FORMAT = 1
MOST_BYTES = 2**21
HINT = "type `evalkit watermark ring add RING --key FILE --mark mark.json` to make one"


def read_ring(path: str | Path) -> Ring:
    """The key ring at `path`; no key is read. Raises `EvalkitError` in one sentence for anything that is none."""
    file = Path(path).expanduser()
    try:
        state = file.stat()
        if not stat.S_ISREG(state.st_mode) or state.st_size > MOST_BYTES:
            raise EvalkitError(f"{file} is no file of at most {MOST_BYTES:,} bytes; {HINT}")
        if os.name == "posix" and state.st_mode & stat.S_IWOTH:
            raise EvalkitError(f"anybody may write to the key ring {file}. Type: chmod o-w {file}")
        with file.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its name is no file's"
        raise EvalkitError(f"the key ring {file} cannot be read ({reason}); {HINT}") from None
    return parsed(data, str(file))


def parsed(data: bytes, what: str) -> Ring:
    """The key ring that a file's bytes hold."""
    said = parse_json(data, what)
    if not isinstance(said, dict) or set(said) != {"format", "keys"} or not isinstance(said["keys"], list):
        raise EvalkitError(f"{what} is no key ring; {HINT}")
    if said["format"] != FORMAT:
        raise EvalkitError(f"{what} has another format than {FORMAT}, which this evalkit reads. Make it again")
    entries = (built(Entry, each, f"{what}, entry {number}") for number, each in enumerate(said["keys"], 1))
    return Ring(tuple(entries), hashlib.sha256(data).hexdigest())


def write_ring(path: str | Path, ring: Ring) -> None:
    """Write the ring to `path`: a reader sees the old file or the new one, whole. A new file is for its owner alone."""
    data = pretty_json({"format": FORMAT, "keys": [each.as_dict() for each in ring.entries]})
    file = Path(path)
    if file.exists():
        write_bytes(file, data)
    else:
        write_new(file, data, 0o600)


def named_from(file: str | Path, ring: str | Path) -> str:
    """How a ring at `ring` names a file, or env:NAME: from its own folder where the file lies in there, else whole."""
    said = str(file)
    if said.startswith("env:"):
        return said
    whole, home = Path(said).expanduser().absolute(), Path(ring).expanduser().absolute().parent
    return whole.relative_to(home).as_posix() if whole.is_relative_to(home) else str(whole)


def placed(name: str, ring: str | Path) -> str:
    """Where the file lies that a ring at `ring` names."""
    return name if name.startswith("env:") else str(Path(ring).expanduser().absolute().parent / name)


def key_of(entry: Entry, ring: str | Path) -> Key:
    """The key of an entry of the ring at `ring`; raises `EvalkitError` where another one lies there."""
    key = read_key(placed(entry.key, ring))
    if key.id != entry.key_id:
        raise EvalkitError(
            f"the key of {entry.id} is {key.id}; the ring names {entry.key_id}. Put the right file there"
        )
    return key
