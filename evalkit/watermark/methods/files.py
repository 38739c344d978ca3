"""mark.json: what embedding leaves for detection beside the images; it holds everything but the key, and its HMAC."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.jsonio import canonical_json, parse_json, pretty_json
from evalkit.runs.plain import read_plain
from evalkit.runs.store import write_bytes
from evalkit.version import __version__
from evalkit.watermark.keys import Key
from evalkit.watermark.mark import Mark
from evalkit.watermark.spec import MarkSpec, numbers_of

FORMAT = 2
NAME = "mark.json"
FIELDS: dict[str, type] = {
    "format": int, "evalkit": str, "mark": dict, "tokenizer": str, "key_id": str, "embedding": dict, "hmac": str
}  # fmt: skip


@dataclass(frozen=True)
class MarkFile:
    """A mark.json: the spec, the tokenizer's identity, the key's id, and how it was embedded (delta, fraction, …).

    `content` is what its `seal`, an HMAC under the key, authenticates.
    """

    spec: MarkSpec
    tokenizer: str
    key_id: str
    embedding: Mapping[str, Any] = field(default_factory=dict)
    path: str = NAME
    content: Mapping[str, Any] = field(default_factory=dict)
    seal: str = ""

    @property
    def tokenizer_name(self) -> str:
        """The tokenizer without its weights' digest."""
        return self.tokenizer.rpartition("@")[0]

    def check(self, key: Key, tokenizer: str | None = None) -> None:
        """Raise `EvalkitError` unless `key` made this very file, for the tokenizer with the identity `tokenizer`."""
        if key.id != self.key_id:
            raise EvalkitError(
                f"{self.path} was made with the key {self.key_id}; the key given is {key.id} (give the file of the former)"
            )
        if not hmac.compare_digest(self.seal, seal_of(key, self.content)):
            raise EvalkitError(f"{self.path} has been changed since it was made. Give the file that embedding left")
        if tokenizer is not None:
            self.check_tokenizer(tokenizer)

    def check_tokenizer(self, identity: str) -> None:
        """Raise `EvalkitError` unless the tokenizer with this identity is the mark's."""
        if identity != self.tokenizer:
            raise EvalkitError(
                f"{self.path} was made for the tokenizer {_short(self.tokenizer)}; {_short(identity)} given. "
                "Give --tokenizer and --weights of the other one"
            )


def content_of(mark: Mapping[str, Any], tokenizer: str, embedding: Mapping[str, Any]) -> dict[str, Any]:
    """What mark.json says, and what is authenticated, of a mark's `as_dict` for a tokenizer's identity."""
    numbers = {name: value for name, value in mark.items() if name != "key_id"}
    said = {"format": FORMAT, "mark": numbers, "tokenizer": tokenizer, "key_id": mark["key_id"]}
    return {**said, "embedding": dict(embedding)}


def seal_of(key: Key, content: Mapping[str, Any]) -> str:
    """The HMAC-SHA256 of a mark.json's content under its key, as hex."""
    return key.derive(NAME, canonical_json(content).decode("utf-8")).hex()


def mark_json(content: Mapping[str, Any], seal: str) -> bytes:
    """The bytes of mark.json."""
    return pretty_json({**content, "evalkit": __version__, "hmac": seal})


def write_mark(path: str | Path, mark: Mark, embedding: Mapping[str, Any] | None = None) -> None:
    """Write mark.json to `path`; `embedding` says how images were marked and is told to whoever reads it."""
    content = content_of(mark.as_dict(), mark.tokenizer, embedding or {})
    write_bytes(Path(path), mark_json(content, seal_of(mark.key, content)))


def read_mark(path: str | Path) -> MarkFile:
    """The mark.json at `path`, or in the folder `path`; raises `EvalkitError` where it is none.

    Whether its key made it is known once `MarkFile.check` has the key.
    """
    file = Path(path).expanduser()
    file = file / NAME if file.is_dir() else file
    try:
        said = parse_json(read_plain(file), str(file))
    except OSError as error:
        raise EvalkitError(
            f"{file} cannot be read ({error.strerror}); give the mark.json that `evalkit watermark embed` left"
        ) from None
    except ValueError:
        said = None
    if isinstance(said, dict) and isinstance(said.get("format"), int) and said["format"] != FORMAT:
        remedy = "Mark the images again" if said["format"] < FORMAT else "Update evalkit"
        raise EvalkitError(f"{file} has format {said['format']}; this evalkit reads format {FORMAT}. {remedy}")
    if not isinstance(said, dict) or not _well_formed(said):
        raise EvalkitError(f"{file} is no mark.json; give the one that `evalkit watermark embed` left")
    content = {name: value for name, value in said.items() if name not in ("evalkit", "hmac")}
    spec = MarkSpec.from_dict(said["mark"])
    return MarkFile(spec, said["tokenizer"], said["key_id"], said["embedding"], str(file), content, said["hmac"])


def _well_formed(said: Mapping[str, Any]) -> bool:
    """Whether a mark.json has each of its fields, no other, and each of its kind."""
    if said.keys() != FIELDS.keys() or not all(isinstance(said[name], kind) for name, kind in FIELDS.items()):
        return False
    known = re.fullmatch(r"[^@]+@.+", said["tokenizer"]) and re.fullmatch(r"[0-9a-f]{16}", said["key_id"])
    whole = said["mark"].keys() == {"method", *numbers_of(str(said["mark"].get("method")))}
    return bool(known and whole and re.fullmatch(r"[0-9a-f]{64}", said["hmac"]))


def _short(identity: str) -> str:
    name, _, digest = identity.rpartition("@")
    return f"{name}@{digest[:12]}"
