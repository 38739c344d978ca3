"""DSSE envelopes (secure-systems-lab/dsse, protocol v1.0.2): one payload, its type, and a signature over both."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from evalkit.jsonio import canonical_json, pretty_json
from evalkit.provenance.keys import key_id, key_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PAYLOAD_TYPE = "application/vnd.in-toto+json"
MOST = 1 << 30  # bytes


class BadEnvelope(ValueError):
    """An envelope that is not exactly what evalkit writes, with the reason."""


@dataclass(frozen=True)
class Envelope:
    """A signed statement: its bytes, the signer's key name and the signature."""

    payload: bytes
    keyid: str
    signature: bytes

    @cached_property
    def statement(self) -> dict[str, Any]:
        """The payload as data."""
        found: dict[str, Any] = json.loads(self.payload)
        return found

    def to_json(self) -> bytes:
        """The envelope as attestation.json holds it; equal envelopes give equal bytes."""
        signature = {"keyid": self.keyid, "sig": base64.b64encode(self.signature).decode()}
        payload = base64.b64encode(self.payload).decode()
        return pretty_json({"payload": payload, "payloadType": PAYLOAD_TYPE, "signatures": [signature]})


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
    """The envelope in the bytes of attestation.json; raises `BadEnvelope` unless they are exactly as `to_json` writes."""
    if len(data) > MOST:
        raise BadEnvelope(f"it has {len(data)} bytes, more than any statement over a run")
    try:
        said = json.loads(data)
        (signature,) = said["signatures"]
        payload = base64.b64decode(said["payload"], validate=True)
        found = Envelope(payload, str(signature["keyid"]), base64.b64decode(signature["sig"], validate=True))
        statement = json.loads(payload)
        same = canonical_json(statement) == payload and found.to_json() == data
    except (ValueError, KeyError, TypeError, UnicodeError, binascii.Error, RecursionError) as error:
        raise BadEnvelope(f"it is no DSSE envelope of one signed statement ({type(error).__name__})") from None
    if not same or not isinstance(statement, dict):
        raise BadEnvelope("it is not written as evalkit writes envelopes, so it has been changed")
    return found


def signature_holds(envelope: Envelope, key: Ed25519PublicKey | None = None) -> bool:
    """Whether `key` made the signature; without a key, whether that which the envelope names did."""
    from cryptography.exceptions import InvalidSignature

    try:
        named = key_of(envelope.keyid)
        if key is not None and key_id(key) != envelope.keyid:
            return False
        named.verify(envelope.signature, pae(envelope.payload))
    except (InvalidSignature, ValueError):
        return False
    return True
