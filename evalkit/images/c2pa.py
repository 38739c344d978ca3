"""C2PA manifests: one image signed, one image's manifest read; offline, without thumbnails, pixels untouched.

C2PA 2.x names: the action `c2pa.created` with digital source type `trainedAlgorithmicMedia`; validation states of the
c2pa-python library (contentauth/c2pa-python), whose codes are quoted as they come.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from evalkit.errors import DAMAGED, EvalkitError, MissingDependency
from evalkit.images.credential import Credential
from evalkit.images.kinds import HEAD, KINDS, Kind, kind_of_bytes, kind_of_file, kind_of_name
from evalkit.jsonio import parse_json
from evalkit.version import __version__
from evalkit.whole_files import unfinished

State = Literal["absent", "valid", "trusted", "invalid"]
Action = Mapping[str, Any]

MADE_BY_A_MODEL = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
CREATED: Action = {"action": "c2pa.created", "digitalSourceType": MADE_BY_A_MODEL}
PARENT = "parent"  # what an action calls the ingredient that the image was made from
OPENED: Action = {
    "action": "c2pa.opened",
    "digitalSourceType": MADE_BY_A_MODEL,
    "parameters": {"ingredientIds": [PARENT]},
}
STORE = b"c2pa"  # the label of a manifest store, in the bytes of every file that holds one
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
        return tuple(str(action["action"]) for action in self._stated())

    @property
    def source_types(self) -> tuple[str, ...]:
        """Last words of the digital source types that its actions state, such as trainedAlgorithmicMedia."""
        types = (action.get("digitalSourceType") for action in self._stated())
        return tuple(dict.fromkeys(str(each).rpartition("/")[2][:100] for each in types if each))

    def _stated(self) -> list[Action]:
        """Its actions; a foreign manifest may hold anything in their place."""
        found: list[Action] = []
        for each in (self.content or {}).get("assertions", []):
            if str(each.get("label", "")).startswith("c2pa.actions") and isinstance(each.get("data"), Mapping):
                listed = each["data"].get("actions")
                found += (
                    [a for a in listed if isinstance(a, Mapping) and "action" in a] if isinstance(listed, list) else []
                )
        return found


def sign_image(
    source: str | Path,
    target: str | Path,
    credential: Credential,
    actions: Sequence[Action] = (CREATED,),
    *,
    assertions: Sequence[Mapping[str, Any]] = (),
    parent: str | Path | None = None,
) -> None:
    """Write `target`, the image `source` with a signed manifest in it; the pixels stay as they are.

    `actions`: what happened to the image, in order (`CREATED`, `WATERMARKED`, or other C2PA actions). `assertions`:
    further ones, each with `label` and `data`. `parent`: the image that it was made from, whose manifest is kept as that
    of an ingredient; the first action is then `OPENED`. Raises `EvalkitError` where the format holds no manifest, `source` and
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
    temporary = unfinished(target)
    try:
        with c2pa.Context.from_dict(settings) as context, _signer(c2pa, credential) as signer:
            builder = c2pa.Builder(json.dumps(definition), context)
            with builder, source.open("rb") as read, temporary.open("w+b") as write:
                if parent is not None:
                    _add_parent(builder, Path(parent))
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
    _library()
    path = Path(path)
    if not path.is_file():
        raise EvalkitError(f"{path} is not there; give an image")
    kind = _kind(path)
    if kind is None or not kind.manifest:
        return Manifest("absent")
    with path.open("rb") as stream:
        return _read(stream, kind, anchors, str(path))


def manifest_of(data: bytes, *, anchors: bytes | None = None) -> Manifest:
    """`read_manifest` of a file's bytes; "absent", without the library, where they name no manifest store."""
    kind = kind_of_bytes(data[:HEAD])
    if STORE not in data or kind is None or not kind.manifest:
        return Manifest("absent")
    try:
        return _read(io.BytesIO(data), kind, anchors, "the image")
    except DAMAGED as error:  # a manifest that its own library reads, and that is none
        return Manifest("invalid", (type(error).__name__,))


def _read(stream: BinaryIO, kind: Kind, anchors: bytes | None, what: str) -> Manifest:
    c2pa = _library()
    trust = {"trust_anchors": anchors.decode()} if anchors else {}
    settings = {"verify": {"verify_trust": anchors is not None, "remote_manifest_fetch": False}, "trust": trust}
    try:
        with c2pa.Context.from_dict(settings) as context, c2pa.Reader(kind.mime, stream, context=context) as reader:
            said = parse_json(reader.json(), what)
            state = str(reader.get_validation_state())
    except c2pa.C2paError.ManifestNotFound:
        return Manifest("absent")
    except c2pa.C2paError as error:
        return Manifest("invalid", (str(error),))
    states: dict[str, State] = {"Valid": "valid", "Trusted": "trusted"}
    codes = tuple(str(each["code"]) for each in said.get("validation_status", []))
    return Manifest(states.get(state, "invalid"), codes, said["manifests"][said["active_manifest"]])


def _add_parent(builder: Any, parent: Path) -> None:
    with parent.open("rb") as stream:
        ingredient = {"title": parent.name, "relationship": "parentOf", "label": PARENT}
        builder.add_ingredient(json.dumps(ingredient), _holding(parent).mime, stream)


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
