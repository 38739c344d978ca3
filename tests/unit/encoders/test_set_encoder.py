import numpy as np
import pytest
import torch

from evalkit.encoders import set_encoder
from evalkit.encoders.features.inception import FidInception, InceptionFid
from evalkit.encoders.set_encoder import INCEPTION, SetEncoder
from evalkit.errors import EvalkitError
from evalkit.metrics.fvd import FVD
from evalkit.metrics.sets.composition import HEADS, Side, heads_of, score_sets
from evalkit.protocols.score import load_score_protocol

ADM, TORCH = load_score_protocol("adm"), load_score_protocol("pytorch-fid")


class Seen:
    """An extractor that keeps how it was asked."""

    weights_sha256 = "abc"

    def __init__(self):
        self.ways = []

    def features(self, images, *, resize=None):
        self.ways.append(resize)
        return images.float().mean((2, 3))


@pytest.fixture(scope="module")
def inception(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("w") / "pt_inception-2015-12-05-6726825d.pth"
    torch.save(FidInception().state_dict(), path)
    return path


def images(n=2):
    return torch.randint(0, 256, (n, 3, 40, 31), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_one_pass_gives_every_head_as_the_protocol_brings_images_to_the_network(inception):
    encoder = SetEncoder(["2048", "logits_unbiased"], TORCH, device="cpu", weights={INCEPTION: inception})
    found = encoder(images())
    network = InceptionFid(inception, torch.device("cpu"))
    wanted = network.outputs(images(), ("2048", "logits_unbiased"), resize="bilinear", scale="v / 127.5 - 1")
    assert {head: rows.shape for head, rows in found.items()} == {"2048": (2, 2048), "logits_unbiased": (2, 1008)}
    assert all(np.array_equal(found[head], wanted[head].numpy()) for head in found)
    assert {each.weights for each in encoder.identities().values()} == {network.weights_sha256}
    other = SetEncoder(["2048"], ADM, device="cpu", weights={INCEPTION: inception})(images())
    assert not np.allclose(other["2048"], found["2048"], rtol=1e-3, atol=0)


def test_other_networks_see_images_as_their_metrics_sources_do(monkeypatch):
    made = {}
    monkeypatch.setattr(set_encoder, "load_extractor", lambda name, *_: made.setdefault(name, Seen()))
    encoder = SetEncoder(["clip-vitl14", "clip-vitb32", "dinov2-vitl14"], ADM)
    assert set(encoder(images())) == {"clip-vitl14", "clip-vitb32", "dinov2-vitl14"}
    assert {name: each.ways for name, each in made.items()} == {
        "clip-vitl14": ["square-bicubic"],
        "clip-vitb32": [None],
        "dinov2-vitl14": [None],
    }


def test_every_head_of_the_set_metrics_is_known(monkeypatch):
    monkeypatch.setattr(set_encoder, "load_extractor", lambda *_: Seen())
    monkeypatch.setattr(set_encoder, "I3dFeatures", lambda *_: Seen())
    SetEncoder(heads_of([name for name in HEADS if name != FVD.name]), ADM)
    SetEncoder(heads_of([FVD.name]), load_score_protocol("videogpt"))
    with pytest.raises(EvalkitError, match="looks at videos"):
        SetEncoder(heads_of([FVD.name]), ADM)
    with pytest.raises(EvalkitError, match="no head called 'vgg'"):
        SetEncoder(["vgg"], ADM)


def test_heads_without_weights_are_named_with_the_reason_and_the_rest_goes_on(monkeypatch, inception):
    monkeypatch.setenv("EVALKIT_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    encoder = SetEncoder(["2048", "clip-vitl14"], ADM, device="cpu", weights={INCEPTION: inception})
    assert list(encoder(images())) == ["2048"]
    assert "open_clip_model.safetensors are not here" in encoder.unavailable["clip-vitl14"]
    none = SetEncoder(["2048", "sfid"], ADM, device="cpu")
    assert list(none.unavailable) == ["2048", "sfid"]
    assert none(images()) == {}


def test_features_of_a_pass_score(monkeypatch):
    monkeypatch.setattr(set_encoder, "load_extractor", lambda *_: Seen())
    encoder = SetEncoder(["clip-vitb32"], load_score_protocol("clean"))
    one, two = Side(encoder(images(40))), Side(encoder(images(30)))
    found = score_sets(["fd_clip_vitb32"], one, two, load_score_protocol("clean"))
    assert found["fd_clip_vitb32"].value >= 0


def test_for_a_gpu_the_bytes_are_pinned_and_cross_once(inception, monkeypatch):
    encoder = SetEncoder(["2048", "logits_unbiased", "spectrum"], ADM, device="cpu", weights={INCEPTION: inception})
    wanted = encoder(images())
    said, plain = [], torch.Tensor.to

    def crossing(self, *args, **given):
        if args == (torch.device("cuda"),):
            said.append((self.dtype, given))
            return self
        return plain(self, *args, **given)

    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: said.append("pinned") or self)
    monkeypatch.setattr(torch.Tensor, "to", crossing)
    encoder._device = torch.device("cuda")
    found = encoder(images())
    assert said == ["pinned", (torch.uint8, {"non_blocking": True})]
    assert all(np.array_equal(found[head], wanted[head]) for head in wanted)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("protocol", ["adm", "pytorch-fid", "clean"])
def test_features_of_a_gpu_are_those_of_the_cpu_to_float32(inception, protocol):
    rules = load_score_protocol(protocol)
    one, two = (
        SetEncoder(["2048", "spectrum"], rules, device=device, weights={INCEPTION: inception})(images(4))
        for device in ("cpu", "cuda")
    )
    for head in one:
        assert np.abs(one[head] - two[head]).max() < 1e-4 * np.abs(one[head]).max()
