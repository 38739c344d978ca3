import pytest

from evalkit.errors import EvalkitError
from evalkit.registry import Registry


def filled() -> Registry[int]:
    registry: Registry[int] = Registry("thing", lambda: None)
    registry.add("apple", 1, aliases=("a",))
    registry.add("banana", 2)
    return registry


def test_alias_and_name_give_the_same_item():
    registry = filled()
    assert registry.get("a") == registry.get("apple") == 1
    assert registry.canonical("a") == "apple"
    assert list(registry) == ["apple", "banana"]


def test_unknown_name_proposes_the_nearest():
    with pytest.raises(EvalkitError, match="did you mean banana"):
        filled().get("bananna")


def test_unknown_name_far_from_all_lists_them():
    with pytest.raises(EvalkitError, match="known: apple, banana"):
        filled().get("zzzz")


def test_many_names_are_counted_not_listed():
    registry = filled()
    for number in range(30):
        registry.add(f"model-{number}", number)
    with pytest.raises(EvalkitError, match=r"'zzzz'; 32 are known\. List them with: evalkit ls"):
        registry.get("zzzz")


def test_a_name_is_taken_once():
    registry = filled()
    with pytest.raises(ValueError, match="twice"):
        registry.add("a", 3)


def test_filling_happens_once_and_late():
    calls = []
    registry: Registry[int] = Registry("thing", lambda: calls.append(1))
    assert calls == []
    list(registry)
    list(registry)
    assert calls == [1]
