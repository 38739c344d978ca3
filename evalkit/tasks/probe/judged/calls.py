"""The questions about one image: which are asked, their text, the order of texts and images, how each reply is read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.errors import DAMAGED, EvalkitError
from evalkit.images.decode import decode_image
from evalkit.images.sample import Pixels
from evalkit.judges.outcome import Reader
from evalkit.judges.parse import NoAnswer
from evalkit.judges.prepare import Preparation
from evalkit.judges.readers import reader_of
from evalkit.judges.reply import RawReply
from evalkit.judges.request import ImagePart, JudgeRequest, Parameters, Part, question
from evalkit.protocols.judged.declaration import CallRule, TextRef
from evalkit.tasks.probe.judged.formula import evaluate
from evalkit.tasks.probe.judged.items import JudgedItem
from evalkit.tasks.probe.judged.templates import fill_in
from evalkit.tasks.probe.judged.texts import filled, official_text

Source = Callable[[str], bytes]  # role -> the bytes of that image's file


@dataclass(frozen=True)
class Asked:
    """One question about an image: its name ("scores", or "scores/2" for an element), its call, and the element's fields."""

    name: str
    call: CallRule
    fields: Mapping[str, Any]

    def reader(self, *, official: bool) -> Reader:
        """How its reply is read, by the benchmark's own parser or by that of evalkit-1."""
        spec = self.call.read if official else self.call.corrected
        made = reader_of({key: _filled(value, self.fields) for key, value in spec.items()})
        made = Reader(made.parse, cut_is_fine=True) if official else made
        count = self.fields.get(self.call.count) if self.call.count else None
        return made if count is None else _counted(made, len(count))


def asked_of(calls: Sequence[CallRule], item: JudgedItem) -> Iterator[Asked]:
    """The questions about an image of `item`, in order."""
    for call in calls:
        if call.when and not evaluate(call.when, item.metadata):
            continue
        if not call.each:
            yield Asked(call.name, call, item.metadata)
            continue
        elements = item.metadata.get(call.each)
        if not isinstance(elements, list | tuple):
            raise EvalkitError(
                f"item {item.id} lacks the list {call.each[:60]!r} of the call {call.name}. Give the data"
            )
        for place, element in enumerate(elements):
            fields = element if isinstance(element, Mapping) else {"element": element}
            yield Asked(f"{call.name}/{place}", call, {**item.metadata, **fields, "place": place})


def request_of(asked: Asked, folder: Path, image: Pixels, data: bytes | None, source: Source) -> JudgeRequest:
    """The question as it is sent. `data`: the image's own file, where it is one; `source` gives the bytes of a role."""
    call = asked.call
    places = {key: fill_in(value, _Fields(asked.fields)) for key, value in call.fill.items()}
    refs = (_drawn(call.text, asked.fields),) if call.one else call.text
    texts = [official_text(folder, ref, asked.fields) for ref in refs]
    texts = [each.replace("{{", "{").replace("}}", "}") for each in texts] if call.braces else texts
    texts = [filled(each, places) for each in texts]
    ready = prepared_of(call)
    parts: list[Part] = []
    for role in call.content:
        if role == "text":
            parts.append("\n".join(texts))
        elif role == "image":
            size = decode_image(source(call.like)).shape[:2] if call.like else None
            parts.append(_image(ready, image, data, (size[0], size[1]) if size else None))
        elif role.startswith("parts:"):
            parts += [_listed(each, ready, image, data, source) for each in asked.fields[role.removeprefix("parts:")]]
        else:
            parts.append(ready.file(source(role)))
    system = None if call.system is None else official_text(folder, call.system, asked.fields)
    return question(*parts, system=system, parameters=parameters_of(call))


def prepared_of(call: CallRule) -> Preparation:
    """How an image is sent."""
    try:
        return Preparation(**{"format": "PNG", **call.image})
    except EvalkitError:
        raise
    except DAMAGED as error:
        raise EvalkitError(f"the call {call.name} prepares its image oddly: {error}. Mend the suite's file") from None


def parameters_of(call: CallRule) -> Parameters:
    """How the judge decodes; what the benchmark does not send is not sent."""
    given = {"temperature": None, "max_tokens": None, **call.parameters}
    try:
        return Parameters(**given)
    except TypeError as error:
        raise EvalkitError(f"the call {call.name} has odd parameters: {error}. Mend the suite's file") from None


def _drawn(refs: Sequence[TextRef], fields: Mapping[str, Any]) -> TextRef:
    """One of several texts, by the item's own words and not by chance."""
    digest = hashlib.sha256(str(fields["prompt"]).encode("utf-8", "surrogatepass")).digest()
    return refs[digest[0] % len(refs)]


def _listed(each: str, ready: Preparation, image: Pixels, data: bytes | None, source: Source) -> Part:
    """A part of an item's own list: "@" is the image, "@NAME" the file of a source, anything else a text."""
    if each == "@":
        return _image(ready, image, data, None)
    return ready.file(source(each)) if each.startswith("@") else each


def _image(ready: Preparation, image: Pixels, data: bytes | None, size: tuple[int, int] | None) -> ImagePart:
    if ready.format == "stored" and data is None:  # a part of a grid has no file of its own
        return Preparation(ready.max_side, "PNG", detail=ready.detail).pixels(image)
    return ready.file(data) if ready.format == "stored" and data is not None else ready.pixels(image, size=size)


def _counted(reader: Reader, count: int) -> Reader:
    def parse(raw: RawReply) -> Any:
        value = reader.parse(raw)
        answers = value[0] if isinstance(value, tuple) else value
        if len(answers) != count:
            raise NoAnswer(f"{len(answers)} answers to {count} questions")
        return value

    return Reader(parse, reader.cut_is_fine)


def _filled(value: Any, fields: Mapping[str, Any]) -> Any:
    """Templates in a reader's table filled in from fields."""
    if isinstance(value, str) and "{" in value and value.startswith("{"):
        return fill_in(value, _Fields(fields))
    if isinstance(value, list | tuple):
        return [_filled(each, fields) for each in value]
    return value


class _Fields(dict[str, Any]):
    def __init__(self, fields: Mapping[str, Any]) -> None:
        super().__init__(fields)

    def __missing__(self, key: str) -> Any:
        raise EvalkitError(f"the data have no field {key!r} that a question names. Give the official files")
