"""`open-nsfw`: whether an image is safe for work, by Yahoo's thin ResNet-50 (BSD-2-Clause).

Equivalent to yahoo/open_nsfw: nsfw_model/deploy.prototxt for the network and classify_nsfw.py for the way to its input,
which passes through a JPEG of quality 75, as its training data did.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from evalkit.encoders.classifiers.base import Classifier, Labelled, likeliest
from evalkit.encoders.precision import full_float32
from evalkit.encoders.registry import register
from evalkit.errors import WeightsError
from evalkit.images.sample import Pixels
from evalkit.weights.caffe import Blobs, read_caffemodel
from evalkit.weights.find import find_weights
from evalkit.weights.reading import file_sha256

KEY = "open-nsfw"
SIDE, CROP = 256, 224
MEAN = (104.0, 117.0, 123.0)  # of blue, green and red
STAGES = (3, 4, 6, 3)  # blocks; stages behind the first halve the side in their first block
SMALL = 1e-5  # Caffe's least variance
Folded = Mapping[str, tuple[Tensor, Tensor]]  # weight and bias of each convolution, with its normalisation


@register("open-nsfw", "label")
class OpenNsfw(Classifier):
    """Two labels; `nsfw` is the one that counts, where it is the likelier."""

    id = KEY
    labels = ("safe", "nsfw")

    def __init__(self, weights: str | Path | None, device: torch.device) -> None:
        """`weights`: resnet_50_1by2_nsfw.caffemodel, as it is released."""
        path = find_weights(KEY, weights)
        blobs = read_caffemodel(path)
        try:
            folded = {name: folded_layer(blobs, name) for name in layer_names()}
            head = tuple(torch.from_numpy(each) for each in blobs["fc_nsfw"])
        except (KeyError, ValueError) as error:
            raise WeightsError(
                f"{path.name} holds other layers than Yahoo's network ({error}). Give {path.name} of yahoo/open_nsfw"
            ) from None
        self.layers = {name: (w.to(device), b.to(device)) for name, (w, b) in folded.items()}
        self.head = (head[0].reshape(2, -1).to(device), head[1].reshape(-1).to(device))
        self.device, self.weights_sha256 = device, file_sha256(path)

    @torch.inference_mode()
    def __call__(self, images: Sequence[Pixels]) -> list[tuple[Labelled, ...]]:
        """Image by image, so that none depends on its batch."""
        found: list[tuple[Labelled, ...]] = []
        for image in images:
            with full_float32():
                pooled = pooled_features(prepared(image)[None].to(self.device), self.layers)
                found += likeliest(F.linear(pooled, *self.head).softmax(-1).cpu(), self.labels)
        return found


def prepared(image: Pixels) -> Tensor:
    """float32 [3, 224, 224]: blue, green and red of a uint8 [H, W, 3] image, less their means."""
    small = Image.fromarray(np.ascontiguousarray(image)).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    file = io.BytesIO()
    small.save(file, "JPEG")
    edge = (SIDE - CROP) // 2
    pixels = np.asarray(Image.open(file).convert("RGB"), np.float32)[edge : edge + CROP, edge : edge + CROP, ::-1]
    return torch.from_numpy(np.ascontiguousarray((pixels - np.array(MEAN, np.float32)).transpose(2, 0, 1)))


def pooled_features(x: Tensor, layers: Folded) -> Tensor:
    """float32 [B, 1024] of prepared images [B, 3, 224, 224]."""
    x = F.conv2d(x, *layers["1"], stride=2, padding=3).relu()
    x = F.max_pool2d(x, 3, 2, ceil_mode=True)  # Caffe rounds the side up
    for stage, blocks in enumerate(STAGES):
        for block in range(blocks):
            x = _block(x, layers, f"stage{stage}_block{block}", 2 if stage and not block else 1)
    return x.mean((2, 3))


def _block(x: Tensor, layers: Folded, name: str, stride: int) -> Tensor:
    shortcut = layers.get(f"{name}_proj_shortcut")
    y = F.conv2d(x, *layers[f"{name}_branch2a"], stride=stride).relu()
    y = F.conv2d(y, *layers[f"{name}_branch2b"], padding=1).relu()
    y = F.conv2d(y, *layers[f"{name}_branch2c"])
    return (y + (x if shortcut is None else F.conv2d(x, *shortcut, stride=stride))).relu()


def layer_names() -> list[str]:
    """Names of all convolutions behind `conv_`, `bn_` and `scale_`."""
    found = ["1"]
    for stage, blocks in enumerate(STAGES):
        for block in range(blocks):
            parts = ("branch2a", "branch2b", "branch2c", *(() if block else ("proj_shortcut",)))
            found += [f"stage{stage}_block{block}_{part}" for part in parts]
    return found


def folded_layer(blobs: Mapping[str, Blobs], name: str) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution with the batch norm and the scale behind it, folded in float64."""
    weight, bias = (torch.from_numpy(each).double() for each in blobs[f"conv_{name}"])
    mean, variance, count = (torch.from_numpy(each).double().flatten() for each in blobs[f"bn_{name}"])
    gain, shift = (torch.from_numpy(each).double().flatten() for each in blobs[f"scale_{name}"])
    share = 0.0 if float(count) == 0 else 1.0 / float(count)  # Caffe keeps sums, and how many they are of
    factor = gain / (variance * share + SMALL).sqrt()
    return (weight * factor.view(-1, 1, 1, 1)).float(), ((bias.flatten() - mean * share) * factor + shift).float()
