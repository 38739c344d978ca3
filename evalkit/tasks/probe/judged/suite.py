"""A judged suite: the stages of a probe for a benchmark that a TOML file declares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.judges.naming import metric_name
from evalkit.judges.policy import policy_of
from evalkit.judges.reply import Reply
from evalkit.judges.request import JudgeRequest, Message
from evalkit.protocols.judged import Declaration, declared, load_declaration, read_declaration
from evalkit.runs.plain import read_plain
from evalkit.tasks.probe.evidence.record import AskedReply, Evidence, ImageEvidence
from evalkit.tasks.probe.judged.boxes import RULES, SURE, sure
from evalkit.tasks.probe.judged.calls import Asked, asked_of, request_of
from evalkit.tasks.probe.judged.items import JudgedItem, items_lines, items_of_lines, read_items
from evalkit.tasks.probe.judged.layout import read_named, source_name, source_path
from evalkit.tasks.probe.judged.rows import absent_row, judged_row
from evalkit.tasks.probe.judged.seat import Seat
from evalkit.tasks.probe.judged.summary import summarise
from evalkit.tasks.probe.layout import PlacedImage
from evalkit.tasks.probe.measures import Embeds
from evalkit.tasks.probe.rows import ProbeRow, ProbeScore
from evalkit.tasks.probe.spread import packed, spreads
from evalkit.tasks.probe.suite import SUITES, Encoders, ProbeImage

ITEMS, DECLARATION = "items.jsonl", "suite.toml"  # in the run; the latter of a suite of the user's own


@dataclass(frozen=True)
class JudgedSuite:
    """`said`: the declaration. `items`: none until the benchmark's files are opened. `folder`, `sources`: where its files
    and the images that edits start from lie. `policy`: for lost items, the benchmark's own by default. `own`: the bytes of
    the file that declares it, where that is a user's.
    """

    said: Declaration
    items: tuple[JudgedItem, ...] = ()
    folder: Path = Path()
    sources: Path = Path()
    policy: str = ""
    own: bytes = b""

    @property
    def name(self) -> str:
        """What it is called."""
        return self.said.name

    @property
    def title(self) -> str:
        """What it measures."""
        return self.said.title

    @property
    def judge(self) -> str | None:
        """The judge whose scores bear the suite's own name."""
        return self.said.judge

    @property
    def detector(self) -> str | None:
        """Who looks for objects, where not a judge."""
        return self.said.detector or None

    @property
    def samples(self) -> int:
        """Images of each item."""
        return self.said.images.samples * self.said.images.grid**2

    @property
    def size(self) -> int | None:
        """Items of the whole benchmark, where that is known."""
        return self.said.items.count or len(self.items) or None

    @property
    def one_size(self) -> bool:
        """Whether all images must have one size."""
        return self.said.images.one_size

    @property
    def changed(self) -> Mapping[str, float | str]:
        """The policy, where it is not the benchmark's own."""
        return {"policy": self.policy} if self.policy not in ("", self.said.policy) else {}

    def configured(self, values: Mapping[str, float | str]) -> JudgedSuite:
        """The same suite under another policy. Raises `EvalkitError` for anything else."""
        if odd := sorted(set(values) - {"policy"}):
            raise EvalkitError(f"{self.name} has no {odd[0]} in its rules. Give --policy NAME")
        return replace(self, policy=policy_of(str(values["policy"])).name) if values else self

    def opened(self, folder: Path, sources: Path | None = None) -> JudgedSuite:
        """The same suite with the items of the official files in `folder`, or of a run's items file."""
        items = items_of_lines(folder) if folder.is_file() else read_items(self.said, folder)
        return replace(self, items=items, folder=folder, sources=sources or folder)

    def prompts(self) -> Sequence[JudgedItem]:
        """The items. Raises `EvalkitError` where the benchmark's files were not opened."""
        if not self.items:
            raise EvalkitError(
                f"{self.name} needs its files. Type evalkit probes fetch {self.name}, or give --data DIR"
            )
        return self.items

    def layout(self, folder: Path) -> list[PlacedImage]:
        """The images of a folder by the names that the benchmark gives them."""
        return read_named(folder, self.said.images, self.prompts())

    def evidence(self, images: Iterable[ProbeImage], encoders: Encoders) -> Iterator[ImageEvidence]:
        """The judge's replies about each image; questions about all of them are asked together."""
        seat, known = encoders.judge, {item.id: item for item in self.prompts()}
        if seat is None and not all(call.optional for call in self.said.calls):
            raise EvalkitError(f"the probe {self.name} needs a judge. Give --judge http:URL#MODEL or transformers:REPO")
        if self.said.boxes and (encoders.detector is None or self.said.boxes not in RULES):
            raise EvalkitError(
                f"the probe {self.name} runs no detector here. Give --evidence FILE of the official script"
            )
        kept = list(images)
        given = {image.image: [] for image in kept} if seat is None else self._asked(kept, known, seat)
        for image in kept:
            size = (image.pixels.shape[0], image.pixels.shape[1])
            item, edits = known[image.prompt], encoders.edits
            files = partial(self._source, item)
            measures = None if edits is None else edits.measured(image.pixels, item.metadata, files)
            replies = tuple(given[image.image])
            row = encoders.edits.embedding(image.pixels) if isinstance(encoders.edits, Embeds) else None
            seen = ImageEvidence(image.image, image.prompt, image.sample, size, replies=replies, measures=measures)
            seen = seen if row is None else replace(seen, embedding=packed(row))
            detector = encoders.detector if self.said.boxes else None
            yield seen if detector is None else replace(seen, boxes=detector([image.pixels])[0])

    def facts(self, encoders: Encoders) -> dict[str, Any]:
        """The facts of evidence that this judge gives."""
        boxes = encoders.detector if self.said.boxes else None
        used = {"judge": encoders.judge, "edits": encoders.edits, "boxes": boxes}
        return {"suite": self.name, **{name: each.facts for name, each in used.items() if each is not None}}

    def score_name(self, facts: Mapping[str, Any]) -> str:
        """The suite's name with the judge that it names, and with any other one that judge's or detector's as well."""
        judge, looked = facts.get("judge"), facts.get("boxes")
        if isinstance(looked, Mapping):
            return metric_name(self.name, self.said.judge, str(looked.get("encoder")))
        return metric_name(self.name, self.said.judge, str(judge["judge"]) if judge else self.said.judge)

    def rules(self, evidence: Evidence) -> list[ProbeRow]:
        """The score of each image, by the official parser and by that of evalkit-1.

        Raises `EvalkitError` for evidence of another suite, and for replies of several judges.
        """
        suite = evidence.facts.get("suite", self.name)
        if suite != self.name:
            raise EvalkitError(f"the evidence is of the probe {suite}, not of {self.name}. Give that of {self.name}")
        _one_judge(evidence)
        known, apart = {item.id: item for item in self.prompts()}, spreads(evidence.images)
        least = 0.0 if self.score_name(evidence.facts) == self.name else SURE
        rows = []
        for each in evidence.images:
            if each.prompt in known:
                more = {"spread": apart[each.image]} if each.image in apart else {}
                more |= self._found(each, known[each.prompt], least)
                seen = replace(each, measures={**(each.measures or {}), **more}) if more else each
                rows.append(judged_row(self.said, seen, known[each.prompt]))
        return rows

    def _found(self, seen: ImageEvidence, item: JudgedItem, least: float) -> dict[str, float]:
        """What the suite's rule makes of the detections in an image."""
        rule = RULES.get(self.said.boxes)
        if rule is None or seen.boxes is None or seen.size is None:
            return {}
        value = rule(sure(seen.boxes, least), item.metadata, seen.size)
        return {} if value is None else {"found": value}

    def absent(self, prompt: str, sample: int) -> ProbeRow:
        """The row of an image that is not there."""
        item = next(each for each in self.prompts() if each.id == prompt)
        return absent_row(self.said, item, sample)

    def summary(self, rows: Sequence[ProbeRow]) -> tuple[ProbeScore, ...]:
        """The headline, its categories, further scores; each with bounds where images are lost."""
        return summarise(self.said, rows, self.policy or self.said.policy)

    def files(self, rows: Sequence[ProbeRow]) -> Mapping[str, bytes]:
        """The items, and a user's declaration, with which the evidence can be judged anew."""
        wanted = {row.prompt for row in rows}
        found = {ITEMS: items_lines([item for item in self.prompts() if item.id in wanted])}
        return {**found, DECLARATION: self.own} if self.own else found

    def _asked(
        self, images: Sequence[ProbeImage], known: Mapping[str, JudgedItem], seat: Seat
    ) -> dict[str, list[AskedReply]]:
        """The judge's replies by image. Questions about all images go together, those of second turns after the first."""
        asked = [(image, each) for image in images for each in asked_of(self.said.calls, known[image.prompt])]
        turns: dict[tuple[str, str], tuple[JudgeRequest, Reply]] = {}
        for second in (False, True):
            some = [
                (image, each)
                for image, each in asked
                if bool(each.call.after) == second and (not second or _answered(turns, image, each))
            ]
            requests = [self._request(each, known[image.prompt], image, turns) for image, each in some]
            replies = seat.ask(requests, [each.reader(official=True) for _, each in some])
            for (image, each), request, reply in zip(some, requests, replies, strict=True):
                turns[image.image, each.name] = request, reply
        given: dict[str, list[AskedReply]] = {image.image: [] for image in images}
        for image, each in asked:
            if (image.image, each.name) in turns:
                reply = turns[image.image, each.name][1]
                given[image.image].append(AskedReply(each.name, _plain(reply), reply.raw.model or seat.judge.model))
        return given

    def _request(
        self,
        asked: Asked,
        item: JudgedItem,
        image: ProbeImage,
        turns: Mapping[tuple[str, str], tuple[JudgeRequest, Reply]],
    ) -> JudgeRequest:
        """The question, after the turn that it follows."""
        data = read_plain(image.file) if image.file is not None else None
        made = request_of(asked, self.folder, image.pixels, data, partial(self._source, item))
        if not asked.call.after:
            return made
        request, reply = turns[image.image, asked.call.after]
        return replace(made, messages=(*request.messages, Message("assistant", (reply.raw.text,)), *made.messages))

    def edited(self, item: JudgedItem) -> dict[str, str]:
        """What a generator is given beside the text: files below `sources`, by the names of `generate`'s lines."""
        named = {"source": "source_image", "mask": "mask"}
        templates = self.said.images.sources
        return {theirs: source_name(templates[role], item) for role, theirs in named.items() if role in templates}

    def _source(self, item: JudgedItem, role: str) -> bytes:
        templates = self.said.images.sources
        if role.startswith("@"):
            return read_plain(source_path(self.sources, role.removeprefix("@"), item))
        if role not in templates:
            raise EvalkitError(f"{self.name} names no image {role!r}. Mend the suite's file")
        return read_plain(source_path(self.sources, templates[role], item))


def judged_suite(name: str) -> JudgedSuite:
    """The shipped suite called `name`."""
    return JudgedSuite(load_declaration(name))


def suite_of_file(path: Path) -> JudgedSuite:
    """The suite that a user's TOML file declares. Raises `EvalkitError` where it is none, or bears a shipped one's name."""
    said = read_declaration(path)
    if said.name in SUITES:
        raise EvalkitError(f"{path} bears the name {said.name}, which evalkit ships. Give the suite another name")
    return JudgedSuite(said, own=path.read_bytes())


def _answered(turns: Mapping[tuple[str, str], tuple[JudgeRequest, Reply]], image: ProbeImage, asked: Asked) -> bool:
    """Whether the turn that a question follows was answered."""
    first = turns.get((image.image, asked.call.after))
    return first is not None and first[1].answered


def _plain(reply: Any) -> Any:
    """A reply whose value is plain data: probabilities stand as numbers."""
    value = reply.value
    if isinstance(value, Mapping) and any(hasattr(each, "seen") for each in value.values()):
        return replace(reply, value={name: each.value for name, each in value.items()})
    return reply


def _one_judge(evidence: Evidence) -> None:
    """Raise `EvalkitError` where the replies come from several judges, whose scores have no mean."""
    seen = sorted({each.judge for image in evidence.images for each in image.replies or () if each.judge})
    if len(seen) > 1:
        raise EvalkitError(f"the replies come from {len(seen)} judges: {', '.join(seen)}. Ask one dated snapshot again")


__all__ = ["JudgedSuite", "declared", "judged_suite", "suite_of_file"]
