"""Plain data as dataclasses: each kind of field takes its own type alone, and the message says where."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from evalkit.errors import EvalkitError
from evalkit.typed import built


@dataclass(frozen=True)
class Inner:
    name: str
    share: float = 0.5


@dataclass(frozen=True)
class Outer:
    count: int
    inner: Inner = field(default_factory=lambda: Inner("none"))
    several: tuple[Inner, ...] = ()
    pair: tuple[float, float] = (0.0, 1.0)
    table: Mapping[str, int] = field(default_factory=dict)
    kind: Literal["a", "b"] = "a"
    on: bool = False
    maybe: float | None = None
    rest: Any = None


def test_every_kind_of_field_is_built():
    data = {
        "count": 2,
        "inner": {"name": "x", "share": 1},
        "several": [{"name": "y"}],
        "pair": [1, 2.5],
        "table": {"k": 3},
        "kind": "b",
        "on": True,
        "maybe": 2,
        "rest": {"deep": [1, [2]]},
    }
    made = built(Outer, data, "f.toml")
    assert made == Outer(
        2, Inner("x", 1), (Inner("y"),), (1, 2.5), {"k": 3}, "b", on=True, maybe=2, rest={"deep": (1, (2,))}
    )
    assert type(made.inner.share) is int  # digests of declarations keep a number as it was written


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"count": 1.5}, "f.toml, count is 1.5. Give a whole number"),
        ({"count": True}, "f.toml, count is True. Give a whole number"),
        ({"on": 1}, "f.toml, on is 1. Give true or false"),
        ({"inner": {"name": 3}}, "f.toml, inner, name is 3. Give text in quotes"),
        ({"inner": {}}, "f.toml, inner has no name. The keys are name, share"),
        ({"inner": 3}, "f.toml, inner is 3. Give a table"),
        ({"several": [{"name": "a"}, {"nam": "b"}]}, "several 2 has an unknown key 'nam'. Did you mean name?"),
        ({"several": {"name": "a"}}, "several is {'name': 'a'}. Give a list"),
        ({"pair": [1]}, "pair has 1 entries. Give 2"),
        ({"pair": [1, float("inf")]}, "pair 2 is inf. Give a finite number"),
        ({"table": {"k": "v"}}, "table, k is 'v'. Give a whole number"),
        ({"kind": "c"}, "kind is 'c'. Give one of a, b"),
        ({"maybe": "x"}, "maybe is 'x'. Give a number"),
        ({"rest": [float("nan")]}, "rest is nan. Give a finite number"),
        ({"odd": 1}, "f.toml has an unknown key 'odd'. The keys are count"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(change, said):
    with pytest.raises(EvalkitError) as caught:
        built(Outer, {"count": 1, **change}, "f.toml")
    assert said in str(caught.value)
