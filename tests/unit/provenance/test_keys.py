"""Keys: private ones readable by their owner only, never overwritten, never shown."""

import os
import stat
import sys

import pytest

from evalkit.errors import EvalkitError, MissingDependency

pytest.importorskip("cryptography")
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from evalkit.provenance import keys
from evalkit.provenance.keys import PASSWORD, VARIABLE, key_id, load_public_key, load_signing_key, make_key

PEM, PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.delenv(PASSWORD, raising=False)


def test_a_new_key_signs_and_its_public_half_knows_it(tmp_path):
    public = make_key(tmp_path / "deep" / "my.pem")
    assert stat.S_IMODE((tmp_path / "deep" / "my.pem").stat().st_mode) == 0o600
    private = load_signing_key(tmp_path / "deep" / "my.pem")
    assert key_id(load_public_key(public)) == key_id(private.public_key())
    load_public_key(public).verify(private.sign(b"x"), b"x")


@pytest.mark.parametrize("name", ["my.pem", "my.pem.pub"])
def test_nothing_is_overwritten(name, tmp_path):
    (tmp_path / name).write_text("precious")
    with pytest.raises(EvalkitError, match="not overwritten"):
        make_key(tmp_path / "my.pem")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["precious"]


def test_a_place_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EvalkitError, match="cannot be written"):
        make_key(tmp_path / "file" / "my.pem")


def test_keys_come_from_the_environment(tmp_path, monkeypatch):
    make_key(tmp_path / "my.pem")
    text = (tmp_path / "my.pem").read_text()
    name = key_id(load_signing_key(str(tmp_path / "my.pem")).public_key())
    monkeypatch.setenv(VARIABLE, text)
    assert key_id(load_signing_key().public_key()) == name
    monkeypatch.setenv("MY_KEY", text)
    monkeypatch.setenv(VARIABLE, "nonsense")
    assert key_id(load_signing_key("env:MY_KEY").public_key()) == name
    with pytest.raises(EvalkitError, match="no variable OTHER"):
        load_signing_key("env:OTHER")


def test_an_encrypted_key_is_opened_by_its_password(tmp_path, monkeypatch, key):
    path = tmp_path / "locked.pem"
    path.write_bytes(key.private_bytes(PEM, PKCS8, serialization.BestAvailableEncryption(b"open sesame")))
    path.chmod(0o600)
    with pytest.raises(EvalkitError, match=PASSWORD):
        load_signing_key(path)
    monkeypatch.setenv(PASSWORD, "open sesame")
    assert key_id(load_signing_key(path).public_key()) == key_id(key.public_key())


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
def test_a_key_that_others_may_read_is_refused(tmp_path):
    make_key(tmp_path / "my.pem")
    (tmp_path / "my.pem").chmod(0o644)
    with pytest.raises(EvalkitError, match="chmod 600"):
        load_signing_key(tmp_path / "my.pem")


def test_a_key_on_the_command_line_is_refused_and_not_repeated(tmp_path):
    make_key(tmp_path / "my.pem")
    text = (tmp_path / "my.pem").read_text()
    with pytest.raises(EvalkitError) as caught:
        load_signing_key(text)
    assert text.splitlines()[1] not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no key", b"\xff\xfe", b"-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_what_is_no_key_is_an_error_that_quotes_nothing(content, tmp_path):
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(0o600)
    for load in (load_signing_key, load_public_key):
        with pytest.raises(EvalkitError, match="holds no PEM"):
            load(path)


def test_keys_of_other_kinds_are_refused(tmp_path):
    curve = generate_private_key(SECP256R1())
    path = tmp_path / "ec.pem"
    path.write_bytes(curve.private_bytes(PEM, PKCS8, serialization.NoEncryption()))
    path.chmod(0o600)
    with pytest.raises(EvalkitError, match="not an ed25519 key"):
        load_signing_key(path)
    public = curve.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "ec.pub").write_bytes(public)
    with pytest.raises(EvalkitError, match="not an ed25519 public key"):
        load_public_key(tmp_path / "ec.pub")


def test_missing_files_are_named(tmp_path):
    with pytest.raises(EvalkitError, match=r"none\.pem"):
        load_signing_key(tmp_path / "none.pem")
    with pytest.raises(EvalkitError, match=r"none\.pub"):
        load_public_key(tmp_path / "none.pub")
    with pytest.raises(EvalkitError, match="no private key was given"):
        load_signing_key()


def test_without_the_library_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.ed25519", None)
    for call in (keys.require, lambda: make_key(tmp_path / "k"), load_signing_key):
        with pytest.raises(MissingDependency, match=r"evalkit-ar\[sign\]"):
            call()
