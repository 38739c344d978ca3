import pytest

from evalkit.errors import EvalkitError
from evalkit.judges.naming import metric_name, one_snapshot, same_judge
from evalkit.judges.reply import RawReply


@pytest.mark.parametrize("judge", ["gpt-4o", "gpt-4o-2024-11-20", "Qwen2.5-VL-7B-Instruct"])
def test_a_substituted_judge_changes_the_name(judge):
    assert metric_name("wise", "gpt-4o-2024-05-13", judge) == f"wise@{judge}"


def test_a_dated_snapshot_stands_in_for_a_floating_name():
    assert metric_name("gedit", "gpt-4.1", "gpt-4.1-2025-04-14") == "gedit@gpt-4.1-2025-04-14"


def test_the_official_judge_keeps_it():
    assert metric_name("wise", "gpt-4o-2024-05-13", "gpt-4o-2024-05-13") == "wise"


def test_replies_of_several_snapshots_are_refused():
    replies = [RawReply(model="gpt-4o-2024-05-13"), RawReply(model=""), RawReply("error", error="x")]
    assert one_snapshot(replies) == "gpt-4o-2024-05-13"
    with pytest.raises(EvalkitError, match="come from 2 judges: gpt-4o-2024-05-13, gpt-4o-2024-08-06"):
        one_snapshot([*replies, RawReply(model="gpt-4o-2024-08-06")])


def test_replies_of_another_judge_are_refused():
    same_judge(["a", "a"], "a")
    with pytest.raises(EvalkitError, match="of the judge b, not of a"):
        same_judge(["a", "b"], "a")
