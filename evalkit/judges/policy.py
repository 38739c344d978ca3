"""What is done about lost items: policies by name, so that a score says which one it was made with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from evalkit.errors import EvalkitError

Lost = Literal["refused", "unparsed", "failed", "missing"]
LOST: tuple[Lost, ...] = ("refused", "unparsed", "failed", "missing")
Action = Literal["drop", "zero", "worst", "random", "abort"]


@dataclass(frozen=True)
class Item:
    """One judged item: its category, and its value where the state is "answered"; "missing" is an image that is not there.

    `weight`: how much it counts in a mean. `cluster`: what is drawn as a whole in intervals, such as its prompt. `guesses`:
    what a random guess may come to, each alike, where that is not the whole scale. `ends`: of a value that was made without
    a lost answer, what it could be at least and at most, and its weight then.
    """

    id: str
    category: str
    value: float | None
    state: str = "answered"
    weight: float = 1.0
    cluster: str = ""
    guesses: tuple[float, ...] = ()
    ends: tuple[float, float, float] | None = None

    def __post_init__(self) -> None:
        """Raise `EvalkitError` where value and state contradict each other."""
        if self.state not in ("answered", *LOST):
            raise EvalkitError(f"{self.id}: {self.state!r} is no state. Give answered, {', '.join(LOST)}")
        if (self.value is None) == (self.state == "answered"):
            raise EvalkitError(
                f"{self.id} is {self.state} and has the value {self.value}. Give one that fits the other"
            )


@dataclass(frozen=True)
class Policy:
    """What happens to items lost in each way. drop: left out; zero: 0; worst: the scale's lower end; random: a guess on
    the scale; abort: no score while there is one.
    """

    name: str
    refused: Action
    unparsed: Action
    failed: Action
    missing: Action

    def action(self, state: str) -> Action:
        """What happens to an item in this state."""
        chosen: dict[str, Action] = {
            "refused": self.refused,
            "unparsed": self.unparsed,
            "failed": self.failed,
            "missing": self.missing,
        }
        return chosen[state]


def _alike(name: Action) -> Policy:
    return Policy(name, name, name, name, name)


POLICIES: dict[str, Policy] = {
    "drop": _alike("drop"),
    "zero": _alike("zero"),
    "worst": _alike("worst"),
    "random": _alike("random"),
    "abort": _alike("abort"),
    "random-drop-missing": Policy("random-drop-missing", "random", "random", "random", "drop"),
    "zero-drop-missing": Policy("zero-drop-missing", "zero", "zero", "zero", "drop"),
    "abort-drop-missing": Policy("abort-drop-missing", "abort", "abort", "abort", "drop"),
    "drop-abort-missing": Policy("drop-abort-missing", "drop", "drop", "drop", "abort"),
}


def policy_of(name: str) -> Policy:
    """The policy of this name. Raises `EvalkitError` for another."""
    if name not in POLICIES:
        raise EvalkitError(f"there is no policy {name!r} for lost items. Give one of {', '.join(POLICIES)}")
    return POLICIES[name]
