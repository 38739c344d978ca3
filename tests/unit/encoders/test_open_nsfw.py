"""open-nsfw: the released layout is read without Caffe, and the network is that of deploy.prototxt."""

import struct

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from evalkit.encoders.classifiers.open_nsfw import STAGES, layer_names, prepared
from evalkit.encoders.registry import load_encoder
from evalkit.errors import WeightsError
from evalkit.weights.caffe import read_caffemodel

NAME = "resnet_50_1by2_nsfw.caffemodel"


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def blob(array):
    shape = b"".join(varint(side) for side in array.shape)
    return field(7, field(7, field(1, shape)) + field(5, array.astype("<f4").tobytes()))


def layer(name, arrays):
    return field(100, field(1, name.encode()) + field(2, b"Any") + b"".join(blob(each) for each in arrays))


def sizes(name):
    if name == "1":
        return 64, 3, 7
    stage, block, part = int(name[5]), int(name.split("_")[1][5:]), name.split("_", 2)[2]
    inner, outer = 32 << stage, 128 << stage
    given = (64 if stage == 0 else 64 << stage) if block == 0 else outer
    return {"branch2a": (inner, given, 1), "branch2b": (inner, inner, 3), "branch2c": (outer, inner, 1)}.get(
        part, (outer, given, 1)
    )


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    """(path, arrays by layer) of a file in the released layout, with weights from a seed."""
    rng = np.random.default_rng(5)
    layers = {}
    for name in layer_names():
        out, given, side = sizes(name)
        spread = (2.0 / (given * side * side)) ** 0.5
        layers[f"conv_{name}"] = [rng.normal(0, spread, (out, given, side, side)), rng.normal(0, 0.1, out)]
        counts = np.array([7.0])
        layers[f"bn_{name}"] = [rng.normal(0, 0.2, out) * 7, rng.uniform(0.5, 1.5, out) * 7, counts]
        layers[f"scale_{name}"] = [rng.uniform(0.4, 0.8, out), rng.normal(0, 0.1, out)]
    layers["fc_nsfw"] = [rng.normal(0, 0.05, (2, 1024)), rng.normal(0, 0.1, 2)]
    layers = {name: [np.asarray(each, np.float32) for each in arrays] for name, arrays in layers.items()}
    path = tmp_path_factory.mktemp("nsfw") / NAME
    path.write_bytes(field(1, b"ResNet_50_1by2_nsfw") + b"".join(layer(*each) for each in layers.items()))
    return path, layers


def image(seed=0, size=(300, 200)):
    rng = np.random.default_rng(seed)
    return np.asarray(rng.integers(0, 256, (*size, 3)), np.uint8)


def plain(x, layers):
    """deploy.prototxt, layer by layer: convolution, batch norm by stored sums, scale."""

    def conv(x, name, stride=1, pad=0):
        weight, bias = (torch.from_numpy(each) for each in layers[f"conv_{name}"])
        mean, variance, count = (torch.from_numpy(each) for each in layers[f"bn_{name}"])
        gain, shift = (torch.from_numpy(each) for each in layers[f"scale_{name}"])
        x = F.conv2d(x, weight, bias, stride, pad)
        return F.batch_norm(x, mean / count, variance / count, gain, shift, False, 0.0, 1e-5)

    x = F.max_pool2d(conv(x, "1", 2, 3).relu(), 3, 2, ceil_mode=True)
    assert x.shape[-1] == 56
    for stage, blocks in enumerate(STAGES):
        for block in range(blocks):
            name, stride = f"stage{stage}_block{block}", 2 if stage and not block else 1
            y = conv(x, f"{name}_branch2a", stride).relu()
            y = conv(conv(y, f"{name}_branch2b", 1, 1).relu(), f"{name}_branch2c")
            x = (y + (x if block else conv(x, f"{name}_proj_shortcut", stride))).relu()
    assert x.shape[1:] == (1024, 7, 7)
    weight, bias = (torch.from_numpy(each) for each in layers["fc_nsfw"])
    return F.linear(F.avg_pool2d(x, 7).flatten(1), weight, bias).softmax(-1)


def test_the_released_layout_gives_what_its_layers_say(official):
    path, layers = official
    made = load_encoder("open-nsfw", path, "cpu")
    (found,) = made([image()])
    with torch.inference_mode():
        wanted = plain(prepared(image())[None], layers)[0]
    scores = {each.label: each.score for each in found}
    assert scores["safe"] == pytest.approx(float(wanted[0]), rel=1e-3)
    assert scores["nsfw"] == pytest.approx(float(wanted[1]), rel=1e-3)
    assert found[0].score >= found[1].score


def test_an_image_s_answer_does_not_depend_on_its_batch(official):
    made = load_encoder("open-nsfw", official[0], "cpu")
    together = made([image(1), image(2)])
    assert together == [*made([image(1)]), *made([image(2)])]


def test_input_is_blue_green_red_less_the_means_of_a_centre_behind_a_jpeg():
    grey = prepared(np.full((300, 200, 3), (200, 100, 50), np.uint8))
    assert grey.shape == (3, 224, 224)
    assert grey.mean((1, 2)).tolist() == pytest.approx([50 - 104, 100 - 117, 200 - 123], abs=1.5)


def test_blobs_keep_their_shapes_and_numbers(official):
    path, layers = official
    found = read_caffemodel(path)
    assert found.keys() == layers.keys()
    assert all(np.array_equal(a, b) for name in layers for a, b in zip(found[name], layers[name], strict=True))


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", struct.pack("<q", 3) * 9, field(100, b"\x0a\xff")])
def test_another_file_is_refused_in_one_sentence(tmp_path, content):
    path = tmp_path / NAME
    path.write_bytes(content)
    with pytest.raises(WeightsError) as caught:
        load_encoder("open-nsfw", path, "cpu")
    assert "\n" not in str(caught.value)


def test_layers_of_another_network_are_refused(tmp_path):
    path = tmp_path / NAME
    path.write_bytes(layer("conv_1", [np.zeros((2, 3, 1, 1)), np.zeros(2)]))
    with pytest.raises(WeightsError, match="other layers"):
        load_encoder("open-nsfw", path, "cpu")
