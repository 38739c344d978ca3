"""Zero-shot choice: open_clip's own transform and towers, averaged sentences, and independence of the batch."""

import numpy as np
import open_clip
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file

from evalkit.encoders.zero_shot import Choice, ClipZeroShot
from evalkit.errors import EvalkitError, WeightsError

CONFIG = {
    "embed_dim": 12,
    "vision_cfg": {"image_size": 24, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
CHOICES = [
    Choice(c, (f"a photo of a {c} dog", f"a photo of a {c}-colored dog", f"a {c} object"))
    for c in ("red", "blue", "white")
]


@pytest.fixture(scope="module")
def peer(tmp_path_factory):
    torch.manual_seed(2)
    whole = open_clip.CLIP(12, CONFIG["vision_cfg"], CONFIG["text_cfg"], quick_gelu=True).eval()
    with torch.no_grad():
        for value in whole.parameters():
            value.copy_(0.2 * torch.randn(value.shape))
    path = tmp_path_factory.mktemp("clip") / "open_clip_model.safetensors"
    save_file(dict(whole.state_dict()), path)
    return whole, path


@pytest.fixture(scope="module")
def chooser(peer):
    return ClipZeroShot(peer[1], torch.device("cpu"), config=CONFIG, batch=4)


def images():
    rng = np.random.default_rng(5)
    return [rng.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in ((40, 31), (24, 24), (9, 70), (100, 3), (1, 1))]


def test_features_are_those_of_open_clip_with_its_own_transform(peer, chooser):
    transform = open_clip.image_transform(24, is_train=False)
    x = torch.stack([transform(Image.fromarray(image)) for image in images()])
    with torch.inference_mode():
        want = F.normalize(peer[0].encode_image(x), dim=-1)
    assert torch.allclose(chooser.image_features(images()), want, atol=1e-5)


def test_the_answer_is_the_nearest_mean_of_sentences(peer, chooser):
    tokens = open_clip.get_tokenizer("ViT-L-14")
    with torch.inference_mode():
        words = [F.normalize(peer[0].encode_text(tokens(list(c.sentences))), dim=-1).mean(0) for c in CHOICES]
    cosine = chooser.image_features(images()) @ F.normalize(torch.stack(words), dim=-1).T
    want = (100 * cosine).softmax(1)
    got = chooser(images(), CHOICES)
    assert [c.word for c in got] == [CHOICES[i].word for i in want.argmax(1).tolist()]
    assert [c.probability for c in got] == pytest.approx(want.max(1).values.tolist(), rel=1e-4)


def test_an_answer_does_not_depend_on_the_batch(chooser):
    assert chooser(images(), CHOICES) == [chooser([image], CHOICES)[0] for image in images()]
    assert chooser([], CHOICES) == []


def test_sentences_are_encoded_once(chooser, monkeypatch):
    chooser(images()[:1], CHOICES)
    monkeypatch.setattr(chooser.network, "encode_text", None)
    chooser(images()[1:], CHOICES)


def test_nothing_to_choose_from_is_an_error(chooser):
    with pytest.raises(EvalkitError, match="nothing to choose"):
        chooser(images(), [])


def test_a_file_without_a_text_half_is_refused(peer, tmp_path):
    state = {k: v for k, v in peer[0].state_dict().items() if k.startswith("visual.")}
    save_file(state, tmp_path / "open_clip_model.safetensors")
    with pytest.raises(WeightsError, match="parameters are missing"):
        ClipZeroShot(tmp_path / "open_clip_model.safetensors", torch.device("cpu"), config=CONFIG)
