import sys

import numpy as np
import pytest
from PIL import Image

from evalkit.errors import EvalkitError, MissingDependency
from evalkit.images.credential import load_credential, new_credential

pytest.importorskip("c2pa")

from evalkit.images import c2pa
from evalkit.images.c2pa import CREATED, WATERMARKED, read_manifest, sign_image


@pytest.fixture
def credential(tmp_path):
    return new_credential(tmp_path / "credential")


@pytest.fixture
def image(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (48, 40, 3), dtype=np.uint8)
    path = tmp_path / "picture.png"
    Image.fromarray(pixels).save(path)
    return path


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tiff", ".gif"])
def test_a_signed_image_has_the_same_pixels_and_a_valid_manifest(suffix, credential, image, tmp_path):
    source, target = tmp_path / f"a{suffix}", tmp_path / "out" / f"b{suffix}"
    Image.open(image).save(source)
    sign_image(source, target, credential)
    found = read_manifest(target)
    assert (found.state, found.codes, found.actions) == ("valid", (), ("c2pa.created",))
    with Image.open(source) as before, Image.open(target) as after:
        assert np.array_equal(before.convert("RGB"), after.convert("RGB"))
    assert [each.name for each in target.parent.iterdir()] == [target.name]


def test_the_manifest_says_that_a_model_made_the_image(credential, image, tmp_path):
    sign_image(image, tmp_path / "b.png", credential, (CREATED, WATERMARKED))
    found = read_manifest(tmp_path / "b.png")
    assert found.state == "valid"
    assert found.actions == ("c2pa.created", "c2pa.watermarked.unbound")
    (actions,) = (each for each in found.content["assertions"] if each["label"].startswith("c2pa.actions"))
    assert actions["data"]["actions"][0]["digitalSourceType"].endswith("/trainedAlgorithmicMedia")
    assert found.content["claim_generator_info"][0]["name"] == "evalkit"
    assert "thumbnail" not in found.content


def test_further_assertions_come_back(credential, image, tmp_path):
    binding = {
        "label": "c2pa.soft-binding",
        "data": {"alg": "org.example.mark", "blocks": [{"scope": {}, "value": "7"}]},
    }
    bound = {"action": "c2pa.watermarked.bound"}
    sign_image(image, tmp_path / "b.png", credential, (CREATED, bound), assertions=[binding])
    found = read_manifest(tmp_path / "b.png")
    assert found.state == "valid"
    (back,) = (each for each in found.content["assertions"] if each["label"] == "c2pa.soft-binding")
    assert back["data"]["alg"] == "org.example.mark"
    assert back["data"]["blocks"][0]["value"] == "7"


def test_only_a_given_authority_makes_a_manifest_trusted(credential, image, tmp_path):
    sign_image(image, tmp_path / "b.png", credential)
    new_credential(tmp_path / "other")
    own, other = ((tmp_path / name / "authority.pem").read_bytes() for name in ("credential", "other"))
    assert read_manifest(tmp_path / "b.png", anchors=own).state == "trusted"
    found = read_manifest(tmp_path / "b.png", anchors=other)
    assert (found.state, found.codes) == ("valid", ("signingCredential.untrusted",))


def test_a_changed_byte_makes_a_manifest_invalid_and_saving_again_removes_it(credential, image, tmp_path):
    sign_image(image, tmp_path / "b.png", credential)
    data = bytearray((tmp_path / "b.png").read_bytes())
    data[-60] ^= 1
    (tmp_path / "flipped.png").write_bytes(data)
    found = read_manifest(tmp_path / "flipped.png")
    assert (found.state, found.codes) == ("invalid", ("assertion.dataHash.mismatch",))
    Image.open(tmp_path / "b.png").save(tmp_path / "again.png")
    assert read_manifest(tmp_path / "again.png").state == "absent"


def test_images_without_a_manifest_are_absent(image, tmp_path):
    assert read_manifest(image).state == "absent"
    Image.open(image).save(tmp_path / "a.bmp")
    assert read_manifest(tmp_path / "a.bmp").state == "absent"
    (tmp_path / "text.png").write_text("no image")
    assert read_manifest(tmp_path / "text.png").state == "invalid"
    assert read_manifest(tmp_path / "text.png").actions == ()
    with pytest.raises(EvalkitError, match="is not there"):
        read_manifest(tmp_path / "nothing.png")


def test_wrong_targets_and_sources_are_refused_and_leave_nothing(credential, image, tmp_path):
    before = image.read_bytes()
    with pytest.raises(EvalkitError, match="would be overwritten"):
        sign_image(image, image, credential)
    with pytest.raises(EvalkitError, match="keeps the format"):
        sign_image(image, tmp_path / "b.jpg", credential)
    with pytest.raises(EvalkitError, match="convert the image"):
        sign_image(tmp_path / "a.bmp", tmp_path / "b.bmp", credential)
    with pytest.raises(EvalkitError, match="could not be signed"):
        sign_image(tmp_path / "nothing.png", tmp_path / "out" / "b.png", credential)
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(EvalkitError, match="could not be given a C2PA manifest"):
        sign_image(tmp_path / "text.png", tmp_path / "out" / "b.png", credential)
    assert image.read_bytes() == before
    assert list((tmp_path / "out").iterdir()) == []


def test_an_ed25519_key_is_named_as_such(tmp_path, credential):
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

    def written(key, name):
        path = tmp_path / name
        none = serialization.NoEncryption()
        path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, none))
        path.chmod(0o600)
        return path

    chain = tmp_path / "credential" / "signer.pem"
    assert load_credential(chain, written(ed25519.Ed25519PrivateKey.generate(), "ed.key")).algorithm == "ed25519"
    with pytest.raises(EvalkitError, match="of a kind not taken"):
        load_credential(chain, written(rsa.generate_private_key(65537, 2048), "rsa.key"))


def test_credentials_are_read_from_files_or_the_environment_and_never_shown(tmp_path, credential, monkeypatch):
    chain = tmp_path / "credential" / "signer.pem"
    assert load_credential(chain) == credential
    assert "PRIVATE" not in repr(credential)
    (tmp_path / "elsewhere.pem").write_bytes(chain.read_bytes())
    with pytest.raises(EvalkitError, match="no private key was given"):
        load_credential(tmp_path / "elsewhere.pem")
    monkeypatch.setenv("EVALKIT_C2PA_KEY", credential.key.decode())
    assert load_credential(tmp_path / "elsewhere.pem") == credential
    monkeypatch.setenv("EVALKIT_C2PA_KEY", "no key")
    with pytest.raises(EvalkitError, match="unencrypted PEM"):
        load_credential(tmp_path / "elsewhere.pem")
    with pytest.raises(EvalkitError, match="cannot be read"):
        load_credential(tmp_path / "nothing.pem")
    (tmp_path / "text.pem").write_text("nothing")
    with pytest.raises(EvalkitError, match="holds no PEM certificate"):
        load_credential(tmp_path / "text.pem")


def test_a_new_credential_overwrites_nothing_and_its_key_is_its_owners(tmp_path, credential):
    assert (tmp_path / "credential" / "signer.key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(EvalkitError, match="is not overwritten"):
        new_credential(tmp_path / "credential")
    (tmp_path / "credential" / "signer.key").chmod(0o644)
    with pytest.raises(EvalkitError, match="chmod 600"):
        load_credential(tmp_path / "credential" / "signer.pem")


def test_a_missing_package_is_named_with_its_extra(monkeypatch, image):
    monkeypatch.setitem(sys.modules, "c2pa", None)
    with pytest.raises(MissingDependency, match=r"evalkit-ar\[sign\]"):
        c2pa.read_manifest(image)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    monkeypatch.delitem(sys.modules, "cryptography.x509", raising=False)
    with pytest.raises(MissingDependency, match=r"evalkit-ar\[sign\]"):
        new_credential(image.parent / "new")
