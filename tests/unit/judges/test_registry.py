import pytest

from evalkit.errors import EvalkitError, WeightsError
from evalkit.judges.base import Judge
from evalkit.judges.registry import JUDGES, load_judge
from evalkit.judges.reply import RawReply


def test_an_endpoint_is_named_by_its_address_and_settings():
    judge = load_judge("http:https://host.example/v1#org/model-7b?in_flight=3&snapshot=2025-04-14")
    assert judge.url == "https://host.example/v1/chat/completions"
    assert (judge.model, judge.in_flight, judge.snapshot) == ("org/model-7b", 3, "2025-04-14")
    assert judge.facts == {"judge": "org/model-7b", "snapshot": "2025-04-14", "origin": "https://host.example"}


@pytest.mark.parametrize(
    "name",
    [
        "http:https://host/v1",
        "http:https://host/v1#m?in_flight=0",
        "http:https://host/v1#m?odd=1",
        "gpt-4o",
        "transformers:",
    ],
)
def test_a_name_that_is_no_judge_says_how_to_name_one(name):
    with pytest.raises(EvalkitError, match="http:URL#MODEL"):
        load_judge(name)


def test_a_folder_that_is_no_model_is_one_sentence(tmp_path):
    with pytest.raises(WeightsError, match="cannot be loaded as a judge"):
        load_judge(f"transformers:{tmp_path}")


def test_another_package_s_judge_is_found_by_its_entry_point(monkeypatch):
    class Mine(Judge):
        model = "mine"

        def reply(self, request, deadline):
            return RawReply(text="yes")

    class Point:
        name, dist, value = "mine", None, "of_mine"

        def load(self):
            JUDGES.add("mine", lambda device: Mine())

    asked = []
    monkeypatch.setattr("evalkit.registry.entry_points", lambda group: asked.append(group) or [Point()])
    monkeypatch.setattr(JUDGES, "_points", None)
    monkeypatch.setattr(JUDGES, "_items", {})
    assert load_judge("mine").model == "mine"
    assert asked == ["evalkit.judges"]
