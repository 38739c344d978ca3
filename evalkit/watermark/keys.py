"""Secret keys: 256 bits in a file or in the environment, never in an argument, a log or a record."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError
from evalkit.secret_files import write_secret

LENGTH = 32  # bytes
HINT = "type `evalkit watermark keygen FILE` to make one"


@dataclass(frozen=True)
class Key:
    """A 256-bit secret; it shows itself by its `id` alone. `source`: the file or env:NAME that it was read from."""

    secret: bytes = field(repr=False)
    source: str | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.secret) != LENGTH:
            raise EvalkitError(f"a watermark key has {LENGTH} bytes; {len(self.secret)} given. {HINT}")

    @property
    def id(self) -> str:
        """16 hex digits that name the key in records: the start of SHA-256(HMAC(key, "id"))."""
        return hashlib.sha256(self.derive("id")).hexdigest()[:16]

    def derive(self, *parts: str | int) -> bytes:
        """32 bytes that depend on the key and on every part: HMAC-SHA256 over the parts, each with its length."""
        said = [str(part).encode("utf-8", "surrogatepass") for part in parts]
        framed = b"".join(len(each).to_bytes(4, "big") + each for each in said)
        return hmac.new(self.secret, framed, hashlib.sha256).digest()

    def numbers(self, count: int, *parts: str | int) -> npt.NDArray[np.uint64]:
        """`count` uniform 64-bit numbers: SHAKE-256 of `derive(*parts)`, the same on every machine and version."""
        stream = hashlib.shake_256(self.derive(*parts)).digest(8 * count)
        return np.frombuffer(stream, ">u8").astype(np.uint64)


def new_key(path: str | Path) -> Key:
    """Write a fresh key as hex to `path`, readable by its owner only; an existing file is never overwritten."""
    target = Path(path)
    key = Key(secrets.token_bytes(LENGTH), str(target.absolute()))
    write_secret(target, f"{key.secret.hex()}\n".encode())
    return key


def read_key(spec: str | Path) -> Key:
    """The key in the file `spec`, or in the environment variable NAME for `env:NAME`: 64 hex digits.

    Raises `EvalkitError` that never quotes what it read.
    """
    said = str(spec)
    if said.startswith("env:"):
        name = said.removeprefix("env:")
        text = os.environ.get(name)
        if text is None:
            raise EvalkitError(
                f"the environment has no variable {name}; set it to a key's 64 hex digits, or give a file"
            )
        return _parsed(text, f"the environment variable {name}", said)
    try:
        state = Path(said).stat()
        if state.st_size > 4096:
            raise EvalkitError(f"{said} is too large for a key file; {HINT}")
        if os.name == "posix" and state.st_mode & stat.S_IWOTH:
            raise EvalkitError(f"anybody may write to the key file {said}. Type: chmod 600 {said}, or make a new key")
        text = Path(said).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        if len(said) == 2 * LENGTH and all(c in "0123456789abcdefABCDEF" for c in said):
            raise EvalkitError("a key is given as a file or env:NAME, never itself: commands are logged") from None
        raise EvalkitError(f"there is no readable key file {said}; {HINT}") from None
    return _parsed(text, said, str(Path(said).absolute()))


def _parsed(text: str, where: str, source: str) -> Key:
    try:
        secret = bytes.fromhex(text.strip())
    except ValueError:
        secret = b""
    if len(secret) != LENGTH:
        raise EvalkitError(f"{where} holds no key of {2 * LENGTH} hex digits; {HINT}")
    if len(set(secret)) == 1:
        raise EvalkitError(f"{where} holds one byte {LENGTH} times, which anybody can guess; {HINT}")
    return Key(secret, source)
