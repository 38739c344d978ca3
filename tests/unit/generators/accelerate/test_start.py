"""Which models and drafts fit which acceleration, and what is said of the others."""

import pytest
import torch

from evalkit.errors import EvalkitError, WeightsError
from evalkit.generators.accelerate.hack import Hack
from evalkit.generators.accelerate.rules import Nearest, codebook_of
from evalkit.generators.accelerate.settings import Cspd, Gsd, Lantern, Speculative
from evalkit.generators.accelerate.start import accelerate
from evalkit.generators.registry import GENERATORS, Source
from evalkit.tokenizers.registry import load_tokenizer


def bare(name):
    """A registered runner without a network: enough for what is checked before anything runs."""
    entry = GENERATORS.get(name)
    source = Source(name, entry.config, None, entry.tokenizer, None, None, torch.device("cpu"), torch.float32)
    return entry.cls(source, torch.nn.Linear(1, 1))


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("nar-b", Speculative(), "nar-b does not draw so"),
        ("detailflow-64-gpt-l", Gsd(), "detailflow-64-gpt-l does not draw so"),
        ("mar-h", Lantern(), "try --accelerate cspd:draft=mar-b"),
        ("var-d16", Speculative(), "try --accelerate hack:budget=0.5"),
        ("llamagen-l", Hack(0.5), "try --accelerate speculative:length=5"),
        ("llamagen-l", Cspd("mar-b"), "try --accelerate speculative:length=5"),
    ],
)
def test_a_model_that_cannot_be_accelerated_so_is_told_what_it_can(name, settings, said):
    with pytest.raises(EvalkitError, match=said):
        accelerate(bare(name), settings)


@pytest.mark.parametrize(
    ("name", "draft", "said"),
    [
        ("llamagen-l", "world-ar", "writes codes of world-vq, not llamagen-vq16"),
        ("llamagen-l-384", "llamagen-b", "makes 256, not 576"),
        ("llamagen-l", "nar-b", "does not draw one code after another"),
    ],
)
def test_a_draft_of_other_codes_is_refused(name, draft, said):
    with pytest.raises(EvalkitError, match=said):
        accelerate(bare(name), Speculative(draft), bare)


def test_a_mar_of_other_latents_is_refused():
    with pytest.raises(EvalkitError, match="such as draft=mar-b"):
        accelerate(bare("mar-h"), Cspd("llamagen-b"), bare)


@pytest.mark.parametrize(("name", "settings"), [("llamagen-l", Speculative("llamagen-b")), ("mar-h", Cspd("mar-b"))])
def test_missing_weights_of_a_draft_are_said_to_be_the_drafts(name, settings):
    def missing(name):
        raise WeightsError("not here")

    with pytest.raises(
        EvalkitError, match=rf"the draft {settings.draft} \(--weights {settings.draft}=FILE\): not here"
    ):
        accelerate(bare(name), settings, missing)
    with pytest.raises(EvalkitError, match="give a function that loads it"):
        accelerate(bare(name), settings)


def test_the_codebook_of_a_tokenizer_and_its_neighbours():
    tokenizer = load_tokenizer("world-vq", device="cpu")
    codebook = codebook_of(tokenizer, 1024)
    assert codebook.shape == (1024, 8)
    nearest = Nearest(codebook)[7, :3]
    away = (codebook - codebook[7]).square().sum(1)
    away[7] = torch.inf
    assert nearest.tolist() == away.argsort()[:3].tolist()
    with pytest.raises(EvalkitError, match="no single codebook of 9 codes"):
        codebook_of(tokenizer, 9)
