"""Names: patterns, aliases, near misses; and that cards, manifest and registry know the same models."""

import pytest

from evalkit.errors import EvalkitError, WeightsError
from evalkit.tokenizers.cards import tokenizer_cards
from evalkit.tokenizers.registry import (
    TOKENIZERS,
    describe_tokenizer,
    load_tokenizer,
    tokenizer_alias,
    tokenizer_name,
)
from evalkit.weights.find import weights_manifest

NOT_TOKENIZERS = (
    "inception",
    "lpips",
    "vgg",
    "alex",
    "squeeze",
    "efficientnet",
    "dinov2",
    "clip",
    "world_ar",
    "detector",
    "elm-",  # generators of this family
)


def test_every_weight_of_a_tokenizer_is_used_by_one():
    import tomllib
    from importlib.resources import files

    families = {part.name for part in (files("evalkit.tokenizers") / "cards").iterdir()}
    used = {TOKENIZERS.get(name).weights for name in TOKENIZERS}
    manifest = files("evalkit.weights") / "manifest"
    for part in manifest.iterdir():
        if part.name in families:
            keys = set(tomllib.loads(part.read_text(encoding="utf-8")))
            extra = {key for key in keys - used if not any(word in key.lower() for word in NOT_TOKENIZERS)}
            assert not extra, part.name
    assert used - {None} <= set(weights_manifest())


def test_every_alias_loads_what_its_name_loads():
    aliases = {alias: card.name for card in tokenizer_cards().values() for alias in card.aliases}
    assert aliases["gigatok"] == "gigatok-bl"
    for alias, name in aliases.items():
        assert TOKENIZERS.get(alias) is TOKENIZERS.get(name)


@pytest.mark.parametrize(("typed", "meant"), [("jpeglm", "jpeg-lm"), ("llamagen-vq-16", "llamagen-vq16"),
                                              ("sdxl", "sdxl-vae"), ("cosmos-di32", "cosmos-di")])  # fmt: skip
def test_unknown_names_propose_near_ones(typed, meant):
    with pytest.raises(EvalkitError, match=rf"no tokenizer called '{typed}'; did you mean .*{meant}"):
        load_tokenizer(typed)


@pytest.mark.parametrize("number", [1, 9, 50, 100])
def test_every_quality_is_a_name(number):
    for kind in ("jpeg", "webp"):
        model = load_tokenizer(f"{kind}-q{number}")
        assert (model.name, model.config.quality) == (f"{kind}-q{number}", number)


def test_a_codec_takes_no_weights():
    with pytest.raises(EvalkitError, match="jpeg-lm has no weights"):
        load_tokenizer("jpeg-lm", weights="file.pt")


@pytest.mark.parametrize("name", ["mar-kl16", "sdxl-vae", "cosmos-di16", "emu3", "ldm-vq-f8", "taming-gumbel-f8-8192"])
def test_absent_weights_are_one_sentence_that_names_file_and_source(name, tmp_path):
    entry = weights_manifest()[TOKENIZERS.get(name).weights]
    with pytest.raises(WeightsError) as raised:
        load_tokenizer(name, weights=tmp_path)
    said = str(raised.value)
    assert all(file in said for file in entry.files)
    assert entry.where in said
    assert "\n" not in said


def test_a_tokenizer_of_another_side_has_its_name_its_codes_and_lists_of_its_own():
    plain, larger = load_tokenizer("world-vq", device="cpu"), load_tokenizer("world-vq:128", device="cpu")
    assert (plain.name, larger.name, larger.native_size) == ("world-vq", "world-vq:128", 128)
    assert (plain.native_size, larger.weights_sha256) == (64, plain.weights_sha256)
    assert larger.tokens_per_image(128, 128) == 4 * plain.tokens_per_image(64, 64)
    assert describe_tokenizer("world-vq:128").native_size == 128
    assert tokenizer_alias("world-vq:128") == tokenizer_name("world-vq:128") == "world-vq:128"
    for wrong, said in (
        ("world-vq:100", "multiples of 8"),
        ("world-vq:0", "a side lies from 1"),
        ("no-such:64", "no-such"),
    ):
        with pytest.raises(EvalkitError, match=said):
            load_tokenizer(wrong)
