"""Envelopes: securesystemslib verifies them, and no envelope, however strange, breaks the reader."""

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.jsonio import canonical_json, pretty_json
from evalkit.provenance.dsse import MOST, BadEnvelope, Envelope, pae, parse, sign, signature_holds
from evalkit.provenance.keys import key_id, key_of
from evalkit.provenance.sign import sign_run

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def test_pae_is_the_one_of_the_specification():
    """secure-systems-lab/dsse, protocol.md, test vector."""
    assert pae(b"hello world", "http://example.com/HelloWorld") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_the_signature_is_the_one_of_the_specifications_key_and_rule(key):
    """RFC 8032 ed25519 over PAE, computed here by hand."""
    envelope = sign({"a": 1}, key)
    assert envelope.payload == b'{"a":1}'
    assert envelope.signature == key.sign(b'DSSEv1 28 application/vnd.in-toto+json 7 {"a":1}')


def test_securesystemslib_verifies_what_evalkit_signs(runs, key, other_key):
    dsse = pytest.importorskip("securesystemslib.dsse")
    from securesystemslib.exceptions import VerificationError
    from securesystemslib.signer import SSlibKey

    sign_run(runs / "generated", key)
    said = json.loads((runs / "generated" / "attestation.json").read_bytes())
    ours = SSlibKey.from_crypto(key.public_key(), keyid=key_id(key.public_key()))
    other = SSlibKey.from_crypto(other_key.public_key(), keyid=key_id(key.public_key()))
    envelope = dsse.Envelope.from_dict(json.loads(json.dumps(said)))
    assert set(envelope.verify([ours], 1)) == {key_id(key.public_key())}
    with pytest.raises(VerificationError):
        envelope.verify([other], 1)
    changed = base64.b64encode(base64.b64decode(said["payload"]) + b" ").decode()
    with pytest.raises(VerificationError):
        dsse.Envelope.from_dict({**said, "payload": changed}).verify([ours], 1)


def test_evalkit_verifies_what_securesystemslib_signs(key):
    dsse = pytest.importorskip("securesystemslib.dsse")
    from securesystemslib.signer import CryptoSigner, SSlibKey

    public = SSlibKey.from_crypto(key.public_key(), keyid=key_id(key.public_key()))
    envelope = dsse.Envelope(canonical_json({"b": [1]}), "application/vnd.in-toto+json", {})
    envelope.sign(CryptoSigner(key, public))
    assert signature_holds(parse(pretty_json(envelope.to_dict())), key.public_key())


def test_a_key_has_one_name(key):
    name = key_id(key.public_key())
    assert key_id(key_of(name)) == name
    for other in (name.upper(), f" {name}", name[:-2], "zz" * 32, ""):
        with pytest.raises(ValueError, match=r"."):
            key_of(other)
    envelope = sign({"a": 1}, key)
    for at, letter in enumerate(name):
        if letter.isalpha():
            flipped = name[:at] + letter.upper() + name[at + 1 :]
            assert not signature_holds(Envelope(envelope.payload, flipped, envelope.signature))


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_one_changed_byte_is_no_envelope_or_a_wrong_signature(key, data):
    before = sign({"a": [1, "x"], "b": {"c": None}}, key).to_json()
    at, bit = data.draw(st.integers(0, len(before) - 1)), data.draw(st.integers(0, 7))
    after = before[:at] + bytes([before[at] ^ (1 << bit)]) + before[at + 1 :]
    try:
        found = parse(after)
    except BadEnvelope:
        return
    assert not signature_holds(found)


@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")))
@settings(max_examples=100, deadline=None)
def test_what_is_no_envelope_is_refused(data):
    with pytest.raises(BadEnvelope):
        parse(data)


@given(payload=json_values, signatures=json_values, kind=json_values)
@settings(max_examples=100, deadline=None)
def test_what_looks_like_an_envelope_is_refused(payload, signatures, kind):
    text = base64.b64encode(json.dumps(payload).encode("utf-8", "surrogatepass")).decode()
    for said in (
        {"payload": text, "payloadType": kind, "signatures": signatures},
        {"payload": text, "payloadType": "application/vnd.in-toto+json", "signatures": [signatures]},
        {"payload": payload, "payloadType": kind, "signatures": [{"keyid": "", "sig": ""}]},
    ):
        try:
            found = parse(json.dumps(said).encode("utf-8", "surrogatepass"))
        except BadEnvelope:
            continue
        assert isinstance(found.statement, dict)


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 200_000,
        b'{"payload":' * 50_000,
        b'{"payload":"e30=","payloadType":"application/vnd.in-toto+json","signatures":[],"signatures":[]}',
        b'{"payload":NaN,"signatures":[{"keyid":"","sig":""}]}',
        b'{"payload":"' + base64.b64encode(b'{"a":NaN}') + b'","payloadType":"t","signatures":[{"keyid":"","sig":""}]}',
        b'{"payload":"' + base64.b64encode(b"[" * 100_000) + b'","signatures":[{"keyid":"","sig":""}]}',
        b'{"payload":"' + base64.b64encode(b'{"a":1,"a":2}') + b'","signatures":[{"keyid":"","sig":""}]}',
        b'{"payload":"\xff"}',
        b'"\\ud800"',
        b"1" * 10_000,
        b"\xef\xbb\xbf{}",
        b"",
    ],
)
def test_hostile_bytes_are_refused(data):
    with pytest.raises(BadEnvelope):
        parse(data)


def test_an_envelope_has_a_largest_size():
    class Large(bytes):
        def __len__(self):
            return MOST + 1

    with pytest.raises(BadEnvelope, match="more than any statement"):
        parse(Large())
