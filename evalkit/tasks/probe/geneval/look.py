"""The evidence stage: images through the detector, a chunk at a time, and instances through the colour classifier."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice

from evalkit.encoders.detectors.base import Detector
from evalkit.encoders.detectors.coco import COCO_CLASSES
from evalkit.encoders.detectors.detection import Boxes
from evalkit.encoders.zero_shot import ZeroShot
from evalkit.errors import EvalkitError
from evalkit.tasks.probe.evidence.record import ImageEvidence, pixels_sha256
from evalkit.tasks.probe.geneval.colors import colored
from evalkit.tasks.probe.geneval.prompts import CLASSES, GenevalPrompt
from evalkit.tasks.probe.suite import ProbeImage

CHUNK = 16  # images that a detector is given at once


def look(
    images: Iterable[ProbeImage],
    prompts: Mapping[str, GenevalPrompt],
    detector: Detector,
    colors: ZeroShot | None = None,
) -> Iterator[ImageEvidence]:
    """The detections in each image, with colours where its prompt names one and the detector saw none itself.

    Raises `EvalkitError` for an image of an unknown prompt, and where a colour is needed and there is no classifier.
    """
    names = dict(zip(detector.classes, CLASSES, strict=True)) if detector.classes == COCO_CLASSES else {}
    stream = iter(images)
    while chunk := list(islice(stream, CHUNK)):
        found = detector([each.pixels for each in chunk])
        for image, boxes in zip(chunk, found, strict=True):
            renamed = tuple(replace(box, label=names[box.label]) for box in boxes) if names else boxes
            seen = renamed if detector.sees_colors else _with_colors(image, renamed, _prompt(image, prompts), colors)
            yield _evidence(image, seen)


def _prompt(image: ProbeImage, prompts: Mapping[str, GenevalPrompt]) -> GenevalPrompt:
    if image.prompt not in prompts:
        raise EvalkitError(
            f"{image.image} is of prompt {image.prompt}, which the suite does not have. Give its own images"
        )
    return prompts[image.prompt]


def _with_colors(image: ProbeImage, boxes: Boxes, prompt: GenevalPrompt, colors: ZeroShot | None) -> Boxes:
    if all(clause.color is None for clause in prompt.include):
        return boxes
    if colors is None:
        raise EvalkitError(
            f"prompt {prompt.id} names a colour, and there is no colour classifier. Load clip-vitl14-224"
        )
    return colored(image.pixels, boxes, prompt, colors)


def _evidence(image: ProbeImage, boxes: Boxes) -> ImageEvidence:
    height, width = image.pixels.shape[:2]
    return ImageEvidence(image.image, image.prompt, image.sample, (height, width), pixels_sha256(image.pixels), boxes)
