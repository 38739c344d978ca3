"""ed25519 keys of those who sign runs: PEM files, or PEM text in the environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.errors import EvalkitError, MissingDependency
from evalkit.secret_files import read_secret, write_all_new

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

VARIABLE = "EVALKIT_SIGNING_KEY"
PASSWORD = "EVALKIT_SIGNING_PASSWORD"


def make_key(path: Path) -> Path:
    """Make a key: the private one at `path` (mode 0600), the public one at `path`.pub, whose name is given back.

    Raises `EvalkitError` rather than overwrite either.
    """
    require()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    public = path.with_name(f"{path.name}.pub")
    if public.exists():
        raise EvalkitError(f"{public} exists and is not overwritten; give another name")
    key = Ed25519PrivateKey.generate()
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    private = key.private_bytes(pem, pkcs8, serialization.NoEncryption())
    shown = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    write_all_new({path: (private, 0o600), public: (shown, 0o644)})
    return public


def load_signing_key(spec: str | Path | None = None) -> Ed25519PrivateKey:
    """The private key in the file `spec`, or in the variable NAME for `env:NAME` (else in EVALKIT_SIGNING_KEY) as PEM text.

    EVALKIT_SIGNING_PASSWORD opens encrypted ones. Raises `EvalkitError`, which never quotes a key, where there is none,
    others may read the file, or it is no ed25519 key.
    """
    require()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    password = os.environ.get(PASSWORD)
    variable, path = _place(spec)
    where = str(path) if path is not None else f"the variable {variable}"
    try:
        key = serialization.load_pem_private_key(
            read_secret(path, variable, maker="evalkit sign --new-key my.pem"), password.encode() if password else None
        )
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise EvalkitError(
            f"{where} holds no PEM private key that can be opened; make one with: evalkit sign --new-key FILE "
            f"(an encrypted one is opened by {PASSWORD})"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise EvalkitError(f"{where} is not an ed25519 key; make one with: evalkit sign --new-key FILE")
    return key


def _place(spec: str | Path | None) -> tuple[str, Path | None]:
    """The environment's variable, and the file that comes before it."""
    said = "" if spec is None else str(spec)
    if "PRIVATE KEY" in said:
        raise EvalkitError("a key is given as a file or env:NAME, never itself: commands are logged")
    if said.startswith("env:"):
        name = said.removeprefix("env:")
        if not os.environ.get(name):
            raise EvalkitError(
                f"the environment has no variable {name}; set it to the PEM text of a key, or give a file"
            )
        return name, None
    return VARIABLE, Path(said) if said else None


def load_public_key(path: Path) -> Ed25519PublicKey:
    """The public key in the PEM file `path`; raises `EvalkitError` where it is none."""
    require()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise EvalkitError(f"the public key {path} cannot be read: {error.strerror or error}") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise EvalkitError(f"{path} holds no PEM public key; expected the file that ends in .pub") from None
    if not isinstance(key, Ed25519PublicKey):
        raise EvalkitError(f"{path} is not an ed25519 public key; expected what `evalkit sign --new-key` wrote")
    return key


def key_id(key: Ed25519PublicKey) -> str:
    """The 32 bytes of a public key in hex: in an envelope it names the signer, and lets it be checked against itself."""
    return key.public_bytes_raw().hex()


def key_of(name: str) -> Ed25519PublicKey:
    """The public key that `key_id` names; raises ValueError where it names none, or in another spelling."""
    require()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(name))
    if key_id(key) != name:
        raise ValueError("a key is named by 64 small hex digits")
    return key


def require() -> None:
    """Raise `MissingDependency` where the library of the extra [sign] is missing."""
    try:
        import cryptography.hazmat.primitives.asymmetric.ed25519  # noqa: F401
    except ImportError:
        raise MissingDependency("signing and checking signatures", "sign") from None
