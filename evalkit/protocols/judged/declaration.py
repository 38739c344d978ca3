"""What a judged benchmark declares: data, image names, calls of the judge, formulas, aggregation, failure policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from evalkit.protocols.protocol import Quirk


@dataclass(frozen=True)
class Source:
    """A repository at a commit; `files`: sha256 by path, "" where nobody has read the file yet."""

    repository: str
    commit: str
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ItemRule:
    """Where items come from: `files` (patterns below the data folder), or `loader` ("module:function" of the folder).

    `id`, `prompt`, `category`: templates over an item's fields, such as "{prompt_id}". `ranges`: categories by a number's
    first and last value. `group`: a column whose equal values make one item, its rows in the field `rows`. `skip`: rows
    that the official script passes over. `where`: an expression that must hold of a row. `count`: items of the full
    benchmark. `keep`: fields that are kept (empty: all).
    """

    id: str
    prompt: str
    category: str = ""
    files: tuple[str, ...] = ()
    loader: str = ""
    group: str = ""
    skip: int = 0
    where: str = ""
    count: int | None = None
    ranges: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    range_of: str = ""
    keep: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImageRule:
    """How images are named: a template over the item's fields, `sample` (from 0) and `number` (from 1).

    `samples`: images of each item; `names`: a template for each of them, where one does not serve all. `grid`: images of a
    side in one file, read in rows; 1 for single files. `sources`: role to template, below --sources. `one_size`: whether
    all images must have one size.
    """

    name: str
    names: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ("png",)
    samples: int = 1
    grid: int = 1
    sources: Mapping[str, str] = field(default_factory=dict)
    one_size: bool = True


@dataclass(frozen=True)
class TextRef:
    """A text in an official `file`: the name of a variable or function in Python, a key in JSON, else the whole file.

    `starts`: how the wanted one of the symbol's texts begins. `own`: a text of evalkit, where the benchmark has none in any file.
    """

    file: str = ""
    symbol: str = ""
    starts: str = ""
    own: str = ""


@dataclass(frozen=True)
class CallRule:
    """One question to the judge about one image, or one for each element of the field `each`.

    `content`: "text", "image", roles of sources, and "parts:FIELD" (a list of texts, "@" for the image and "@NAME" for a
    file) in the order in which they are sent. `text`: texts with `join` between them.
    `fill`: what stands in the text to a template over fields. `when`: an expression over fields; no call where it is
    false. `parameters`: of decoding. `image`: of `judges.prepare.Preparation`; `like`: the role whose size the image takes.
    `read`: the official reader, `corrected`: that of evalkit-1. `count`: a list field as long as the answer must be.
    `braces`: whether doubled braces of the text stand for single ones, as in Python's format. `one`: not all texts, but
    the one that the item's words draw. `optional`: whether the image keeps a score where this answer alone is lost;
    formulas see None then. `ends`: by the name of the call, or of each part of its answer, the worst and the best answer, for
    the bounds of images that are scored without it. `guess`: the first and last of the whole numbers of which the official
    code takes one by chance where this answer is lost, as a list of that one. `after`: the call whose question and reply come
    first in the same chat.
    """

    name: str
    content: tuple[str, ...]
    text: tuple[TextRef, ...]
    read: Mapping[str, Any]
    corrected: Mapping[str, Any]
    system: TextRef | None = None
    fill: Mapping[str, str] = field(default_factory=dict)
    each: str = ""
    when: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    image: Mapping[str, Any] = field(default_factory=dict)
    like: str = ""
    count: str = ""
    optional: bool = False
    braces: bool = False
    one: bool = False
    ends: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    guess: tuple[int, int] | None = None
    after: str = ""
    join: str = "\n"


@dataclass(frozen=True)
class ScoreRule:
    """One number of an image: an expression over fields and answers, between `worst` and `best`.

    `weight`: an expression, where images count unequally; an image of weight 0 is not of this score. `policy`: for lost
    items, where it is not the benchmark's first. `over`: how images come to the score, where not as to the headline.
    """

    name: str
    formula: str
    worst: float = 0.0
    best: float = 1.0
    weight: str = ""
    policy: str = ""
    over: Literal["", "items", "categories"] = ""


@dataclass(frozen=True)
class AggregateRule:
    """How categories come to the headline. items: the mean of all; categories: the mean of means; weighted: by `weights`;
    groups: the mean of the means of `groups` of categories. pooled: `formula` over the means of the further scores.
    `digits`: to which the official code rounds the means of categories. `each`: expressions `values` and `categories`, two
    lists of one length, where an image counts in several categories. `whole`: an item with a lost image loses all of them.
    """

    kind: Literal["items", "categories", "weighted", "groups", "pooled"] = "items"
    weights: Mapping[str, float] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    digits: int | None = None
    formula: str = ""
    each: Mapping[str, str] = field(default_factory=dict)
    whole: bool = False


@dataclass(frozen=True)
class Anchor:
    """A published number: of which model, and where it stands."""

    model: str
    score: float
    source: str = ""


@dataclass(frozen=True)
class Declaration:
    """One benchmark. `scores`: the first is the headline. `policy`: what the official code does about lost items.

    `measures`: the kind of what networks measure of each image (`tasks.probe.measures.KINDS`). `by_category`: whether all
    scores are given by category. `boxes`: the rule of `tasks.probe.judged.boxes.RULES` for what the `detector` finds.
    `tries`: how often the official code asks where a reply cannot be read. `revision`: raised where formulas or the
    aggregation change, so that boards keep scores apart. `ship`: whether its data may be in the package.
    `let`: named expressions that formulas may use, in order. `needs`: an expression that must hold of an image's answers,
    else it is lost. `parts`: each with expressions `values` and `categories` (two lists, one entry a question) and
    `when`, for means over single questions; those without a category are left out.
    """

    name: str
    title: str
    paper: str
    licence: str
    ship: bool
    judge: str
    policy: str
    source: Source
    items: ItemRule
    images: ImageRule
    calls: tuple[CallRule, ...]
    scores: tuple[ScoreRule, ...]
    aggregate: AggregateRule
    tries: int = 1
    revision: int = 1
    let: Mapping[str, str] = field(default_factory=dict)
    needs: str = ""
    measures: str = ""
    boxes: str = ""
    detector: str = ""
    by_category: bool = False
    parts: tuple[Mapping[str, str], ...] = ()
    anchors: tuple[Anchor, ...] = ()
    quirks: tuple[Quirk, ...] = ()
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The declaration as plain data."""
        return asdict(self)
