"""ELM: sub-codes of a place, teacher forcing, and how they become the tokenizer's codes."""

import pytest
import torch
from helpers.filled import fill, generator
from helpers.near import are_best
from helpers.small.decoders import DECODERS

from evalkit.errors import EvalkitError
from evalkit.generators.base import Request
from evalkit.generators.elm import Elm, ElmGptConfig
from evalkit.generators.guidance import Guidance
from evalkit.generators.registry import GENERATORS, Source
from evalkit.generators.sampling import Sampler
from evalkit.tokenizers.elm import ElmBAE, ElmConfig


@pytest.fixture(params=sorted(DECODERS["elm"]))
def model(request):
    case = DECODERS["elm"][request.param]
    return generator(case.cls, case.config, case.gains)


def test_teacher_forcing_predicts_the_unguided_greedy_codes(model):
    tokens = model.sample_tokens([Request(str(c), class_id=c, sampler=Sampler(top_k=1)) for c in (1, 4)])
    logits = model.logits(torch.tensor([1, 4]), tokens)
    assert logits.shape == (*tokens.shape, model.vocab_size)
    assert are_best(tokens, logits)


def test_guidance_is_full_at_the_last_place_and_a_share_of_it_at_the_first(model):
    scales = []

    class Seen(Guidance):
        def combine(self, cond, uncond, progress):
            scales.append(self.at(progress))
            return super().combine(cond, uncond, progress)

    sampler = Sampler(Seen("constant", 4.0, schedule="linear"), top_k=1)
    model.sample_tokens([Request("0", class_id=1, sampler=sampler)])
    assert scales == pytest.approx([1 + 3 * (i + 1) / 9 for i in range(9)])


def test_sub_codes_are_the_upper_and_the_lower_half_of_the_tokenizers_codes():
    model = generator(Elm, ElmGptConfig(2, 2, 32, classes=5, codes=8, split=2, bits=3, grid=2))
    config = ElmConfig(6, mult=(1, 1, 1, 1, 2), ch=32, blocks=1, z=32)
    network = ElmBAE.build(config)
    fill(network)
    model._tokenizer = ElmBAE("tiny", config, network, torch.device("cpu"), torch.float32)
    tokens = torch.tensor([[1, 2, 0, 7, 5, 5, 3, 0]])
    decoded = model._tokenizer.decode(model._tokenizer.codes(indices=torch.tensor([[10, 7, 45, 24]]), grid=(2, 2)))
    (pixels,) = model._pixels(tokens, (0,))
    assert (pixels == (decoded[0].permute(1, 2, 0).clamp(0, 1) * 255).floor().to(torch.uint8).numpy()).all()


def test_half_a_place_is_refused(model):
    if model.config.split == 2:
        with pytest.raises(EvalkitError, match="2 codes a place"):
            model.logits(torch.tensor([1]), torch.zeros(1, 3, dtype=torch.int64))


def test_official_files_of_both_kinds_are_read(tmp_path):
    for split, names in ((2, {"tok_embedder.1.weight", "proj.weight", "output.0.weight"}), (1, {"output.weight"})):
        config = ElmGptConfig(2, 2, 32, classes=5, codes=8, split=split, bits=3, grid=2)
        network = Elm.build(config)
        fill(network)
        assert names <= network.state_dict().keys()
        path = tmp_path / f"{split}.pth"
        torch.save(network.state_dict(), path)
        entry = GENERATORS.get("elm-l-2-10")
        source = Source(
            "elm-l-2-10", config, entry.weights, "elm-bae-20", path, None, torch.device("cpu"), torch.float32
        )
        made = Elm.load(source)
        assert torch.equal(made.network.norm.weight, network.norm.weight)
