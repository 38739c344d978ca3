import lpips
import numpy as np
import pytest
import torch
from helpers.near import near, same
from torch import nn
from torchvision.models._meta import _IMAGENET_CATEGORIES as CLASSES

from evalkit.encoders.features.inception import OUTPUTS, FidInception, InceptionFid
from evalkit.encoders.features.tf_resize import tf1_bilinear
from evalkit.encoders.perceptual.lpips import Lpips, Trunk
from evalkit.encoders.registry import load_extractor, load_lpips
from evalkit.errors import EvalkitError, WeightsError
from evalkit.images import open_images


def lively(module: nn.Module, seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights through which an image's signal survives."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for key, value in module.state_dict().items():
        noise = torch.randn(value.shape, generator=generator)
        if value.ndim >= 2:
            state[key] = noise * (2 / value[0].numel()) ** 0.5
        elif key.endswith("running_var"):
            state[key] = 1 + 0.1 * noise.abs()
        elif key.endswith("num_batches_tracked"):
            state[key] = value
        else:
            state[key] = (1 if key.endswith("weight") else 0) + 0.05 * noise
    return state


def photos(n=2, side=64, seed=0):
    return torch.randint(0, 256, (n, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("net", "name"), [("alex", "alexnet"), ("vgg", "vgg16"), ("squeeze", "squeezenet1_1")])
def test_lpips_is_that_of_its_authors_package(tmp_path, net, name):
    trunk = Trunk(net)
    state = lively(trunk)
    torch.save({**state, "classifier.1.weight": torch.zeros(2)}, tmp_path / "trunk.pth")
    ours = load_lpips(net, tmp_path / "trunk.pth", device="cpu")
    peer = lpips.LPIPS(net=net, pnet_rand=True, verbose=False)
    own = dict(peer.net.state_dict())
    for key in own:  # the package names the layer net.slice<k>.<i>.…, torchvision features.<i>.…
        own[key] = state["features." + key.split(".", 1)[1]]
    peer.net.load_state_dict(own)
    x, y = photos(3).float() / 255, photos(3, seed=1).float() / 255
    with torch.no_grad():
        wanted = peer(x, y, normalize=True).flatten()
        raw = peer(x, y).flatten()
    same(ours.distance(x, y), wanted, 2e-5)
    same(ours.distance(x, y, normalise=False), raw, 2e-5)
    assert ours.distance(x, x).abs().max() == 0
    one = torch.cat([ours.distance(x[i : i + 1], y[i : i + 1]) for i in range(3)])
    same(one, ours.distance(x, y))


def test_lpips_says_what_it_needs(tmp_path):
    torch.save(lively(Trunk("alex")), tmp_path / "a.pth")
    model = Lpips("alex", tmp_path / "a.pth", torch.device("cpu"))
    small = torch.zeros(1, 3, 16, 16)
    with pytest.raises(EvalkitError, match="sides from 31"):
        model.distance(small, small)
    with pytest.raises(EvalkitError, match="of one shape"):
        model.distance(small, torch.zeros(1, 3, 8, 8))
    with pytest.raises(EvalkitError, match="no encoder called 'lpips-resnet'; did you mean"):
        load_lpips("resnet", device="cpu")
    with pytest.raises(WeightsError, match="does not fit lpips-vgg"):
        load_lpips("vgg", tmp_path / "a.pth", device="cpu")


@pytest.fixture(scope="module")
def inception_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("w") / "inception.pth"
    torch.manual_seed(0)
    state = lively(FidInception())
    torch.save({k: v for k, v in state.items() if "num_batches" not in k}, path)
    return path


@pytest.fixture(scope="module")
def inception(inception_file):
    return InceptionFid(inception_file, torch.device("cpu"))


def test_inception_is_torch_fidelitys_network(inception, inception_file):
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    names = ["64", "192", "768", "2048", "logits_unbiased", "logits"]
    peer = FeatureExtractorInceptionV3("peer", names, feature_extractor_weights_path=str(inception_file))
    images = photos(2, side=80)
    got = inception.outputs(images, OUTPUTS)
    assert got["sfid"].shape == (2, 7 * 17 * 17)
    for name, wanted in zip(names, peer(images), strict=True):
        same(got[name], wanted.flatten(1))


def test_inception_features_do_not_depend_on_the_batch(inception):
    images = photos(3, side=40)
    together = inception.features(images)
    alone = torch.cat([inception.features(images[i : i + 1]) for i in range(3)])
    same(together, alone, 1e-4)
    assert not near(together, inception.features(images, resize="bilinear-antialias"), 1e-3)


def test_inception_refuses_floats_and_unknown_outputs(inception):
    with pytest.raises(EvalkitError, match="takes uint8"):
        inception.features(torch.zeros(1, 3, 9, 9))
    with pytest.raises(EvalkitError, match="no output 'x'"):
        inception.outputs(photos(1), ("x",))


def test_tf1_resize_is_torch_fidelitys():
    from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x as peer

    x = torch.rand(2, 3, 37, 50)
    assert torch.allclose(tf1_bilinear(x, 61, 29), peer(x, size=(61, 29), align_corners=False), atol=1e-5)
    assert torch.equal(tf1_bilinear(x, 37, 50), x)
    as_decoded = x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    assert torch.equal(tf1_bilinear(as_decoded, 61, 29), tf1_bilinear(x, 61, 29))
    assert tf1_bilinear((x * 255).byte(), 5, 5).dtype == torch.float32


@pytest.fixture(scope="module")
def efflite():
    return load_extractor("efflite0", device="cpu")


def test_efficientnet_knows_a_cat_and_a_coffee(efflite):
    found = {}
    for sample in open_images("sample/photos").read(0, 9):
        image = torch.from_numpy(np.ascontiguousarray(sample.image)).permute(2, 0, 1)[None]
        found[sample.id] = CLASSES[int(efflite.logits(image).argmax())]
    assert "cat" in found["photos-cat.jpg"]
    assert found["photos-coffee.jpg"] == "espresso"
    assert found["photos-cameraman.jpg"] == "tripod"


def test_efficientnet_features_do_not_depend_on_the_batch(efflite):
    images = photos(3, side=90)
    together = efflite.features(images)
    alone = torch.cat([efflite.features(images[i : i + 1]) for i in range(3)])
    assert together.shape == (3, efflite.dim)
    same(together, alone, 1e-4)


def test_unknown_extractors_propose_the_known():
    with pytest.raises(EvalkitError, match="efflite0"):
        load_extractor("eflite0")
