"""METEOR: what NLTK is given, and what is said where it or its WordNet is not there."""

import sys
from types import ModuleType

import pytest

from evalkit.metrics import meteor as module
from evalkit.metrics.meteor import meteor


@pytest.fixture
def nltk(monkeypatch):
    """Makes an NLTK importable that scores so."""

    def made(scored):
        found = {name: ModuleType(name) for name in ("nltk", "nltk.translate", "nltk.translate.meteor_score")}
        found["nltk.translate.meteor_score"].meteor_score = scored
        for name, each in found.items():
            monkeypatch.setitem(sys.modules, name, each)

    module._scorer.cache_clear()
    yield made
    module._scorer.cache_clear()


def test_nltk_is_given_all_references_and_the_words_of_the_caption(nltk):
    nltk(lambda references, caption: len(references) / len(caption))
    assert meteor(("a", "b", "c", "d"), [("a",), ("b",)]) == 0.5


def _no_wordnet(references, caption):
    raise LookupError("Resource wordnet not found")


def test_there_is_no_value_without_wordnet_or_without_nltk(nltk, monkeypatch):
    nltk(_no_wordnet)
    assert meteor(("a",), [("a",)]) is None
    module._scorer.cache_clear()
    monkeypatch.setitem(sys.modules, "nltk.translate.meteor_score", None)
    assert meteor(("a",), [("a",)]) is None
