import pytest

from evalkit.errors import EvalkitError
from evalkit.judges.anchors import AnchorPack, drift, read_anchors, write_anchors

PACK = AnchorPack("gpt-4o", "2024-05-13", "2025-06-01", {f"i{n:03d}": float(n % 10) for n in range(100)})


def test_a_pack_comes_back_from_its_file(tmp_path):
    write_anchors(tmp_path / "a.jsonl", PACK)
    assert read_anchors(tmp_path / "a.jsonl") == PACK


def test_a_judge_that_stays_gives_no_alarm():
    noisy = {
        name: value + (1 if n % 25 == 0 else -1 if n % 25 == 1 else 0)
        for n, (name, value) in enumerate(PACK.values.items())
    }
    found = drift(PACK, noisy, tolerance=0.1)
    assert (found.alarm, found.changed) == ("", 0.08)


def test_a_shift_beyond_the_tolerance_raises_the_alarm():
    found = drift(PACK, {name: value + 0.2 for name, value in PACK.values.items()}, tolerance=0.1)
    assert found.alarm.startswith("The judge gpt-4o has drifted since 2025-06-01: the anchor pack moved by +0.2")


def test_a_large_shift_of_few_items_is_not_waved_through_as_noise():
    few = AnchorPack("m", None, "2025-06-01", {"a": 1.0, "b": 5.0, "c": 9.0})
    found = drift(few, {"a": 4.0, "b": 4.0, "c": 10.0}, tolerance=0.5)
    assert found.shift.p > 0.2
    assert "moved by +1" in found.alarm


def test_a_small_shift_that_is_sure_raises_it_too():
    moved = {name: value + (0.1 if n % 3 else 0) for n, (name, value) in enumerate(PACK.values.items())}
    assert drift(PACK, moved, tolerance=0.5).alarm


def test_items_that_are_no_longer_answered_are_named():
    fewer = dict(list(PACK.values.items())[:97])
    found = drift(PACK, fewer, tolerance=0.1)
    assert (found.lost, "no longer answers 3 of 100" in found.alarm) == (3, True)


@pytest.mark.parametrize("values", [{}, {"other": 1.0}])
def test_scores_of_other_items_are_refused(values):
    with pytest.raises(EvalkitError, match="anchor pack"):
        drift(PACK, values, tolerance=0.1)


HEAD = b'{"anchors": 1, "judge": "m", "made": "2025-01-01"}\n'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        HEAD,
        b"[]\n",
        HEAD + b"3\n",
        HEAD + b'{"id": "a"}\n',
        HEAD + b'{"id": "a", "value": NaN}\n',
        HEAD + b'{"id": "a", "value": 1}\n{"id": "a", "value": 2}\n',
        b"\xff\n",
        HEAD.replace(b"1,", b"2,") + b'{"id": "a", "value": 1}\n',
    ],
)
def test_a_file_of_something_else_is_one_sentence(tmp_path, data):
    path = tmp_path / "a.jsonl"
    path.write_bytes(data)
    with pytest.raises(EvalkitError) as caught:
        read_anchors(path)
    assert "\n" not in str(caught.value)
