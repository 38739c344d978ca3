"""The same samples under other ids: a hub set and a folder of the same images, or a part of either, meet by their content.

Files are only read where runs that answer one question name other data or other samples, and then one of each kind.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from evalkit.leaderboard.entrants import Entrant, Figure, part
from evalkit.runs.tables import table_of

Names = Mapping[str, str]
IMAGE, PROMPT = "sha256", "prompt"  # columns that say what a sample is
ANY_PROMPT = "probe"  # a task whose rules name the prompts, so that ids tell them


@dataclass(frozen=True)
class _Kind:
    """Runs that name the same samples: the column that says what these are, the data's digest, and digests of ids."""

    column: str
    data: str
    samples: frozenset[str]


def same_samples(entrants: Sequence[Entrant], figures: Sequence[Figure]) -> tuple[tuple[Figure, ...], dict[int, Names]]:
    """The figures with one name for each sample and one digest for each set of images; and new names of ids by entrant."""
    kinds = _kinds(entrants, figures)
    names: dict[int, Names] = {}
    alias: dict[str, str] = {}
    known: dict[str, dict[tuple[str, ...], str]] = {IMAGE: {}, PROMPT: {}}
    contents: dict[tuple[str, ...], str] = {}
    for kind, members in kinds.items():
        pairs = _pairs(entrants[members[0]].path, kind)
        called = _called(pairs, known[kind.column], kind.column)
        if any(id != name for id, name in called.items()):
            names |= dict.fromkeys(members, called)
        if kind.column == IMAGE:
            first = contents.setdefault(tuple(sorted(content for _, content in pairs)), kind.data)
            alias[kind.data] = alias.get(kind.data, first)
    return tuple(_renamed(each, names.get(each.entrant), alias) for each in figures), names


def question(figure: Figure) -> tuple[str, ...]:
    """What a figure answers, its samples aside: figures of one question may meet on the samples that they share."""
    terms = figure.terms
    return terms.task, terms.metric, terms.protocol, terms.rules, terms.judges, terms.part


def _kinds(entrants: Sequence[Entrant], figures: Sequence[Figure]) -> dict[_Kind, list[int]]:
    """Entrants by what they call their samples, of those who differ from another in this."""
    asked: dict[tuple[str, ...], dict[tuple[str, str, str], set[int]]] = {}
    samples: dict[tuple[int, str], set[str]] = {}
    for each in figures:
        column = _column(entrants[each.entrant], each)
        if column is None or each.value is None:
            continue
        digest = each.scores.digest if each.scores is not None else ""
        here = (column, each.terms.data, digest)
        asked.setdefault(question(each), {}).setdefault(here, set()).add(each.entrant)
        samples.setdefault((each.entrant, column), set()).add(digest)
    odd = {
        (who, column, data)
        for several in asked.values()
        if len(several) > 1
        for (column, data, _), members in several.items()
        for who in members
    }
    kinds: dict[_Kind, list[int]] = {}
    for who, column, data in sorted(odd):
        kinds.setdefault(_Kind(column, data, frozenset(samples[who, column])), []).append(who)
    return kinds


def _column(entrant: Entrant, figure: Figure) -> str | None:
    """The column that says what the samples of a figure are; None where their ids say it, or nothing does."""
    own = part(entrant.record, "data").get("digest")
    if figure.terms.samples or (own and figure.terms.data == own):
        return IMAGE
    return PROMPT if figure.scores is not None and figure.terms.task != ANY_PROMPT else None


def _pairs(path: Path, kind: _Kind) -> list[tuple[str, str]]:
    """(id, content) of each sample, by id; where a run does not say the content, that is its place in the data."""
    table = table_of(path / "samples.parquet", ("id", kind.column))
    names = table.column_names
    if kind.column == PROMPT and kind.column in names:
        table = table.filter(pc.is_valid(table[PROMPT]))
    ids = _texts(table["id"])
    if kind.column not in names or table[kind.column].null_count:
        return sorted({id: f"{kind.data} {id}" for id in ids}.items())
    return sorted(dict(zip(ids, _texts(table[kind.column]), strict=True)).items())


def _texts(column: pa.ChunkedArray) -> Iterable[str]:
    return map(str, column.to_pylist())


def _called(pairs: Sequence[tuple[str, str]], known: dict[tuple[str, ...], str], column: str) -> dict[str, str]:
    """A name for each id: that of the same content where it has one, else the id, told apart where that is taken."""
    taken = set(known.values())
    seen: Counter[str] = Counter()
    called = {}
    for id, content in pairs:
        key = (content, str(seen[content])) if column == IMAGE else (content, id)  # the same image twice is two samples
        seen[content] += 1
        if key not in known:
            own = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:12]
            known[key] = f"{id} ({own})" if id in taken else id
        called[id] = known[key]
    return called


def _renamed(figure: Figure, names: Names | None, alias: Mapping[str, str]) -> Figure:
    terms = figure.terms
    if terms.data in alias:
        terms = replace(terms, data=alias[terms.data])
    scores = figure.scores
    if names is not None and scores is not None:
        scores = scores.renamed(names)
        terms = replace(terms, samples=scores.digest) if terms.samples else terms
    return figure if terms is figure.terms and scores is figure.scores else replace(figure, terms=terms, scores=scores)
