"""README and docs read well: no sentence above 35 words, a mean of at most 18, and an image is called an image."""

import re
from statistics import mean

import pytest
from helpers.sentences import prose, words

from .site import ROOT

PAGES = [
    *sorted((ROOT / "docs").glob("*.md")),
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
]
LONGEST, MEAN = 35, 18
QUOTED = r"\"[^\"]*\"|'[^']*'|`[^`]*`|\[[^\]]*\]\([^)]*\)"  # prompts, names and addresses of others


def read(path):
    return [(sentence, len(words(sentence))) for sentence in prose(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("path", PAGES, ids=lambda each: each.name)
def test_sentences_of_a_page_are_short(path):
    found = read(path)
    assert [sentence for sentence, length in found if length > LONGEST] == []
    assert not found or mean(length for _, length in found) <= MEAN


@pytest.mark.parametrize("path", PAGES, ids=lambda each: each.name)
def test_a_page_calls_an_image_an_image(path):
    text = re.sub(r"^( *)```.*?^\1```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert re.findall(r".*\b[Pp]ictures?\b.*", re.sub(QUOTED, "", text)) == []


def test_prose_is_read_without_code_tables_and_headings():
    text = "# A long heading\n\nOne two. Three:\n\n- four `five six`\n- seven\n\n| a | b |\n|---|---|\n\n```python\nx = 1\n```\n"
    assert list(prose(text)) == ["One two.", "Three:", "- four code", "- seven"]


def test_a_long_sentence_is_found(tmp_path):
    page = tmp_path / "a.md"
    page.write_text("Word " * 36 + "end.\n")
    assert read(page)[0][1] > LONGEST
