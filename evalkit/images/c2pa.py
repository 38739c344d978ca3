"""C2PA manifests: one image signed, one image's manifest read; offline, without thumbnails, pixels untouched.

C2PA 2.x names: the action `c2pa.created` with digital source type `trainedAlgorithmicMedia`; validation states of the
c2pa-python library (contentauth/c2pa-python), whose codes are quoted as they come.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from evalkit.errors import EvalkitError, MissingDependency
from evalkit.images.credential import Credential
from evalkit.images.kinds import KINDS, Kind, kind_of_file, kind_of_name
from evalkit.jsonio import parse_json
from evalkit.version import __version__

State = Literal["absent", "valid", "trusted", "invalid"]
Action = Mapping[str, Any]

MADE_BY_A_MODEL = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
CREATED: Action = {"action": "c2pa.created", "digitalSourceType": MADE_BY_A_MODEL}
WATERMARKED: Action = {"action": "c2pa.watermarked.unbound"}  # carries no reference to a manifest, unlike .bound


@dataclass(frozen=True)
class Manifest:
    """What an image's manifest is worth.

    `state`: absent; valid (signature and hashes hold, nobody here knows the signer); trusted (the signer's chain ends in
    a given anchor); invalid. `codes`: the validator's failure codes. `content`: the active manifest.
    """

    state: State
    codes: tuple[str, ...] = ()
    content: Mapping[str, Any] | None = None

    @property
    def actions(self) -> tuple[str, ...]:
        """Names of the actions that the manifest states, such as c2pa.created."""
        assertions = (self.content or {}).get("assertions", [])
        return tuple(
            str(action["action"])
            for each in assertions
            if str(each.get("label", "")).startswith("c2pa.actions")
            for action in each["data"]["actions"]
        )


def sign_image(
    source: str | Path,
    target: str | Path,
    credential: Credential,
    actions: Sequence[Action] = (CREATED,),
    *,
    assertions: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Write `target`, the image `source` with a signed manifest in it; the pixels stay as they are.

    `actions`: what happened to the image, in order (`CREATED`, `WATERMARKED`, or other C2PA actions). `assertions`:
    further ones, each with `label` and `data`. Raises `EvalkitError` where the format holds no manifest, `source` and
    `target` are one file, or the credential is refused.
    """
    c2pa = _library()
    source, target = Path(source), Path(target)
    kind = _holding(source)
    if kind_of_name(target) is not kind:
        raise EvalkitError(f"{target.name}: a signed copy keeps the format; give a name that ends in {source.suffix}")
    if target.exists() and target.samefile(source):
        raise EvalkitError(f"{source} would be overwritten by its signed copy; give another target")
    definition = {
        "claim_generator_info": [{"name": "evalkit", "version": __version__}],
        "title": target.name,
        "format": kind.mime,
        "assertions": [
            {"label": "c2pa.actions", "data": {"actions": [dict(action) for action in actions]}},
            *({"label": each["label"], "data": each["data"]} for each in assertions),
        ],
    }
    settings = {"builder": {"thumbnail": {"enabled": False}}, "verify": {"verify_after_sign": False}}
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".writing-{os.getpid()}-{target.name}")
    try:
        with c2pa.Context.from_dict(settings) as context, _signer(c2pa, credential) as signer:
            builder = c2pa.Builder(json.dumps(definition), context)
            with builder, source.open("rb") as read, temporary.open("w+b") as write:
                builder.sign(signer, kind.mime, read, write)
        temporary.replace(target)
    except c2pa.C2paError as error:
        raise EvalkitError(f"{source.name} could not be given a C2PA manifest: {error}") from None
    except OSError as error:
        raise EvalkitError(f"{source} could not be signed: {error.strerror or error}") from None
    finally:
        temporary.unlink(missing_ok=True)


def read_manifest(path: str | Path, *, anchors: bytes | None = None) -> Manifest:
    """The manifest in the image `path` and its state; `anchors`: PEM certificates of authorities to trust.

    Without anchors nothing is ever `trusted`. Raises `EvalkitError` where the file is not there.
    """
    c2pa = _library()
    path = Path(path)
    if not path.is_file():
        raise EvalkitError(f"{path} is not there; give an image")
    kind = _kind(path)
    if kind is None or not kind.manifest:
        return Manifest("absent")
    trust = {"trust_anchors": anchors.decode()} if anchors else {}
    settings = {"verify": {"verify_trust": anchors is not None, "remote_manifest_fetch": False}, "trust": trust}
    try:
        with c2pa.Context.from_dict(settings) as context, path.open("rb") as stream:
            reader = c2pa.Reader(kind.mime, stream, context=context)
            with reader:
                said = parse_json(reader.json(), str(path))
                state = str(reader.get_validation_state())
    except c2pa.C2paError.ManifestNotFound:
        return Manifest("absent")
    except c2pa.C2paError as error:
        return Manifest("invalid", (str(error),))
    states: dict[str, State] = {"Valid": "valid", "Trusted": "trusted"}
    codes = tuple(str(each["code"]) for each in said.get("validation_status", []))
    return Manifest(states.get(state, "invalid"), codes, said["manifests"][said["active_manifest"]])


def _library() -> Any:
    try:
        import c2pa
    except ImportError:
        raise MissingDependency("C2PA", "sign") from None
    return c2pa


def _signer(c2pa: Any, credential: Credential) -> Any:
    info = c2pa.C2paSignerInfo(credential.algorithm.encode(), credential.certificates, credential.key, None)
    return c2pa.Signer.from_info(info)


def _kind(path: Path) -> Kind | None:
    """The kind of the file by its bytes, by its name where they show none or it is not there."""
    try:
        return kind_of_file(path)
    except OSError:
        return kind_of_name(path)


def _holding(path: Path) -> Kind:
    """The kind of an image that a manifest can go into."""
    kind = _kind(path)
    if kind is None or not kind.manifest:
        known = ", ".join(each.name for each in KINDS if each.manifest)
        raise EvalkitError(f"{path.name}: C2PA manifests go into {known}; convert the image first")
    return kind
