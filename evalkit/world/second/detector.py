"""The known-truth detector of the second edition: a small network trained on the world's own scenes.

Its accuracy on fresh scenes, clean and harmed, is in benchmarks/world/results/second-detector.csv.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from evalkit.errors import EvalkitError
from evalkit.images.sample import Pixels
from evalkit.weights.find import find_weights
from evalkit.weights.layout import fit
from evalkit.weights.reading import read_checkpoint
from evalkit.world.detector import Detection, Seen
from evalkit.world.second.detect_net import STRIDE, Answers, DetectorConfig, DetectorNet
from evalkit.world.second.scene import SIDE
from evalkit.world.second.vocabulary import CLASS_NAMES, COLOR_NAMES, GROUNDS, STYLE_NAMES

WEIGHTS = "world_detector2.safetensors"
THRESHOLD = 0.25
NEAREST = 0.5  # of the larger of two boxes' longest sides: things whose centres are nearer are one
_MOST = 24  # peaks of an image that are looked at
_PIECE = 64


def detect_all(
    images: Sequence[Pixels], network: DetectorNet | None = None, *, threshold: float = THRESHOLD
) -> list[Seen]:
    """What is in each of the square uint8 [H, W, 3] images; other sizes than 96 are scaled to it (boxes are at 96).

    `network`: the shipped one by default. Raises `EvalkitError` for what is no square uint8 image.
    """
    network = network or shipped_network()
    device = network.whole.weight.device
    found: list[Seen] = []
    for start in range(0, len(images), _PIECE):
        stack = np.stack([_sized(pixels) for pixels in images[start : start + _PIECE]])
        with torch.inference_mode():
            answers = network(torch.from_numpy(stack).to(device).permute(0, 3, 1, 2).float())
        found += read_answers(answers, threshold)
    return found


@cache
def shipped_network() -> DetectorNet:
    """The network with the weights that evalkit ships or finds; raises `WeightsError` where there are none."""
    return load_network(find_weights(WEIGHTS))


def load_network(path: Path) -> DetectorNet:
    """The network with the weights of a file."""
    network = DetectorNet(DetectorConfig())
    fit(network, read_checkpoint(path), path, "the second world's detector")
    return network.eval().requires_grad_(False)


def read_answers(answers: Answers, threshold: float = THRESHOLD) -> list[Seen]:
    """The things of each image: peaks of at least `threshold`, the surest first, none over another."""
    shares = answers.classes.sigmoid()
    best = shares.amax(1, keepdim=True)
    peaks = torch.where(F.max_pool2d(best, 3, 1, 1) == best, best, 0.0).flatten(1)
    scores, places = peaks.topk(_MOST)
    names = shares.argmax(1).flatten(1).gather(1, places)
    colors = answers.colors.argmax(1).flatten(1).gather(1, places)
    boxes = answers.boxes.flatten(2).gather(2, places[:, None].expand(-1, 4, -1))
    grounds, styles = answers.grounds.argmax(1).tolist(), answers.styles.argmax(1).tolist()
    rows = zip(scores.tolist(), names.tolist(), colors.tolist(), _pixels(boxes, places).tolist(), strict=True)
    return [
        Seen(GROUNDS[ground], tuple(_separate(zip(*row, strict=True), threshold)), STYLE_NAMES[style])
        for row, ground, style in zip(rows, grounds, styles, strict=True)
    ]


def _pixels(boxes: Tensor, places: Tensor) -> Tensor:
    """[B, n, 4]: left, top, right, bottom in whole pixels, from cells [B, 4, n] at places [B, n] of the map."""
    side = SIDE // STRIDE
    x = (places % side + 0.5 + boxes[:, 0]) * STRIDE
    y = (places // side + 0.5 + boxes[:, 1]) * STRIDE
    width, height = (boxes[:, i].clamp(min=1) * STRIDE / 2 for i in (2, 3))
    return torch.stack([x - width, y - height, x + width, y + height], -1).round().long()


def _separate(
    peaks: Iterator[tuple[float, int, int, tuple[int, int, int, int]]], threshold: float
) -> Iterator[Detection]:
    taken: list[Detection] = []
    for score, name, color, box in peaks:
        left, top, right, bottom = box
        thing = Detection(
            CLASS_NAMES[name], COLOR_NAMES[color - 1] if color else None, (left, top, right, bottom), score
        )
        if score < threshold:
            return
        if not any(_one(thing, other) for other in taken):
            taken.append(thing)
            yield thing


def _one(a: Detection, b: Detection) -> bool:
    """Whether two peaks are of one thing."""
    sides = max(box[i + 2] - box[i] for box in (a.box, b.box) for i in (0, 1))
    apart = max(abs(a.box[i] + a.box[i + 2] - b.box[i] - b.box[i + 2]) for i in (0, 1)) / 2
    return apart < NEAREST * sides


def _sized(pixels: Pixels) -> Pixels:
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.shape[0] != pixels.shape[1] or pixels.dtype != np.uint8:
        raise EvalkitError(
            f"the detector takes square uint8 [H, W, 3] images; {pixels.dtype} {list(pixels.shape)} was given"
        )
    if pixels.shape[0] == SIDE:
        return pixels
    return np.asarray(cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)
