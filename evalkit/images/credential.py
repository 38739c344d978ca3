"""C2PA credentials: a certificate chain and its private key, read from files, or made for trying things out."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError, MissingDependency
from evalkit.secret_files import read_secret, write_all_new

KEY_VARIABLE = "EVALKIT_C2PA_KEY"
CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
DAYS = 365


@dataclass(frozen=True)
class Credential:
    """A signer of images: PEM certificates (leaf first) and the PEM private key, which no representation shows."""

    certificates: bytes = field(repr=False)
    key: bytes = field(repr=False)
    algorithm: str


def load_credential(certificate: str | Path, key: str | Path | None = None) -> Credential:
    """The credential of the PEM chain `certificate`.

    The key is the file `key`, or the PEM text in the environment's EVALKIT_C2PA_KEY, or the file beside the certificate
    whose name ends in .key instead. Raises `EvalkitError` where a file is not there or the key is of another kind.
    """
    certificate = Path(certificate)
    try:
        chain = certificate.read_bytes()
    except OSError as error:
        raise EvalkitError(f"the certificate {certificate} cannot be read: {error.strerror or error}") from None
    if b"-----BEGIN CERTIFICATE-----" not in chain:
        raise EvalkitError(f"{certificate} holds no PEM certificate; expected lines from -----BEGIN CERTIFICATE-----")
    given = None if key is None else Path(key)
    secret = read_secret(
        given, KEY_VARIABLE, certificate.with_suffix(".key"), maker="evalkit sign --new-certificate c2pa"
    )
    return Credential(chain, secret, _algorithm(secret))


def new_credential(folder: str | Path, name: str = "evalkit test signer") -> Credential:
    """An authority of one's own and a signer's certificate under it, written to `folder`, valid for a year.

    Files: authority.pem (what a reader may trust), signer.pem (chain), signer.key (mode 0600). The authority's own key is
    thrown away. Raises `EvalkitError` rather than overwrite a file.
    """
    x509, serialization, ec = _cryptography()
    folder = Path(folder)
    names = ("authority.pem", "signer.pem", "signer.key")
    for each in names:
        if (folder / each).exists():
            raise EvalkitError(f"{folder / each} exists and is not overwritten; give another folder")
    root_key, leaf_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name, leaf_name = _name(x509, f"{name}: authority"), _name(x509, name)
    root = _certificate(x509, root_name, root_name, root_key.public_key(), root_key, authority=True)
    leaf = _certificate(x509, leaf_name, root_name, leaf_key.public_key(), root_key, authority=False)
    pem = serialization.Encoding.PEM
    secret = leaf_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    chain = leaf.public_bytes(pem) + root.public_bytes(pem)
    shown = {"authority.pem": root.public_bytes(pem), "signer.pem": chain}
    open_files = {folder / name: (data, 0o644) for name, data in shown.items()}
    write_all_new({folder / "signer.key": (secret, 0o600), **open_files})
    return Credential(chain, secret, "es256")


def _algorithm(secret: bytes) -> str:
    _, serialization, ec = _cryptography()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    try:
        key = serialization.load_pem_private_key(secret, None)
    except (ValueError, TypeError):
        raise EvalkitError("the C2PA key is not one that can be read. Give an unencrypted PEM private key") from None
    if isinstance(key, Ed25519PrivateKey):
        return "ed25519"
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in CURVES:
        return CURVES[key.curve.name]
    raise EvalkitError("the C2PA key is of a kind not taken here; give an ECDSA (P-256, P-384, P-521) or ed25519 key")


def _certificate(x509: Any, subject: Any, issuer: Any, public: Any, signing: Any, *, authority: bool) -> Any:
    from cryptography.hazmat.primitives import hashes

    now = datetime.datetime.now(datetime.UTC)
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    usage |= {"digital_signature": not authority, "key_cert_sign": authority, "crl_sign": authority}
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=DAYS))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False)
    )
    if not authority:
        mail = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(mail, critical=False)
    return builder.sign(signing, hashes.SHA256())


def _name(x509: Any, common: str) -> Any:
    oid = x509.oid.NameOID
    return x509.Name(
        [x509.NameAttribute(oid.ORGANIZATION_NAME, "evalkit"), x509.NameAttribute(oid.COMMON_NAME, common)]
    )


def _cryptography() -> tuple[Any, Any, Any]:
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError:
        raise MissingDependency("signing", "sign") from None
    return x509, serialization, ec
