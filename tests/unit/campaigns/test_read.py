"""A campaign's file: read with relative paths, and every slip in it is one sentence."""

import pytest

from evalkit.campaigns.read import read_campaign
from evalkit.errors import EvalkitError

GOOD = """
seeds = [1, 2]
budget = 3
judge = {name = "http:https://h/v1#m", prices = [1, 2.5]}
[[models]]
name = "world-ar"
temperature = 0.9
top_k = 20
[[models]]
label = "ours"
images = "made/{suite}"
[[suites]]
name = "world"
limit = 6
[[suites]]
name = "wise"
judge = "transformers:some/model"
"""


def written(tmp_path, text):
    path = tmp_path / "autumn.toml"
    path.write_text(text)
    return path


def test_a_file_says_models_suites_seeds_and_judges(tmp_path):
    found = read_campaign(written(tmp_path, GOOD))
    assert (found.name, found.out, found.seeds, found.budget) == (
        "autumn", tmp_path / "campaign-autumn", (1, 2), 3,
    )  # fmt: skip
    assert [each.label for each in found.models] == ["world-ar", "ours"]
    assert found.models[0].settings == {"temperature": 0.9, "top_k": 20}
    assert found.models[1].images == str(tmp_path / "made/{suite}")
    world, wise = found.suites
    assert (world.limit, world.judge.name, world.judge.prices) == (6, "http:https://h/v1#m", (1, 2.5))
    assert (wise.judge.name, wise.judge.prices) == ("transformers:some/model", (0.0, 0.0))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("limit = 6", "limt = 6", "suites 1 has an unknown key 'limt'. Did you mean limit"),
        ("limit = 6", "limit = 0", "the suite 'world' has limit = 0. Give 1 or more"),
        ("made/{suite}", "made/{0}/{suite.__class__}", "nothing fills '{0}' in its images. The places are {suite} and"),
        ("limit = 6", 'limit = "six"', "suites 1, limit is 'six'. Give a whole number"),
        ("seeds = [1, 2]", "seeds = [1, 1]", "seeds are different numbers"),
        ("seeds = [1, 2]", "seeds = []", "seeds are different numbers"),
        ("budget = 3", "budget = nan", "budget is nan. Give a number"),
        ("budget = 3", "budget = true", "budget is True. Give a number"),
        ('label = "ours"', 'label = "world-ar"', "two models are called 'world-ar'"),
        ('images = "made/{suite}"', "", "needs name or images"),
        ('name = "world"\n', "", "suites 1 has no name"),
        ("prices = [1, 2.5]", "prices = [1]", "prices = [prompt, reply]"),
        ("budget = 3", "budget = ", "autumn.toml is no TOML:"),
        ("[[models]]", "[[model]]", "unknown key 'model'. Did you mean models"),
    ],
)
def test_a_slip_is_said_in_one_sentence(old, new, said, tmp_path):
    assert old in GOOD
    with pytest.raises(EvalkitError) as caught:
        read_campaign(written(tmp_path, GOOD.replace(old, new)))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_without_suites_or_models_says_what_to_add(tmp_path):
    with pytest.raises(EvalkitError, match=r"has no models. Give it a \[\[models\]\]"):
        read_campaign(written(tmp_path, "pilot = 1"))
