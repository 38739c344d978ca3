import pytest
import torch

from evalkit.errors import EvalkitError
from evalkit.tasks.tokenizer.native import policy_of
from evalkit.tokenizers.base import Codes, Tokenizer
from evalkit.tokenizers.cards import list_models, tokenizer_cards
from evalkit.tokenizers.network import NetworkTokenizer
from evalkit.tokenizers.registry import TOKENIZERS, load_tokenizer
from evalkit.weights.find import weights_manifest

CARDS = tokenizer_cards()


def test_every_registered_tokenizer_has_a_card_and_the_other_way_round():
    by_pattern = {name for name in CARDS if name.startswith(("jpeg-q", "webp-q"))}
    encode_only = {name for name, card in CARDS.items() if card.encode_only}
    assert set(TOKENIZERS) == set(CARDS) - by_pattern - encode_only


@pytest.mark.parametrize("name", sorted(TOKENIZERS))
def test_a_card_says_what_its_tokenizer_says(name):
    entry, card = TOKENIZERS.get(name), CARDS[name]
    assert card.weights == entry.weights
    assert entry.weights is None or entry.weights in weights_manifest()
    assert card.title
    assert all(TOKENIZERS.canonical(alias) == name for alias in card.aliases)


@pytest.mark.parametrize("name", sorted(TOKENIZERS))
def test_a_card_says_how_images_of_other_sizes_are_seen(name):
    entry, card = TOKENIZERS.get(name), CARDS[name]
    model = object.__new__(entry.cls)
    model.name, model.config, model.device, model.dtype = name, entry.config, torch.device("cpu"), torch.float32
    try:
        if issubclass(entry.cls, NetworkTokenizer):
            model.setup()
    except AttributeError:  # what a library's class takes is in its network, of which there are no weights here
        assert card.any_size == (not entry.cls.fixed_size)
        return
    assert card.any_size == (policy_of(model) == "pad")
    assert model.native_size == card.native_size


def test_published_numbers_name_their_source_and_are_not_from_memory():
    for card in CARDS.values():
        for number in card.published:
            assert number.source
            assert number.setting
            assert number.certainty in ("read", "second-hand")


def test_models_are_listed_by_pattern():
    assert [card.name for card in list_models("tokenizer", "llamagen-vq1*")] == ["llamagen-vq16", "llamagen-vq16-t2i"]
    assert [card.name for card in list_models("generator", "world*")] == ["world-ar", "world-ar-draft", "world-ar2"]


def test_unknown_names_propose_near_ones():
    with pytest.raises(EvalkitError, match=r"did you mean .*gigatok"):
        load_tokenizer("gigatoc")


def test_codes_hold_exactly_one_kind():
    with pytest.raises(EvalkitError, match="exactly one"):
        Codes()
    with pytest.raises(EvalkitError, match="exactly one"):
        Codes(indices=torch.zeros(1, 1), latent=torch.zeros(1, 1))


class Fixed(Tokenizer):
    name, native_size, fixed_size, vocab_size = "fixed", 64, True, None

    def encode(self, images):
        return Codes(bits=torch.zeros(1, 4, 3, dtype=torch.int8))

    def decode(self, codes, *, seed=0, noise=None):
        return codes.values

    def tokens_per_image(self, height, width):
        return 4


def test_fixed_sizes_and_rates_of_bits():
    model = Fixed()
    with pytest.raises(EvalkitError, match="64x64 images only"):
        model.check_size(32, 64)
    assert model.image_bits(model.encode(None)) == [12.0]
    assert model.codes(bits=torch.ones(1, 4, 3)).bits.dtype == torch.int8
    assert model.bits_per_code() is None
