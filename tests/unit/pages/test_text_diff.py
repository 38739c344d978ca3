import time

from hypothesis import given
from hypothesis import strategies as st

from evalkit.pages.text_diff import differences
from evalkit.text import MOST, shortened, visible


@given(st.text(alphabet="ab c", max_size=40), st.text(alphabet="ab c", max_size=40))
def test_pieces_rebuild_both_texts(a, b):
    pieces = differences(a, b)
    folded = [" ".join(text.split()) for text in (a, b)]
    assert "".join(p.text for p in pieces if p.kind != "added") == folded[0]
    assert "".join(p.text for p in pieces if p.kind != "missing") == folded[1]


def test_equal_texts_have_no_differences_whatever_their_white_space():
    assert {p.kind for p in differences("open\n daily ", "open daily")} == {"same"}


def test_text_without_blanks_is_compared_by_characters():
    assert [(p.kind, p.text) for p in differences("東京駅", "東亰駅")] == [
        ("same", "東"),
        ("missing", "京"),
        ("added", "亰"),
        ("same", "駅"),
    ]


def test_repetitive_texts_take_no_time():
    start = time.process_time()
    differences("t " * 5000, "r " * 5000)
    differences("ab" * 5000, "ba" * 5000)
    assert time.process_time() - start < 2.0


def test_long_texts_are_cut_with_an_ellipsis():
    (piece,) = differences("a" * 5000, "a" * 5000)
    assert piece.text == "a" * MOST + "…"


def test_visible_shows_what_acts_and_leaves_what_is_drawn():
    assert visible("\x00\x7f\u200b\u200f\u2066\ud800\U000e0041") == r"\x00\x7f\u200b\u200f\u2066\ud800\U000e0041"
    drawn = "na\u00efve 東京 नमस्ते \u0601 می\u200cخواهم 👩\u200d🔬"
    assert visible(drawn) == drawn


@given(st.text())
def test_visible_text_can_always_be_written(text):
    shown = visible(text, 10_000)
    assert shown.encode("utf-8").decode("utf-8") == shown
    assert not any(ord(c) < 32 for c in shown)


def test_names_are_shortened_in_the_middle():
    assert shortened("x" * 10, 10) == "x" * 10
    assert len(shortened("x" * 50, 17)) == 17
    assert shortened("abcdefghij", 5) == "ab…ij"
