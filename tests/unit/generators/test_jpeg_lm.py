"""JPEG-LM: the loop is transformers' own, source images are continued, and bytes that are no image cost that image."""

import numpy as np
import pytest
import torch

transformers = pytest.importorskip("transformers")

from tokenizers import Tokenizer as Words  # noqa: E402
from tokenizers.decoders import Fuse  # noqa: E402
from tokenizers.models import WordLevel  # noqa: E402
from tokenizers.pre_tokenizers import Split  # noqa: E402

from evalkit.errors import EvalkitError  # noqa: E402
from evalkit.generators.base import Failed, Image, Request  # noqa: E402
from evalkit.generators.jpeg_lm import whole_file  # noqa: E402
from evalkit.generators.registry import load_generator  # noqa: E402
from evalkit.generators.sampling import Sampler  # noqa: E402
from evalkit.tokenizers.codec import to_text  # noqa: E402


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny Llama over bytes, in transformers' layout."""
    path = tmp_path_factory.mktemp("jpeg-lm")
    names = ["<s>", "</s>", "<unk>", *to_text(bytes(range(256)))]
    words = Words(WordLevel({word: i for i, word in enumerate(names)}, unk_token="<unk>"))
    words.pre_tokenizer, words.decoder = Split("", "isolated"), Fuse()
    special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    transformers.PreTrainedTokenizerFast(tokenizer_object=words, **special).save_pretrained(path)
    config = transformers.LlamaConfig(
        vocab_size=len(names), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4
    )
    torch.manual_seed(0)
    transformers.LlamaForCausalLM(config).save_pretrained(path, safe_serialization=True)
    return path


@pytest.fixture
def model(folder):
    made = load_generator("jpeg-lm-7b", folder, "cpu", "float32")
    made.longest = 40
    return made


def photo():
    return np.random.default_rng(0).integers(0, 256, (300, 400, 3)).astype(np.uint8)


def test_the_likeliest_words_are_those_of_transformers_own_loop(model):
    ids = model.start(None)
    assert ids == [0]
    ours = model.continued(ids, Sampler(top_k=1), 0)
    theirs = model.model.generate(
        torch.tensor([ids]), max_length=40, do_sample=False, eos_token_id=1, pad_token_id=1, use_cache=True
    )
    assert ours == theirs[0].tolist()


def test_words_depend_on_the_seed_alone(model):
    one, again, other = (model.continued([0], Sampler(top_k=50), seed) for seed in (1, 1, 2))
    assert one == again
    assert one != other


def test_a_source_image_is_continued_from_half_of_its_restart_cycles(model):
    ids = model.start(photo())
    stream = bytes(i - 3 for i in ids[1:])
    assert stream[:2] == b"\xff\xd8"
    assert stream[-2:] == b"\xff\xd7"
    assert stream.count(b"\xff\xd7") == 16
    model.prefix = 0.25
    assert bytes(i - 3 for i in model.start(photo())[1:]).count(b"\xff\xd7") == 8


def test_a_whole_file_becomes_its_image_and_anything_else_a_reason(model, monkeypatch):
    model.prefix = 1.0
    stream = model.codec.to_bytes(model.codec.to_image(whole_file(model.codec.to_bytes(photo()[:256, :256]))))
    words = [0, *(byte + 3 for byte in stream), 1]
    monkeypatch.setattr(type(model), "continued", lambda self, ids, sampler, seed: words if seed else [0, 5, 6, 1])
    good, bad = model.generate([Request("a", seed=1), Request("b", prompt="named only", seed=0)])
    assert isinstance(good, Image)
    assert good.pixels.shape == (256, 256, 3)
    assert (good.pixels == model.codec.to_image(stream)).all()
    assert (good.evaluations, good.notes) == (len(words) - 1, {"words": len(words)})
    assert isinstance(bad, Failed)
    assert "no JPEG image" in bad.reason


def test_masks_and_rounds_are_refused(model):
    for more in ({"mask": photo()}, {"rounds": ("brighter",)}):
        with pytest.raises(EvalkitError, match="mask or rounds"):
            model.generate([Request("a", prompt="x", source_image=photo(), **more)])


@pytest.mark.parametrize(
    ("stream", "whole"),
    [
        (b"\xff\xd8ab\xff\xd9cd", b"\xff\xd8ab\xff\xd9"),
        (b"\xff\xd8ab", b"\xff\xd8ab\xff\xd9"),
        (b"ab\xff\xd9", b"\xff\xd8ab\xff\xd9"),
    ],
)
def test_markers_are_completed_as_in_the_official_script(stream, whole):
    assert whole_file(stream) == whole
