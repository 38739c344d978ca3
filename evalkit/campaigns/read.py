"""A campaign from its TOML file; every key is checked, so that a misspelt one changes nothing in silence."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from evalkit.campaigns.declaration import SETTINGS, Campaign, Contestant, JudgeUse, SuiteUse
from evalkit.errors import EvalkitError
from evalkit.textfiles import read_toml

Kind = Callable[[Any, str], Any]


def read_campaign(path: str | Path) -> Campaign:
    """The campaign that a file declares; relative paths in it start at the file's folder.

    Raises `EvalkitError` in one sentence for what is no TOML, for an unknown key and for a value of another kind.
    """
    path = Path(path).expanduser()
    return _Reader(path.parent).campaign(read_toml(path), path)


class _Reader:
    """Reads the tables of one file that lies in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def campaign(self, data: Mapping[str, Any], path: Path) -> Campaign:
        """The whole file."""
        kinds: dict[str, Kind] = {
            "name": text,
            "out": self.path,
            "seeds": listed(whole),
            "budget": number,
            "pilot": whole,
            "judge": self.judge,
            "models": listed(self.contestant),
            "suites": listed(self.suite),
        }
        found = table(data, path.name, kinds)
        judge = found.pop("judge", None)
        name = found.setdefault("name", path.stem)
        found.setdefault("out", self.folder / f"campaign-{name}")
        suites = [each if each.judge or judge is None else _judged(each, judge) for each in found.pop("suites", ())]
        return Campaign(models=tuple(found.pop("models", ())), suites=tuple(suites), **found)

    def contestant(self, data: Any, where: str) -> Contestant:
        """One of [[models]]."""
        kinds = {"label": text, "name": text, "images": self.place, "weights": listed(text), "dtype": text}
        found = table(data, where, {**kinds, "timeout": number, **dict.fromkeys(SETTINGS, number)})
        settings = {key: found.pop(key) for key in SETTINGS if key in found}
        for key in {"top_k", "steps"} & set(settings):
            settings[key] = whole(settings[key], f"{where}, {key}")
        label = found.pop("label", None) or found.get("name") or Path(found.get("images", "")).name
        return Contestant(label, settings=settings, **found)

    def suite(self, data: Any, where: str) -> SuiteUse:
        """One of [[suites]]."""
        kinds: dict[str, Kind] = {"name": text, "samples": whole, "limit": whole, "detector": text, "policy": text}
        more: dict[str, Kind] = {"data": self.path, "sources": self.path, "judge": self.judge, "weights": listed(text)}
        found = table(data, where, {**kinds, **more})
        if "name" not in found:
            raise EvalkitError(f"{where} has no name. Give name = one of evalkit ls probes")
        return SuiteUse(**found)

    def judge(self, data: Any, where: str) -> JudgeUse:
        """A judge by its name alone, or a table with prices."""
        if isinstance(data, str):
            return JudgeUse(data)
        found = table(data, where, {"name": text, "prices": listed(number), "tries": whole, "replies": self.path})
        if "name" not in found or len(found.get("prices", (0, 0))) != 2:
            raise EvalkitError(
                f'{where} is not complete. Give name = "http:URL#MODEL", and prices = [prompt, reply] of a million tokens'
            )
        return JudgeUse(**found)

    def path(self, data: Any, where: str) -> Path:
        """A path, from the file's folder on."""
        return self.folder / Path(text(data, where)).expanduser()

    def place(self, data: Any, where: str) -> str:
        """The same as text, in which suite and seed are filled in later."""
        return str(self.path(data, where))


def table(data: Any, where: str, kinds: Mapping[str, Kind]) -> dict[str, Any]:
    """The values of a table by kind; raises `EvalkitError` for a key that is not among them."""
    if not isinstance(data, Mapping):
        raise EvalkitError(f"{where} is no table. Mend the file")
    for key in data:
        if key not in kinds:
            near = difflib.get_close_matches(key, kinds, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"It may have {', '.join(kinds)}."
            raise EvalkitError(f"{where} has an unknown key {key!r}. {hint}")
    return {key: kinds[key](value, f"{where}, {key}") for key, value in data.items()}


def text(data: Any, where: str) -> str:
    """Text that is not empty."""
    if not isinstance(data, str) or not data.strip():
        raise EvalkitError(f"{where} is {data!r}. Give text in quotes")
    return data


def number(data: Any, where: str) -> float:
    """A finite number from 0."""
    if isinstance(data, bool) or not isinstance(data, int | float) or not 0 <= data < float("inf"):
        raise EvalkitError(f"{where} is {data!r}. Give a number from 0")
    return data


def whole(data: Any, where: str) -> int:
    """A whole number from 0."""
    if isinstance(data, bool) or not isinstance(data, int) or data < 0:
        raise EvalkitError(f"{where} is {data!r}. Give a whole number from 0")
    return data


def listed(kind: Kind) -> Kind:
    """A list of one kind, or a single one."""

    def read(data: Any, where: str) -> tuple[Any, ...]:
        items = data if isinstance(data, list) else [data]
        return tuple(kind(each, f"{where} {place}" if len(items) > 1 else where) for place, each in enumerate(items, 1))

    return read


def _judged(suite: SuiteUse, judge: JudgeUse) -> SuiteUse:
    return SuiteUse(**{**vars(suite), "judge": judge})
