import pytest

from evalkit.metrics.script import WITHOUT_BLANKS, script_of


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("Farm Market", "Latin"),
        ("農場市場", "Han"),
        ("東京タワー", "Japanese"),
        ("ひらがな", "Japanese"),
        ("서울 시장", "Hangul"),
        ("नमस्ते दुनिया", "Devanagari"),
        ("Привет, мир", "Cyrillic"),
        ("Καλημέρα", "Greek"),
        ("مرحبا بالعالم", "Arabic"),
        ("שלום", "Hebrew"),
        ("สวัสดี", "Thai"),
        ("OK 你好世界", "Han"),
        ("12 % …", None),
        ("", None),
        (None, None),
    ],
)
def test_the_script_of_most_letters_wins(text, script):
    assert script_of(text) == script


def test_scripts_without_blanks_have_no_words_to_count():
    assert {"Han", "Japanese", "Thai"} <= WITHOUT_BLANKS
    assert "Hangul" not in WITHOUT_BLANKS
