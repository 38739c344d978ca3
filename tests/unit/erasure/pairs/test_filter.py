"""The visual filter keeps what the base draws, drops planted bad pairs, and measures the base's rate with other seeds."""

import numpy as np
import pytest

from evalkit.encoders.registry import load_encoder
from evalkit.erasure.pairs.filter import FilterRule, visual_filter
from evalkit.erasure.pairs.make import Sight, Wanted, make_pairs
from evalkit.erasure.pairs.pair import Pair, read_pairs
from evalkit.erasure.pairs.recogniser import ByLabel
from evalkit.erasure.pairs.summary import filter_summary
from evalkit.errors import EvalkitError
from evalkit.generators.base import Failed, Generator, Image
from evalkit.generators.sampling import Sampler
from evalkit.jsonio import read_json_lines


def pair(target, replacement, template="t", source="s"):
    return Pair(target, replacement, "object", "direct", "train", "dog", template, source)


class Painter(Generator):
    """Images of one colour: as bright as its prompt's word and its seed say."""

    name, conditions, rows, side = "painter", "text", 4, 8
    weights_sha256 = None

    def __init__(self, chances):
        self.chances, self.asked = chances, []

    def check(self, request):
        super().check(request)
        if "?" in request.prompt:
            raise EvalkitError("unknown word")

    def _generate(self, requests, sampler):
        self.asked += requests
        return [self._image(request, sampler) for request in requests]

    def _image(self, request, sampler):
        chance = self.chances[request.prompt]
        shows = np.random.default_rng(request.seed).random() < chance
        return Image(request.id, np.full((8, 8, 3), 255 * shows, np.uint8), 0.0, 1)


class Brightness:
    @property
    def facts(self):
        return {"encoder": "brightness"}

    def scores(self, images):
        return [float(image.mean()) / 255 for image in images]


CHANCES = {"dog": 1.0, "cat": 0.0, "rare dog": 0.0, "puppy": 1.0, "some dog": 0.8, "seen cat": 0.3}


def filtered(*pairs, rule=None, chances=CHANCES, seed=0):
    return visual_filter(pairs, Painter(chances), Brightness(), rule or FilterRule(), Sampler(), seed=seed)


def test_planted_bad_pairs_are_dropped_for_their_reason():
    found = filtered(
        pair("dog", "cat"), pair("rare dog", "cat"), pair("dog", "puppy"), pair("dog ?", "cat"), pair("dog", "?")
    )
    assert [each.reason for each in found] == [
        "",
        "the base does not draw the concept",
        "the replacement shows the concept",
        "the generator cannot take a prompt",
        "the generator cannot take a prompt",
    ]
    assert [each.kept for each in found] == [True, False, False, False, False]
    assert found[0].target == (1.0,) * 4
    assert found[0].replacement == (0.0,) * 4
    assert found[1].fresh == ()


def test_three_of_four_are_enough_for_a_target_and_one_is_too_much_for_a_replacement():
    rule = FilterRule(seeds=4)
    for seed in range(12):
        (found,) = filtered(pair("some dog", "seen cat"), rule=rule, seed=seed)
        wanted = sum(found.target) >= 3 and sum(found.replacement) == 0
        assert found.kept == wanted


def test_fresh_seeds_are_others_and_their_rate_is_not_biased_by_the_filter():
    chances = {f"{i} dog": 0.7 for i in range(300)} | {"cat": 0.0}
    found = filtered(*(pair(f"{i} dog", "cat") for i in range(300)), chances=chances)
    said = filter_summary(found, FilterRule())
    assert said["base_rate_of_the_filter"]["share"] > 0.8
    assert said["base_rate_of_fresh_seeds"]["low"] < 0.7 < said["base_rate_of_fresh_seeds"]["high"]


def test_verdicts_depend_on_the_pair_alone_and_not_on_its_neighbours():
    given = [pair("some dog", "cat"), pair("dog", "seen cat")]
    for seed in range(5):
        assert filtered(*given, seed=seed) == filtered(given[0], seed=seed) + filtered(given[1], seed=seed)
    assert len({filtered(given[0], seed=seed)[0].target for seed in range(9)}) > 1


def test_retention_is_told_by_template_source_and_stratum():
    found = filtered(pair("dog", "cat", "a", "x"), pair("rare dog", "cat", "a", "y"), pair("dog", "puppy", "b", "y"))
    said = filter_summary(found, FilterRule())
    shares = {
        way: {name: (row["count"], row["of"]) for name, row in rows.items()} for way, rows in said["retention"].items()
    }
    assert shares["template"] == {"a": (1, 2), "b": (0, 1)}
    assert shares["source"] == {"x": (1, 1), "y": (0, 2)}
    assert shares["stratum"] == {"direct": (1, 3)}
    assert said["reasons"] == {"the base does not draw the concept": 1, "the replacement shows the concept": 1}


def test_an_image_that_fails_ends_the_filter_with_its_reason():
    class Broken(Painter):
        def _image(self, request, sampler):
            return Failed(request.id, "out of ink")

    with pytest.raises(EvalkitError, match="out of ink"):
        visual_filter([pair("dog", "cat")], Broken(CHANCES), Brightness(), FilterRule(), Sampler())
    with pytest.raises(EvalkitError, match="hidden <= shown"):
        FilterRule(hidden=0.9)


def test_a_detector_scores_its_label_and_an_unknown_label_is_named():
    world = load_encoder("world", device="cpu")
    blank = np.full((64, 64, 3), 255, np.uint8)
    assert ByLabel(world, ("dog",)).scores([blank]) == [0.0]
    assert ByLabel(world, ("dog",)).facts["labels"] == ["dog"]
    with pytest.raises(EvalkitError, match="no label 'church'"):
        ByLabel(world, ("church",))


def test_a_folder_of_pairs_holds_what_stayed_what_was_seen_and_what_is_retained(tmp_path):
    class Any(Painter):
        def __init__(self):
            super().__init__({})

        def _image(self, request, sampler):
            shows = "dog" in request.prompt or "pupp" in request.prompt
            return Image(request.id, np.full((8, 8, 3), 255 * shows, np.uint8), 0.0, 1)

    wanted = Wanted("dog", grammar="world", count=4)
    made = make_pairs(wanted, tmp_path, Sight(Any(), Brightness()))
    assert read_pairs(tmp_path / "pairs.jsonl") == made.pairs
    rows = [row for _, row in read_json_lines(tmp_path / "filtered.jsonl")]
    assert len(rows) == made.summary["filter"]["pairs"] == 24
    assert sum(row["kept"] for row in rows) == len(made.pairs) == made.summary["filter"]["kept"]
    assert set(rows[0]) >= {"id", "target_scores", "replacement_scores", "fresh_scores", "reason"}
    assert len(list(read_json_lines(tmp_path / "retain.jsonl"))) == 512
    again = make_pairs(wanted, tmp_path / "again", Sight(Any(), Brightness()))
    assert again.pairs == made.pairs
    with pytest.raises(EvalkitError, match="no pair of dog is left"):
        make_pairs(wanted, tmp_path / "none", Sight(Painter(dict.fromkeys(_all(rows), 0.0)), Brightness()))


def _all(rows):
    return [row[side] for row in rows for side in ("target", "replacement")]
