"""LlamaGen: official names, files, samplers, captions, and what comes out as an image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.near import are_best, near, same

from evalkit.errors import EvalkitError, WeightsError
from evalkit.generators.base import Request
from evalkit.generators.guidance import Guidance
from evalkit.generators.llamagen import LlamaGen, LlamaGenConfig, LlamaGenText
from evalkit.generators.nets.caption import TextFeatures
from evalkit.generators.nets.caption_text import clean_caption
from evalkit.generators.nets.llama import FeedForward, rope_1d, rope_2d, with_prefix
from evalkit.generators.registry import GENERATORS, Source
from evalkit.generators.sampling import Sampler

TINY = LlamaGenConfig(layers=2, heads=2, width=16, grid=3, codes=24, classes=5)
TEXT = LlamaGenConfig(layers=2, heads=2, width=16, grid=2, codes=24, caption=6, caption_tokens=4, top_k=3)


def source(config: LlamaGenConfig, weights: Path | None = None, dtype: torch.dtype = torch.float32) -> Source:
    return Source("tiny", config, "c2i_B_256.pt", "llamagen-vq16", weights, None, torch.device("cpu"), dtype)


def made(cls: type[LlamaGen], config: LlamaGenConfig, dtype: torch.dtype = torch.float32) -> LlamaGen:
    torch.manual_seed(0)
    network = cls.build(config)
    for tensor in network.state_dict().values():
        tensor.normal_(std=0.5)
    return cls(source(config, dtype=dtype), network)


def test_official_names_are_the_parameter_names() -> None:
    layer = ["attention.wqkv", "attention.wo", "feed_forward.w1", "feed_forward.w3", "feed_forward.w2"]
    layer += ["attention_norm", "ffn_norm"]
    want = {f"layers.{i}.{name}.weight" for i in range(2) for name in layer}
    want |= {"tok_embeddings.weight", "norm.weight", "output.weight"}
    assert set(LlamaGen.build(TINY).state_dict()) == want | {"cls_embedding.embedding_table.weight"}
    text = {"cap_proj.fc1.weight", "cap_proj.fc2.weight", "uncond_embedding"}
    assert set(LlamaGenText.build(TEXT).state_dict()) == want | {f"cls_embedding.{name}" for name in text}


@pytest.mark.parametrize(
    ("name", "file", "grid", "scale", "side"),
    [
        ("llamagen-b", "c2i_B_256.pt", 16, 2.0, 256),
        ("llamagen-l-384", "c2i_L_384.pt", 24, 2.0, 256),
        ("llamagen-xl", "c2i_XL_384.pt", 24, 1.75, 256),
        ("llamagen-3b", "c2i_3B_384.pt", 24, 1.65, 256),
        ("llamagen-b-384-cca", "c2i_B_384_CCA_0005000.pt", 24, 1.0, 256),
        ("llamagen-xl-t2i-512", "t2i_XL_stage2_512.pt", 32, 7.5, 512),
    ],
)
def test_names_stand_for_the_official_files(name: str, file: str, grid: int, scale: float, side: int) -> None:
    entry = GENERATORS.get(name)
    assert entry.weights == file
    assert entry.config.grid == grid
    assert entry.config.scale == scale
    assert (entry.config.saved or 16 * grid) == side
    assert entry.config.width % entry.config.heads == 0
    assert entry.tokenizer == ("llamagen-vq16-t2i" if "t2i" in name else "llamagen-vq16")


@pytest.mark.parametrize("wrap", ["model", "module", "state_dict", None])
def test_every_official_wrapping_loads(tmp_path: Path, wrap: str | None) -> None:
    state = dict(made(LlamaGen, TINY).network.state_dict()) | {"freqs_cis": torch.zeros(3)}
    path = tmp_path / "c2i.pt"
    torch.save(state if wrap is None else {wrap: state, "steps": 3}, path)
    loaded = LlamaGen.load(source(TINY, path))
    assert torch.equal(loaded.network.state_dict()["norm.weight"], state["norm.weight"])
    assert loaded.weights_sha256
    assert loaded.vocab_size == 24
    assert loaded.tokens_per_image == 9


def test_a_file_of_another_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c2i.pt"
    torch.save({"model": made(LlamaGen, TINY).network.state_dict()}, path)
    with pytest.raises(WeightsError, match="another shape"):
        LlamaGen.load(source(LlamaGenConfig(layers=2, heads=2, width=32, grid=3, codes=24, classes=5), path))


@pytest.mark.parametrize("class_id", [5, -1])
def test_an_unknown_class_is_refused(class_id: int) -> None:
    with pytest.raises(EvalkitError, match="classes 0 to 4"):
        made(LlamaGen, TINY).sample_tokens([Request("a", class_id=class_id)])


def test_the_rotary_table_vanishes_at_the_class_and_turns_by_row_and_column() -> None:
    table = with_prefix(rope_2d(3, 4, 8), 1)
    assert table.shape == (13, 4, 2)
    assert not table[0].any()
    angles = torch.atan2(table[1:, :, 1], table[1:, :, 0]).view(3, 4, 4)
    rows, columns = torch.arange(3.0)[:, None].expand(3, 4), torch.arange(4.0).expand(3, 4)
    torch.testing.assert_close(torch.cos(angles[..., 0]), torch.cos(rows))
    torch.testing.assert_close(torch.sin(angles[..., 1]), torch.sin(rows * 0.01))
    torch.testing.assert_close(torch.sin(angles[..., 2]), torch.sin(columns))
    torch.testing.assert_close(rope_1d(5, 8)[:, 1, 1], torch.sin(torch.arange(5.0) * 0.1))


@pytest.mark.parametrize(("width", "hidden"), [(768, 2048), (1024, 2816), (1280, 3584), (1536, 4096), (3200, 8704)])
def test_the_feed_forward_is_as_wide_as_in_the_official_files(width: int, hidden: int) -> None:
    with torch.device("meta"):
        layer = FeedForward(width)
    assert layer.w1.weight.shape == layer.w3.weight.shape == (hidden, width)


def test_guidance_stops_after_the_interval() -> None:
    model = made(LlamaGen, TINY)

    def codes(guidance: Guidance) -> torch.Tensor:
        return model.sample_tokens([Request("a", class_id=2, sampler=Sampler(guidance, top_k=1))])[0]

    full, stopped = codes(Guidance("llamagen", 6.0)), codes(Guidance("llamagen", 6.0, interval=2))
    assert torch.equal(full[:4], stopped[:4])
    cond = model.logits(torch.tensor([2]), stopped[None])[0]
    assert are_best(stopped[4:], cond[4:])


def test_images_are_cut_to_bytes_and_resized_as_the_official_script_does() -> None:
    class Fake:
        deterministic = True

        def codes(self, indices: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
            return indices.view(len(indices), 1, *grid)

        def decode(self, codes: torch.Tensor) -> torch.Tensor:
            return codes.expand(-1, 3, -1, -1) / 23.0

    model = made(LlamaGen, TINY)
    model._tokenizer = Fake()  # type: ignore[assignment]
    ask = [Request(str(i), class_id=i, seed=i) for i in range(3)]
    images = model.generate(ask)
    codes = model.sample_tokens(ask).view(3, 3, 3).numpy()
    for image, code in zip(images, codes, strict=True):
        level = np.clip(np.floor(127.5 * (code / 23.0 * 2 - 1) + 128 + 1e-4), 0, 255)
        assert np.array_equal(image.pixels[..., 0], level)
        assert image.evaluations == 9
    model.resize = 6
    assert model.generate(ask[:1])[0].pixels.shape == (6, 6, 3)


def test_lower_precision_keeps_the_rotary_table() -> None:
    model = made(LlamaGen, TINY, torch.bfloat16)
    assert model.network.output.weight.dtype == torch.bfloat16
    assert model.network.turn.dtype == torch.float32
    assert model.sample_tokens([Request("a", class_id=1)]).shape == (1, 9)
    assert model.logits(torch.tensor([1]), torch.zeros(1, 9, dtype=torch.int64)).dtype == torch.float32


def text_model(features: torch.Tensor, mask: torch.Tensor | None) -> LlamaGenText:
    model = made(LlamaGenText, TEXT)
    assert isinstance(model, LlamaGenText)
    packed = features if mask is None else TextFeatures.left_padded(features, mask).packed()
    model.rows = len(features)
    model.encode_conditions = lambda requests: packed  # type: ignore[method-assign]
    return model


@pytest.mark.parametrize("masked", [False, True])
def test_text_decoding_with_a_cache_equals_the_teacher_forced_argmax(masked: bool) -> None:
    torch.manual_seed(3)
    features, mask = torch.randn(2, 4, 6), torch.tensor([[1, 0, 0, 0], [1, 1, 1, 0]])
    model = text_model(features, mask if masked else None)
    ask = [Request(str(i), prompt="a", sampler=Sampler(Guidance("llamagen", 3.0), top_k=1)) for i in range(2)]
    codes = model.sample_tokens(ask)
    cond = model.encode_conditions(ask)
    with torch.inference_mode():
        guided = model.network(cond, codes), model.network(model.network.null(cond), codes)
    assert are_best(codes, guided[1] + 3.0 * (guided[0] - guided[1]))


def test_padding_does_not_matter_under_a_mask_and_does_without() -> None:
    values, mask, codes = torch.randn(1, 4, 6), torch.tensor([[True, True, False, False]]), torch.zeros(1, 4).long()
    model = made(LlamaGenText, TEXT)
    assert isinstance(model, LlamaGenText)
    padded = TextFeatures.left_padded(values, mask)
    assert torch.equal(padded.values[0, 2:], values[0, :2])
    assert not padded.values[0, :2].any()
    assert padded.mask.tolist() == [[False, False, True, True]]
    other = TextFeatures(padded.values + torch.tensor([5.0, 5.0, 0.0, 0.0])[None, :, None], padded.mask)
    same(model.logits(padded, codes), model.logits(other, codes))
    assert not near(model.logits(padded.values, codes), model.logits(other.values, codes), 1e-3)
    same(model.logits(padded, codes), model.logits(padded.packed(), codes))


def test_prompts_are_encoded_once_with_their_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    import evalkit.generators.llamagen as module

    heard: list[str] = []

    class Fake:
        def __init__(self, key: str, *rest: object) -> None:
            heard.append(key)

        def __call__(self, texts: list[str], tokens: int) -> tuple[torch.Tensor, torch.Tensor]:
            heard.extend(texts)
            return torch.ones(len(texts), tokens, 6), torch.tensor([[1, 1, 0, 0]] * len(texts))

    monkeypatch.setattr(module, "TextEncoder", Fake)
    model = made(LlamaGenText, TEXT)
    for _ in range(2):
        packed = model.encode_conditions([Request("a", prompt="A  FOX")])
    assert heard == ["flan-t5-xl", "a fox", "a fox"]
    assert packed.shape == (1, 4, 7)
    assert packed[0, :, 6].tolist() == [0, 0, 1, 1] == packed[0, :, 0].tolist()
    with pytest.raises(EvalkitError, match="prompt"):
        model.generate([Request("a", class_id=1)])


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("A Photo of a <b>Red</b> Fox", "a photo of a red fox"),
        ("fox\u2014dog \u201cquoted\u201d", 'fox-dog "quoted"'),
        ("one_two_three_four_five", "one two three four five"),
        ("mail @someone now", "mail now"),
        ("part ab1234 and 123456789", "part and"),
        ("free shipping: a lamp", "a lamp"),
        ("\u4e00\u4e01 cat", "cat"),
    ],
)
def test_captions_are_cleaned(raw: str, clean: str) -> None:
    assert clean_caption(raw) == clean
