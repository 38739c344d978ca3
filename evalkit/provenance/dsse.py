"""DSSE envelopes (secure-systems-lab/dsse, protocol v1.0.2): one payload, its type, and a signature over both."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from evalkit.errors import DAMAGED
from evalkit.jsonio import canonical_json, parse_json, pretty_json
from evalkit.provenance.keys import key_id, key_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PAYLOAD_TYPE = "application/vnd.in-toto+json"
MOST = 1 << 30  # bytes


class BadEnvelope(ValueError):
    """Bytes that are no envelope of a statement, with the reason."""


@dataclass(frozen=True)
class Envelope:
    """A signed statement: its bytes, the signer's key name and the signature; `more` holds those of co-signers."""

    payload: bytes
    keyid: str
    signature: bytes
    more: tuple[tuple[str, bytes], ...] = ()

    @cached_property
    def statement(self) -> dict[str, Any]:
        """The payload as data."""
        found: dict[str, Any] = parse_json(self.payload, "the statement")
        return found

    @property
    def signatures(self) -> tuple[tuple[str, bytes], ...]:
        """Key names and signatures, in the order of the file."""
        return ((self.keyid, self.signature), *self.more)

    def to_json(self) -> bytes:
        """The envelope as attestation.json holds it; equal envelopes give equal bytes."""
        signatures = [{"keyid": name, "sig": base64.b64encode(sig).decode()} for name, sig in self.signatures]
        payload = base64.b64encode(self.payload).decode()
        return pretty_json({"payload": payload, "payloadType": PAYLOAD_TYPE, "signatures": signatures})


def pae(payload: bytes, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """What is signed: type and payload with their lengths, so that neither can pass for the other.

    >>> pae(b"hello", "t")
    b'DSSEv1 1 t 5 hello'
    """
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign(statement: dict[str, Any], key: Ed25519PrivateKey) -> Envelope:
    """The envelope of `statement` in canonical JSON, signed by `key`."""
    payload = canonical_json(statement)
    return Envelope(payload, key_id(key.public_key()), key.sign(pae(payload)))


def parse(data: bytes) -> Envelope:
    """The envelope in the bytes of attestation.json, in any white space, with the signatures of co-signers.

    Raises `BadEnvelope` where it is none, or where its statement is not in canonical JSON, as evalkit signs it.
    """
    if len(data) > MOST:
        raise BadEnvelope(f"it has {len(data)} bytes, more than any statement over a run")
    try:
        said = parse_json(data, "it")
        if said["payloadType"] != PAYLOAD_TYPE:
            raise BadEnvelope(f"its payload is not of the type {PAYLOAD_TYPE}")
        (keyid, signature), *more = [(str(each.get("keyid", "")), _decoded(each["sig"])) for each in said["signatures"]]
        found = Envelope(_decoded(said["payload"]), keyid, signature, tuple(more))
        same = isinstance(found.statement, dict) and canonical_json(found.statement) == found.payload
    except BadEnvelope:
        raise
    except DAMAGED as error:
        raise BadEnvelope(f"it is no DSSE envelope of a signed statement ({type(error).__name__})") from None
    if not same:
        raise BadEnvelope("its statement is not written as evalkit writes statements, so it has been changed")
    return found


def signer(envelope: Envelope, key: Ed25519PublicKey | None = None) -> str | None:
    """The name of `key` where it made one of the signatures; without a key, the first name whose signature holds."""
    return next((name for name, signature in envelope.signatures if _holds(envelope, name, signature, key)), None)


def signature_holds(envelope: Envelope, key: Ed25519PublicKey | None = None) -> bool:
    """Whether `key` made one of the signatures; without a key, whether a key that the envelope names did."""
    return signer(envelope, key) is not None


def _holds(envelope: Envelope, name: str, signature: bytes, key: Ed25519PublicKey | None) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        named = key_of(name)
        if key is not None and key_id(key) != name:
            return False
        named.verify(signature, pae(envelope.payload))
    except (InvalidSignature, ValueError):
        return False
    return True


def _decoded(text: Any) -> bytes:
    """Base64 in one of its two alphabets, and in the one spelling that encodes its bytes."""
    plain = str(text).replace("-", "+").replace("_", "/")
    try:
        data = base64.b64decode(plain, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
    if base64.b64encode(data).decode() != plain:
        raise ValueError("it is not base64 as it is written")
    return data
