"""Mask2Former (Cheng et al. 2022, arXiv:2112.01527) with a Swin backbone, trained on COCO, through transformers.

`mask2former-swin-s` is facebook/mask2former-swin-small-coco-instance: the architecture of GenEval's detector (mmdet,
mask2former_swin-s-p4-w7-224_lsj_8x2_50e_coco) from another training run, so borderline images may differ. Input and
post-processing are mmdet's, not those of transformers' image processor, which squeezes images to 384 x 384 and masks
with them. The weights are under CC BY-NC 4.0; evalkit neither ships nor needs them for anything else.
"""

from __future__ import annotations

import importlib.metadata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from evalkit.encoders.detectors.base import DESCRIPTIONS, Described, Detector, checked
from evalkit.encoders.detectors.coco import COCO_CLASSES
from evalkit.encoders.detectors.detection import Boxes
from evalkit.encoders.detectors.instances import instances
from evalkit.encoders.detectors.resize import Scale, network_input
from evalkit.encoders.precision import full_float32
from evalkit.encoders.registry import register
from evalkit.errors import MissingDependency, WeightsError
from evalkit.images.sample import Pixels
from evalkit.weights.find import find_weights
from evalkit.weights.reading import file_sha256

KEY = "mask2former-swin-small-coco"
FLOOR = 0.05
FILE = "model.safetensors"


class Mask2FormerDetector(Detector):
    """Instances of COCO's 80 classes; classes are matched by their number, so the file's own names do not matter.

    Images of one size go through the network together, `batch` at a time (1 on a CPU, where more gains nothing). A short
    batch is filled up, because kernels round differently for other batch sizes.
    """

    def __init__(
        self,
        folder: Path,
        device: torch.device,
        *,
        id: str = "mask2former-swin-s",
        scale: Scale | None = None,
        floor: float = FLOOR,
        batch: int | None = None,
    ) -> None:
        """`folder`: config.json and model.safetensors in transformers' layout. Raises `WeightsError`."""
        self._hold(_network(folder), file_sha256(folder / FILE), device, id, scale, floor, batch)

    @classmethod
    def of_network(
        cls, network: Any, sha256: str | None, device: torch.device, *, id: str, scale: Scale | None = None
    ) -> Mask2FormerDetector:
        """The detector of a network that is there; `sha256`: of the file that it came from."""
        made = cls.__new__(cls)
        made._hold(network, sha256, device, id, scale, FLOOR, None)
        return made

    def _hold(
        self,
        network: Any,
        sha256: str | None,
        device: torch.device,
        id: str,
        scale: Scale | None,
        floor: float,
        batch: int | None,
    ) -> None:
        self.id, self.floor, self.device, self.scale = id, floor, device, scale or Scale()
        self.classes = COCO_CLASSES
        self.settings = {"short_side": self.scale.short, "long_side": self.scale.long}
        self.batch = batch or (8 if device.type == "cuda" else 1)
        self.network = network.to(device)
        self.version = f"transformers {importlib.metadata.version('transformers')}"
        self.weights_sha256 = sha256

    def __call__(self, images: Sequence[Pixels]) -> list[Boxes]:
        """Up to 100 instances of each image, with full-size masks."""
        images = checked(images, self.id)
        by_size: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for place, image in enumerate(images):
            by_size[image.shape[:2]].append(place)
        found: dict[int, Boxes] = {}
        for places in by_size.values():
            for start in range(0, len(places), self.batch):
                chosen = places[start : start + self.batch]
                found.update(zip(chosen, self._together([images[i] for i in chosen]), strict=True))
        return [found[place] for place in range(len(images))]

    @torch.inference_mode()
    def _together(self, images: list[Pixels]) -> list[Boxes]:
        """Instances of images of one size."""
        height, width = images[0].shape[:2]
        inside = self.scale.size(height, width)
        rows = [network_input(image, self.scale) for image in images]
        x = torch.stack(rows + rows[-1:] * (self.batch - len(rows))).to(self.device)
        with full_float32():
            out = self.network(pixel_values=x)
            return [
                instances(
                    classes,
                    masks,
                    classes=self.classes,
                    padded=self.scale.padded(*inside),
                    inside=inside,
                    size=(height, width),
                    floor=self.floor,
                )
                for classes, masks, _ in zip(out.class_queries_logits, out.masks_queries_logits, images, strict=False)
            ]


def _network(folder: Path) -> Any:
    """The network in eval mode and float32; every parameter must be in the file."""
    try:
        from transformers import Mask2FormerForUniversalSegmentation
    except ImportError:
        raise MissingDependency("the detector Mask2Former", "hf") from None
    try:
        with _quiet():
            network, said = Mask2FormerForUniversalSegmentation.from_pretrained(
                str(folder), local_files_only=True, use_safetensors=True, dtype=torch.float32, output_loading_info=True
            )
    except Exception as error:  # the library raises many kinds for a folder that is not such a model's
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise WeightsError(
            f"{folder.name} cannot be loaded as a Mask2Former: {reason}. Give its whole folder"
        ) from None
    missing = sorted(said["missing_keys"]) + sorted(str(key) for key in said["mismatched_keys"])
    if missing:
        raise WeightsError(
            f"{folder.name} does not fit its config.json: {len(missing)} parameters are missing or of another shape "
            f"({', '.join(missing[:3])}). Give the whole folder of facebook/mask2former-swin-small-coco-instance"
        )
    if network.config.num_labels != len(COCO_CLASSES):
        raise WeightsError(
            f"{folder.name} knows {network.config.num_labels} classes, not COCO's 80. Give an instance model of COCO"
        )
    return network.eval().requires_grad_(False)


@contextmanager
def _quiet() -> Iterator[None]:
    """transformers' progress bar off while a file is loaded."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


@register("mask2former-swin-s", "boxes")
def _load(weights: str | Path | None, device: torch.device) -> Detector:
    return Mask2FormerDetector(find_weights(KEY, weights), device)


def _describe(weights: str | Path | None) -> Described:
    return Described(file_sha256(find_weights(KEY, weights) / FILE))


DESCRIPTIONS["mask2former-swin-s"] = _describe
