"""Words of captions: those of the Penn Treebank, without punctuation, and unchanged where they are split already."""

import pytest

from evalkit.metrics.caption_words import caption_words, grams


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A man, on a horse.", "a man on a horse"),
        ('Two "red" (small) cars; one bus!', "two red small cars one bus"),
        ("The dog's bowl isn't full - we'll see", "the dog 's bowl is n't full we 'll see"),
        ("You can't; you cannot", "you ca n't you can not"),
        ("a T-shirt, 2.5 m of 1,000 at 7:30", "a t-shirt 2.5 m of 1,000 at 7:30"),
        ("it\u2019s five o\u2019clock in the U.S. today...", "it 's five o'clock in the u.s. today"),
        ("salt & pepper --- 50% off", "salt & pepper 50 % off"),
        ("Ein Mädchen läuft", "ein mädchen läuft"),
        ("  ,.!  ", ""),
    ],
)
def test_captions_are_split_as_the_treebank_does_and_splitting_again_changes_nothing(text, words):
    assert caption_words(text) == words.split()
    assert caption_words(words) == words.split()


def test_grams_are_counted_and_a_short_caption_has_none():
    assert grams(["a", "b", "a", "b"], 2) == {("a", "b"): 2, ("b", "a"): 1}
    assert grams(["a"], 2) == {}
