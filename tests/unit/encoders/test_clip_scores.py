import json
import zlib
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch

from evalkit.encoders import clip_scores
from evalkit.encoders.clip_pair import ClipPair, PairRule
from evalkit.encoders.clip_scores import FORMULAS, PAIRS, AestheticScorer, PairScorer
from evalkit.encoders.linear_stack import LinearStack
from evalkit.encoders.prompt_scorer import PROMPT_SCORERS, load_prompt_scorer
from evalkit.errors import EvalkitError, WeightsError
from evalkit.metrics.image_text import DECLARED
from evalkit.metrics.niqe import LUMA

CPU = torch.device("cpu")
SIZES = {
    "embed_dim": 12,
    "vision_cfg": {"image_size": 24, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 20, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
PROMPTS = ["a cat", "two dogs", "a red cube"]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    torch.manual_seed(0)
    network = open_clip.CLIP(12, SIZES["vision_cfg"], SIZES["text_cfg"], quick_gelu=True)
    path = tmp_path_factory.mktemp("clip") / "open_clip_model.pt"
    torch.save(network.state_dict(), path)
    return ClipPair(PairRule("clip-vitb32", "ViT-B-32", quick=True, resize="clip"), path, CPU, config=SIZES)


def images(n=3):
    return torch.randint(0, 256, (n, 3, 40, 31), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def cosine(pair, prompts):
    return torch.nn.functional.cosine_similarity(pair.images(images()), pair.texts(prompts)).double().numpy()


def scorer(name, pair):
    return PairScorer(name, pair, *FORMULAS[name])


def test_each_score_is_its_formula_of_the_embeddings(pair):
    plain = cosine(pair, PROMPTS)
    for name in ("hpsv2", "hpsv2_1", "clipscore_torchmetrics"):
        assert scorer(name, pair).score(images(), PROMPTS) == pytest.approx(100 * plain, abs=1e-4)
    scale = np.exp(pair.logit_scale)
    assert scorer("pickscore", pair).score(images(), PROMPTS) == pytest.approx(scale * plain, abs=1e-4)
    prefixed = cosine(pair, ["A photo depicts " + prompt for prompt in PROMPTS])
    found = scorer("clipscore", pair).score(images(), PROMPTS)
    assert found == pytest.approx(2.5 * np.maximum(prefixed, 0), abs=1e-5)
    assert found.max() > 0


def test_an_images_score_does_not_depend_on_the_batch(pair):
    together = scorer("pickscore", pair).score(images(), PROMPTS)
    alone = [scorer("pickscore", pair).score(images()[i : i + 1], PROMPTS[i : i + 1])[0] for i in range(3)]
    assert together == pytest.approx(alone, rel=1e-5)


def fill(name, shape):
    x = np.random.Generator(np.random.PCG64([zlib.crc32(name.encode()), 1])).standard_normal(shape, dtype=np.float32)
    return x / np.float32(np.sqrt(np.prod(shape[1:]))) if len(shape) > 1 else np.float32(0.05) * x


def test_the_aesthetic_head_is_the_official_one(tmp_path):
    golden = Path(__file__).parents[2] / "parity" / "data" / "score_goldens.json"
    peer = json.loads(golden.read_text(encoding="utf-8"))["image_text"]["aesthetic"]
    state = {key: torch.from_numpy(fill(key, shape)) for key, shape in peer["keys"].items()}
    torch.save(state, tmp_path / "head.pth")
    assert {key: list(value.shape) for key, value in LinearStack().state_dict().items()} == peer["keys"]

    class Wide:
        dim, device = 768, CPU

    embeddings = fill("aesthetic/emb", (16, 768)) * np.float32(10)
    embeddings[2] = 0
    found = AestheticScorer(Wide(), tmp_path / "head.pth").of_embeddings(torch.from_numpy(embeddings))
    assert found.numpy() == pytest.approx(peer["score_f64"], rel=1e-5)


def test_the_aesthetic_score_needs_no_prompts_meaning(pair, tmp_path):
    torch.manual_seed(0)
    torch.save(LinearStack(12).state_dict(), tmp_path / "head.pth")
    aesthetic = AestheticScorer(pair, tmp_path / "head.pth")
    assert np.array_equal(aesthetic.score(images(), PROMPTS), aesthetic.score(images(), PROMPTS[::-1]))
    assert aesthetic.score(images(), PROMPTS).std() > 0


def test_the_first_aesthetic_score_is_one_linear_layer(pair, tmp_path):
    torch.manual_seed(0)
    head = torch.nn.Linear(12, 1)
    torch.save(head.state_dict(), tmp_path / "head.pth")
    found = AestheticScorer(pair, tmp_path / "head.pth", "aesthetic_v1").score(images(), PROMPTS)
    with torch.no_grad():
        wanted = head(torch.nn.functional.normalize(pair.images(images()), dim=1))[:, 0]
    assert found == pytest.approx(wanted.double().numpy(), rel=1e-5)


def test_every_scorer_is_declared_as_a_metric_and_has_a_manifest_entry():
    assert set(PROMPT_SCORERS) == {*LUMA, *(each.name for each in DECLARED)}
    assert set(PAIRS) == set(FORMULAS) | {"aesthetic_v1", "aesthetic_v2"}
    assert clip_scores.PAIRS["hpsv2"].resize == "fit-bicubic"


@pytest.mark.parametrize("name", sorted(set(PROMPT_SCORERS) - set(LUMA)))
def test_a_scorer_without_weights_says_what_is_missing(name, monkeypatch):
    monkeypatch.setenv("EVALKIT_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsError, match="are not here and could not be fetched: get them from"):
        load_prompt_scorer(name, device="cpu")


def test_an_unknown_scorer_and_unequal_numbers_are_one_sentence(pair):
    with pytest.raises(EvalkitError, match="did you mean hpsv2"):
        load_prompt_scorer("hpsv22")
    with pytest.raises(EvalkitError, match="3 images and 1 prompts"):
        scorer("pickscore", pair).score(images(), ["a"])
    with pytest.raises(EvalkitError, match="takes uint8"):
        scorer("pickscore", pair).score(images().float(), PROMPTS)
