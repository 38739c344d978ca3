"""`yunet-s`: faces found by YuNet (Wu, Peng and Yu 2023), with the shipped weights."""

from __future__ import annotations

import hashlib
from importlib.resources import files as package_files
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from evalkit.encoders.faces.face import Face, FaceDetector
from evalkit.encoders.faces.yunet import STRIDES, YuNet
from evalkit.encoders.registry import register, shipped
from evalkit.errors import EvalkitError
from evalkit.images.sample import Pixels

LONGEST = 640  # px: larger images are looked at in this size, as the detector knows faces of 10 to 300 px
SCORE = 0.8
OVERLAP = 0.3  # intersection over union above which two boxes are one face


@register("yunet-s", "boxes")
class YunetFaces(FaceDetector):
    """YuNet-s (2023mar of opencv_zoo) with its shipped weights; `find` is a function of the image alone."""

    id, version = "yunet-s", "2023mar"

    def __init__(self, weights: str | Path | None, device: torch.device) -> None:
        shipped(self.id, weights)
        from safetensors.torch import load

        stored = (package_files("evalkit.encoders") / "data" / "yunet_s.safetensors").read_bytes()
        network = YuNet()
        network.load_state_dict(load(stored))
        self.device = device
        self.network = network.eval().requires_grad_(False).to(device)
        self.weights_sha256 = hashlib.sha256(stored).hexdigest()

    @torch.inference_mode()
    def find(self, image: Pixels) -> list[Face]:
        """Faces of a uint8 [H, W, 3] RGB image with a score of at least 0.8, the surest first."""
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise EvalkitError(f"faces are found in uint8 [H, W, 3] images; {image.dtype} {image.shape} was given")
        height, width = image.shape[:2]
        shrink = min(1.0, LONGEST / max(height, width))
        if shrink < 1:
            size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        x = torch.from_numpy(np.ascontiguousarray(image[:, :, ::-1])).permute(2, 0, 1)[None].float()
        x = torch.nn.functional.pad(x, (0, -image.shape[1] % 32, 0, -image.shape[0] % 32))
        corners, scores = boxes_of(self.network(x.to(self.device)))
        sure = scores >= SCORE
        corners, scores = corners[sure].cpu() / shrink, scores[sure].cpu()
        kept = apart(corners, scores, OVERLAP)
        faces = [_face(corners[i], float(scores[i]), height, width) for i in kept]
        return [face for face in faces if face.side > 0]


def apart(corners: Tensor, scores: Tensor, most: float) -> list[int]:
    """Indices of boxes [N, 4], the surest first, without those that overlap a surer one by more than `most`.

    It gives what torchvision.ops.nms gives, whose import takes longer than an evaluation of a few images.
    """
    x0, y0, x1, y1 = corners.T
    areas = (x1 - x0) * (y1 - y0)
    left, kept = torch.sort(scores, descending=True, stable=True).indices, []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(int(best))
        width = (torch.minimum(x1[best], x1[left]) - torch.maximum(x0[best], x0[left])).clamp(min=0)
        height = (torch.minimum(y1[best], y1[left]) - torch.maximum(y0[best], y0[left])).clamp(min=0)
        shared = width * height
        overlap = shared / (areas[best] + areas[left] - shared)
        left = left[~(overlap.double() > most)]
    return kept


def boxes_of(levels: list[tuple[Tensor, Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Corners [n, 4] (left, top, right, bottom, in pixels) and scores [n] of all cells of the first image."""
    corners, scores = [], []
    for stride, (score, objectness, box) in zip(STRIDES, levels, strict=True):
        x, y, w, h = box[0].flatten(1)
        rows, columns = torch.meshgrid(*(torch.arange(n, device=box.device) for n in box.shape[2:]), indexing="ij")
        centre = torch.stack([columns.flatten() + x, rows.flatten() + y], 1)
        half = torch.stack([w, h], 1).exp() / 2
        corners.append(torch.cat([centre - half, centre + half], 1) * stride)
        scores.append((score[0].flatten().sigmoid() * objectness[0].flatten().sigmoid()).sqrt())
    return torch.cat(corners), torch.cat(scores)


def _face(corner: Tensor, score: float, height: int, width: int) -> Face:
    left, top, right, bottom = corner.round().int().tolist()
    return Face(max(0, left), max(0, top), min(width, right), min(height, bottom), score)
