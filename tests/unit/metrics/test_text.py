import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.metrics.text import cer, compare, tidy, vtbench_rates, wer

WORDS = st.lists(st.sampled_from(["open", "daily", "7", "am", "café", "東京", "sale"]), min_size=1, max_size=8)


@given(WORDS, WORDS)
def test_rates_are_jiwers_on_plain_text(reference, hypothesis):
    a, b = " ".join(reference), " ".join(hypothesis)
    assert cer(a, b) == pytest.approx(jiwer.cer(a, b))
    assert wer(a, b) == pytest.approx(jiwer.wer(a, b))
    scores = compare(a, b)
    assert scores.cer == pytest.approx(jiwer.cer(a, b))
    assert scores.wer == pytest.approx(jiwer.wer(a, b))


@given(st.text(max_size=40))
def test_a_text_is_at_distance_zero_from_itself(text):
    scores = compare(text, text)
    assert (scores.char_edits, scores.word_edits, scores.ned, scores.word_recall) == (0, 0, 0.0, 1.0)


@given(WORDS, WORDS)
def test_word_recall_counts_multisets_and_stays_in_range(reference, hypothesis):
    recall = compare(" ".join(reference), " ".join(hypothesis)).word_recall
    assert 0 <= recall <= 1
    assert compare(" ".join(reference), " ".join(reversed(reference))).word_recall == 1


def test_line_breaks_and_composition_are_no_errors():
    assert compare("café\nopen", "cafe\u0301  open").char_edits == 0
    assert compare("a\nb", "a b", as_they_are=True).char_edits == 1
    assert tidy(" a\t b ") == "a b"


def test_an_empty_reference_counts_insertions():
    scores = compare("", "ab c")
    assert (scores.cer, scores.wer, scores.characters_per_word) == (4, 2, 0.0)
    assert cer("", "abc") == 3


def test_vtbench_divides_character_edits_by_words():
    assert vtbench_rates(["open daily"], ["open dally now"]) == (pytest.approx(0.5), pytest.approx(2.5))
    assert vtbench_rates([""], ["x"]) == (0.0, 0.0)
