"""Every generator has a card, and the card says what the registration says."""

import pytest
from click.testing import CliRunner

from evalkit.cli import group
from evalkit.generators.registry import GENERATORS
from evalkit.systems.catalog import list_systems
from evalkit.tokenizers.cards import generator_cards, list_models, tokenizer_cards
from evalkit.weights.find import weights_manifest

CARDS = generator_cards()


def test_every_registered_generator_has_a_card_and_the_other_way_round():
    assert set(CARDS) == set(GENERATORS)


@pytest.mark.parametrize("name", sorted(CARDS))
def test_a_card_says_what_its_registration_says(name):
    entry, card = GENERATORS.get(name), CARDS[name]
    assert (card.weights, card.tokenizer or None) == (entry.weights, entry.tokenizer)
    assert card.weights is None or card.weights in weights_manifest()
    assert not card.tokenizer or card.tokenizer in tokenizer_cards()
    assert card.kind == "generator"
    assert card.conditions in ("class", "text", "any")
    assert all(GENERATORS.canonical(alias) == name for alias in card.aliases)


ALL = [*CARDS.values(), *tokenizer_cards().values()]


@pytest.mark.parametrize("card", ALL, ids=lambda card: f"{card.kind} {card.name}")
def test_every_card_states_a_licence_and_agrees_with_its_weights(card):
    assert card.licence
    if card.weights is not None:
        assert weights_manifest()[card.weights].licence in (card.licence, card.weights_licence)


def test_systems_state_the_licence_of_the_cards_of_their_own_code():
    for system in list_systems():
        for name in (*system.generators, *system.tokenizers):
            card = CARDS.get(name) or tokenizer_cards()[name]
            if card.code == system.code and card.weights is not None:
                assert system.licence.startswith(card.licence), (system.id, name)


def test_licences_that_forbid_commercial_use_are_known():
    forbidden = {card.name for card in ALL if card.non_commercial}
    assert {"dit", "dit-512", "chameleon"} <= forbidden
    assert not {"amused", "imagegpt-small", "hi-mar-b", "xar-b", "world-ar"} & forbidden


def test_the_list_and_the_weights_know_generators():
    shown = CliRunner().invoke(group, ["ls", "generators", "var-d*"])
    assert shown.exit_code == 0
    assert "var-d36" in shown.output
    assert CliRunner().invoke(group, ["weights", "list", "llamagen-b"]).exit_code == 0
    kinds = {card.kind for card in list_models()}
    assert kinds == {"tokenizer", "generator"}
