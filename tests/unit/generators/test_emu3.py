import numpy as np
import pytest
import torch
from helpers.near import are_best, same
from helpers.steady import steady

transformers = pytest.importorskip("transformers")

from tokenizers import Tokenizer as Words  # noqa: E402
from tokenizers.models import WordLevel  # noqa: E402
from tokenizers.pre_tokenizers import Split  # noqa: E402

from evalkit.generators.base import Request  # noqa: E402
from evalkit.generators.emu3 import NEGATIVE, Emu3Generator  # noqa: E402
from evalkit.generators.guidance import Guidance  # noqa: E402
from evalkit.generators.likelihood import ImageLikelihood, check_likelihood  # noqa: E402
from evalkit.generators.registry import Source, load_generator  # noqa: E402
from evalkit.generators.sampling import Sampler  # noqa: E402

GOLDEN = 25.405461542975566  # nats of an image's codes under weights of a formula
SPECIAL = {
    "image_token": "<image>",
    "boi_token": "<|image start|>",
    "eoi_token": "<|image end|>",
    "image_wrapper_token": "<|image token|>",
    "eof_token": "<|extra_201|>",
}
CODES = [f"<|visual token {i:06d}|>" for i in range(8)]
WORDS = [
    "<pad>",
    "<s>",
    "</s>",
    "<unk>",
    *SPECIAL.values(),
    "<|extra_200|>",
    *CODES,
    "2*2",
    "a",
    "red",
    "apple",
    "lowres,",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny Emu3 in transformers' layout: 8 codes."""
    path = tmp_path_factory.mktemp("emu3")
    table = {word: i for i, word in enumerate(WORDS)}
    words = Words(WordLevel(table, unk_token="<unk>"))
    words.pre_tokenizer = Split(" ", "removed")
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", bos_token="<s>", eos_token="</s>", extra_special_tokens=SPECIAL
    )
    transformers.Emu3Processor(transformers.Emu3ImageProcessor(), tokenizer).save_pretrained(path)
    text = {"vocab_size": len(WORDS), "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
    text |= {
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    vq = {"codebook_size": 8, "base_channels": 32, "channel_multiplier": [1, 1, 1, 1], "num_res_blocks": 1}
    vq |= {"hidden_size": 32, "latent_channels": 4, "embed_dim": 4, "attn_resolutions": []}
    torch.manual_seed(0)
    model = transformers.Emu3ForConditionalGeneration(
        transformers.Emu3Config(vq_config=vq, text_config=text, vocabulary_map=table)
    )
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "vqmodel" not in name:
                parameter.mul_(4.0)
    model.save_pretrained(path, safe_serialization=True)
    return path


@pytest.fixture
def model(folder):
    """With images of 2 x 2 codes."""
    whole = load_generator("emu3-gen", folder, "cpu", "float32")
    source = Source("emu3-gen", None, None, "emu3", None, None, torch.device("cpu"), torch.float32)
    assert whole.tokens_per_image == 8100
    return Emu3Generator(source, whole.model, whole.processor, area=256)


def test_teacher_forcing_predicts_the_greedy_codes_with_row_ends_between(model):
    requests = [Request("0", prompt="a red apple", sampler=Sampler(top_k=1))]
    tokens = model.sample_tokens(requests)
    conditions = model.encode_conditions(requests)
    logits = model.logits(conditions, tokens)
    assert logits.shape == (1, 4, 8)
    assert are_best(tokens, logits)
    codes = [WORDS.index(CODES[i]) for i in tokens[0].tolist()]
    ids = model.prompt_ids("a red apple")
    row_end = WORDS.index("<|extra_200|>")
    whole = torch.tensor([[*ids, codes[0], codes[1], row_end, codes[2]]])
    plain = model.model(input_ids=whole).logits[0, [len(ids) - 1, len(ids), len(ids) + 2, len(ids) + 3]]
    same(plain[:, model.words], logits[0], 1e-4)


def test_guidance_pushes_away_from_the_negative_prompt(model):
    request = Request("0", prompt="a red apple", sampler=Sampler(Guidance("llamagen", 3.0), top_k=1))
    (tokens,) = model.sample_tokens([request])
    first = [model.logits(model.pad([model.prompt_ids(p)]), tokens[None])[0, 0] for p in ("a red apple", NEGATIVE)]
    assert are_best(tokens[0], first[1] + 3 * (first[0] - first[1]))


def test_images_do_not_depend_on_the_batch(model):
    requests = [Request(str(i), prompt=p, seed=i) for i, p in enumerate(["a red apple", "apple", "a"])]
    together = model.generate(requests)
    alone = [model.generate([request])[0] for request in reversed(requests)][::-1]
    assert all((a.pixels == b.pixels).all() for a, b in zip(together, alone, strict=True))
    assert together[0].pixels.shape == (16, 16, 3)


def test_a_negative_prompt_of_the_request_stands_in_the_place_of_the_examples(model):
    sampler = Sampler(Guidance("llamagen", 3.0), top_k=1)
    asked = [
        Request(str(i), prompt="a red apple", negative=n, sampler=sampler) for i, n in enumerate(["red", None, ""])
    ]
    together = model.sample_tokens(asked)
    plain = model.sample_tokens([Request("p", prompt="a red apple", sampler=sampler)])[0]
    assert torch.equal(together[1], plain)
    for tokens, negative in zip(together, ("red", NEGATIVE, ""), strict=True):
        first = [model.logits(model.pad([model.prompt_ids(p)]), tokens[None])[0, 0] for p in ("a red apple", negative)]
        assert are_best(tokens[0], first[1] + 3 * (first[0] - first[1]))
    seen = [model.unconditional(model.encode_conditions([request])) for request in asked]
    assert not torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])


def test_the_likelihood_of_an_image_is_that_of_the_networks_own_logits(model):
    steady(model.model)
    scored = ImageLikelihood(check_likelihood(model))
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    codes = scored.codes(image)
    assert codes.shape == (1, 4)
    words = [WORDS.index(CODES[i]) for i in codes[0].tolist()]
    ids = model.prompt_ids("a red apple")
    whole = torch.tensor([[*ids, words[0], words[1], WORDS.index("<|extra_200|>"), words[2]]])
    logits = model.model(input_ids=whole).logits[0, [len(ids) - 1, len(ids), len(ids) + 2, len(ids) + 3]]
    wanted = torch.nn.functional.cross_entropy(logits[:, model.words].double(), codes[0], reduction="none")
    nats = scored.nats(image, Request("x", "a red apple"))
    same(nats, wanted, 1e-5)
    assert float(nats.sum()) == pytest.approx(GOLDEN, rel=1e-4)
