"""Names that come from elsewhere cannot act on a terminal, printed by any command, and JSON still means the same."""

import io
import json

import pytest
from helpers.verbs import call, photos

from evalkit.cli.terminal import Harmless

ACTING = "\x1b]0;title\x07", "\x1b[2Jgone", "\u202egpj", "\x9b31m", "\u2066x", "\x08\x08", "\x1bc", "\x7f"
NAME = "a\x1b]0;owned\x07\u202e\x9b2J.png"


def written(text):
    stream = io.StringIO()
    assert Harmless(stream).write(text) == len(text)
    return stream.getvalue()


@pytest.mark.parametrize("text", ACTING)
def test_what_acts_is_written_as_it_is_spelt(text):
    shown = written(f"name {text} end")
    assert "\x1b" not in shown
    assert not set(shown) & set("\x07\x08\x7f\u202e\u2066\x9b")
    assert "\\" in shown


def test_colours_lines_and_letters_pass():
    text = "\x1b[1;31mé 图\x1b[0m\t\r\n\x1b[2K\x1b[1A\x1b[?25l\x1b[?25h"
    assert written(text) == text


def test_json_means_what_it_meant():
    said = {"name": NAME, "é": "\u202e"}
    assert json.loads(written(json.dumps(said, ensure_ascii=False))) == said


@pytest.mark.parametrize("more", [[], ["--json"]])
@pytest.mark.parametrize(
    "verb",
    [["tokenizer", "-m", "jpeg-lm", "--tasks", "codes", "--data"], ["watermark", "attack", "--attack", "jpeg:9"]],
)
def test_a_hostile_file_name_and_folder_reach_the_terminal_as_text(verb, more, tmp_path):
    data = photos(tmp_path / f"d{NAME}", 1)
    (data / NAME).write_bytes(b"no image")
    out, said = tmp_path / f"run{NAME}", io.StringIO()
    arguments = [*verb, str(data), "--out", str(out), *more]
    done = call(arguments, stdout=said)
    assert done.code == 1
    for text in (done.said, said.getvalue()):
        assert not set(text) & set("\x07\u202e\x9b")
        assert "\x1b]" not in text
    if more:
        json.loads(said.getvalue())
    assert "\\u202e" in said.getvalue() + done.said
