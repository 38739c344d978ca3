"""Tokenizers that only encode are listed, and asking for one says why it cannot be scored."""

import pytest

from evalkit.errors import EvalkitError
from evalkit.tasks.tokenizer import evaluate_tokenizer
from evalkit.tokenizers.cards import list_models, tokenizer_cards
from evalkit.tokenizers.registry import TOKENIZERS, load_tokenizer


@pytest.mark.parametrize(("name", "reason"), [("digit", "autoregressive"), ("x-omni", "FLUX")])
def test_asking_for_one_says_that_it_has_no_decoder(name, reason):
    with pytest.raises(EvalkitError, match=f"^{name} makes codes but has no decoder.*{reason}.*evalkit ls tokenizers"):
        load_tokenizer(name)
    with pytest.raises(EvalkitError, match=f"^{name} makes codes"):
        evaluate_tokenizer(["jpeg-lm", name], "sample")


def test_they_are_listed_and_every_other_card_can_be_loaded_by_name():
    listed = {card.name: card for card in list_models("tokenizer")}
    only = {name for name, card in listed.items() if card.encode_only}
    assert only == {"digit", "x-omni"}
    for name, card in tokenizer_cards().items():
        if name not in only:
            assert TOKENIZERS.canonical(name) == name
            assert all(TOKENIZERS.canonical(alias) == name for alias in card.aliases)
