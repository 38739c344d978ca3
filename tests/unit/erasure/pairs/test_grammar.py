"""Grammars: pairs differ in the concept alone, strata are what they say, and no wording is in both splits."""

from collections import Counter
from difflib import SequenceMatcher

import pytest

from evalkit.erasure.pairs.asking import names, plain_words
from evalkit.erasure.pairs.concepts import find_concept, known_concepts
from evalkit.erasure.pairs.grammar import grammar_pairs, retained
from evalkit.erasure.pairs.pair import STRATA
from evalkit.erasure.pairs.world import in_place_of, world_concept, world_pairs, world_retained
from evalkit.errors import BadData, EvalkitError
from evalkit.world.captions import read_caption
from evalkit.world.text import encode_caption

CONCEPTS = sorted(known_concepts())


def frame(pair):
    """The words that both prompts share."""
    a, b = plain_words(pair.target), plain_words(pair.replacement)
    blocks = SequenceMatcher(None, a, b, autojunk=False).get_matching_blocks()
    return tuple(word for block in blocks for word in a[block.a : block.a + block.size])


@pytest.mark.parametrize("name", CONCEPTS)
def test_every_stratum_has_pairs_of_both_splits_and_no_target_stands_twice(name):
    pairs = grammar_pairs(known_concepts()[name], 20)
    assert {(p.stratum, p.split) for p in pairs} == {(s, t) for s in STRATA for t in ("train", "test")}
    assert max(Counter((p.stratum, p.split) for p in pairs).values()) <= 20
    assert len({p.target for p in pairs}) == len(pairs)


@pytest.mark.parametrize("name", CONCEPTS)
def test_train_and_test_share_no_wording(name):
    pairs = grammar_pairs(known_concepts()[name], 50)
    places = {split: {p.replacement for p in pairs if p.split == split} for split in ("train", "test")}
    targets = {split: {p.target for p in pairs if p.split == split} for split in ("train", "test")}
    assert not places["train"] & places["test"]
    assert not targets["train"] & targets["test"]


@pytest.mark.parametrize("name", CONCEPTS)
def test_direct_names_the_concept_and_implicit_synonym_and_misspelt_targets_do_not(name):
    concept = known_concepts()[name]
    word = "nude" if name == "nudity" else name
    for pair in grammar_pairs(concept, 50):
        assert not names(word, pair.replacement)
        if pair.stratum in ("direct", "compositional"):
            assert names(word, pair.target)
        if pair.stratum in ("implicit", "misspelt"):
            assert not names(word, pair.target)


def test_another_seed_takes_other_sentences_and_the_same_the_same():
    church = find_concept("church", "object")
    assert grammar_pairs(church, 10, 1) == grammar_pairs(church, 10, 1) != grammar_pairs(church, 10, 2)
    splits = [{p.target: p.split for p in grammar_pairs(church, 200, seed)} for seed in (1, 2)]
    assert all(splits[0][target] == splits[1][target] for target in splits[0].keys() & splits[1].keys())


def test_retained_prompts_lack_the_concept_and_name_its_neighbours():
    church = find_concept("Church")
    prompts = retained(church, 300)
    assert not any(names(word, prompt) for prompt in prompts for word in ("church", "chapel", "basilica"))
    assert any("a mosque" in prompt for prompt in prompts)


def test_a_concept_of_the_user_s_comes_from_a_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[Vase]\nkind = "object"\nphrase = "a vase"\nreplacements = ["a jug"]\n')
    found = find_concept("vase", path=path)
    assert {p.stratum for p in grammar_pairs(found, 3)} == {"direct", "compositional"}
    with pytest.raises(EvalkitError, match="no concept 'church' is described here; known: vase"):
        find_concept("church", path=path)
    with pytest.raises(EvalkitError, match="of the kind object, not style"):
        find_concept("vase", "style", path)
    path.write_text('[vase]\nkind = "object"\nphrase = "a vase"\nreplacements = "a jug"\n')
    with pytest.raises(BadData, match="lists of texts"):
        find_concept("vase", path=path)
    path.write_text("[vase]\nkind = 3\n")
    with pytest.raises(BadData, match="describes no concept"):
        find_concept("vase", path=path)


@pytest.mark.parametrize("name", ["dog", "scissors", "clock", "apple"])
def test_the_world_s_pairs_are_its_captions_and_differ_in_one_class(name):
    pairs = world_pairs(name, 12)
    for pair in pairs:
        encode_caption(pair.target)
        encode_caption(pair.replacement)
        asked, instead = read_caption(pair.target), read_caption(pair.replacement)
        assert (asked.task, asked.relation, asked.ground) == (instead.task, instead.relation, instead.ground)
        changed = [(a, b) for a, b in zip(asked.wanted, instead.wanted, strict=True) if a != b]
        assert len(changed) == 1
        assert changed[0][0].name == name
        assert (changed[0][0].count, changed[0][0].color) == (changed[0][1].count, changed[0][1].color)
    assert len({p.target for p in pairs}) == len(pairs)


def test_the_world_s_synonyms_are_a_stratum_of_their_own():
    pairs = world_pairs("dog", 10)
    assert Counter((p.stratum, p.split) for p in pairs)["synonym", "test"] == 10
    assert all(("dog" in p.target) == (p.stratum != "synonym") for p in pairs)
    assert world_pairs("puppy", 2)[0].concept == "dog"
    with pytest.raises(EvalkitError, match="has no 'church'"):
        world_pairs("church", 2)


def test_retained_captions_keep_synonyms_only_where_that_is_asked_for():
    without, by_name = world_retained("dog", 400), world_retained("dog", 400, synonyms=True)
    assert not any("dog" in p or "pupp" in p for p in without)
    assert not any("dog" in p for p in by_name)
    assert any("pupp" in p for p in by_name)
    assert {w.name for p in without for w in read_caption(p).wanted} == {
        w.name for p in by_name for w in read_caption(p).wanted
    } - {"dog"}


def test_a_class_takes_another_s_place_with_its_article_and_measure_word():
    assert in_place_of("an image of a dog", "dog", "airplane") == "an image of an airplane"
    assert in_place_of("two pairs of red scissors", "scissors", "bus") == "two red buses"
    assert in_place_of("a blue puppy above three cats", "dog", "scissors") == "a pair of blue scissors above three cats"
    assert world_concept("scissors").phrase == "a pair of scissors"
