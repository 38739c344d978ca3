"""mark.json: what embedding leaves for detection beside the images; it holds everything but the key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.jsonio import parse_json, pretty_json
from evalkit.runs.store import write_bytes
from evalkit.version import __version__
from evalkit.watermark.keys import Key
from evalkit.watermark.mark import Mark
from evalkit.watermark.spec import MarkSpec

FORMAT = 1
NAME = "mark.json"


@dataclass(frozen=True)
class MarkFile:
    """A mark.json: the spec, the tokenizer's identity, the key's id, and how it was embedded (delta, fraction, …)."""

    spec: MarkSpec
    tokenizer: str
    key_id: str
    embedding: Mapping[str, Any] = field(default_factory=dict)
    path: str = NAME

    @property
    def tokenizer_name(self) -> str:
        """The tokenizer without its weights' digest."""
        return self.tokenizer.rpartition("@")[0]

    def check(self, key: Key, tokenizer: str | None = None) -> None:
        """Raise `EvalkitError` unless `key`, and the identity `tokenizer` where given, are those of the mark."""
        self.check_id(key.id)
        if tokenizer is not None:
            self.check_tokenizer(tokenizer)

    def check_id(self, key_id: str) -> None:
        """Raise `EvalkitError` unless the key with this id is the mark's."""
        if key_id != self.key_id:
            raise EvalkitError(
                f"{self.path} was made with the key {self.key_id}; the key given is {key_id} (give the file of the former)"
            )

    def check_tokenizer(self, identity: str) -> None:
        """Raise `EvalkitError` unless the tokenizer with this identity is the mark's."""
        if identity != self.tokenizer:
            raise EvalkitError(
                f"{self.path} was made for the tokenizer {_short(self.tokenizer)}; {_short(identity)} given. "
                "Give --tokenizer and --weights of the other one"
            )


def mark_json(mark: Mapping[str, Any], tokenizer: str, embedding: Mapping[str, Any]) -> bytes:
    """mark.json of a mark's `as_dict` for a tokenizer's identity; `embedding` says how images were marked."""
    said = {name: value for name, value in mark.items() if name != "key_id"}
    content = {"format": FORMAT, "evalkit": __version__, "mark": said, "tokenizer": tokenizer}
    return pretty_json({**content, "key_id": mark["key_id"], "embedding": dict(embedding)})


def write_mark(path: str | Path, mark: Mark, embedding: Mapping[str, Any] | None = None) -> None:
    """Write mark.json to `path`; `embedding` says how images were marked and is told to whoever reads it."""
    write_bytes(Path(path), mark_json(mark.as_dict(), mark.tokenizer, embedding or {}))


def read_mark(path: str | Path) -> MarkFile:
    """The mark.json at `path`, or in the folder `path`; raises `EvalkitError` where it is none."""
    file = Path(path).expanduser()
    file = file / NAME if file.is_dir() else file
    try:
        said = parse_json(file.read_bytes(), str(file))
        version, key_id, tokenizer = said["format"], str(said["key_id"]), str(said["tokenizer"])
        numbers, embedding = dict(said["mark"]), dict(said.get("embedding", {}))
    except OSError as error:
        raise EvalkitError(
            f"{file} cannot be read ({error.strerror}); give the mark.json that `evalkit watermark embed` left"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise EvalkitError(f"{file} is no mark.json; give the one that `evalkit watermark embed` left") from None
    if version != FORMAT:
        raise EvalkitError(f"{file} has format {version}; this evalkit reads format {FORMAT}. Update evalkit")
    return MarkFile(MarkSpec.from_dict(numbers), tokenizer, key_id, embedding, str(file))


def _short(identity: str) -> str:
    name, _, digest = identity.rpartition("@")
    return f"{name}@{digest[:12]}"
