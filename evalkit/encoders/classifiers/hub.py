"""`hf:FOLDER`: an image classifier of transformers, such as UnlearnDiffAtk's artist classifier, from its checkpoint folder.

Its labels are those of config.json (`vincent-van-gogh`); its images are prepared as preprocessor_config.json says.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from evalkit.encoders.classifiers.base import Classifier, Labelled, likeliest
from evalkit.encoders.precision import full_float32
from evalkit.encoders.registry import Entry, shipped
from evalkit.errors import DAMAGED, MissingDependency, WeightsError
from evalkit.generators.folders import folder_digest
from evalkit.images.sample import Pixels


class HubClassifier(Classifier):
    """A folder that transformers' AutoModelForImageClassification reads; nothing is downloaded."""

    def __init__(self, place: str, device: torch.device) -> None:
        """Raises `WeightsError` where the folder is no such checkpoint."""
        try:
            from transformers import AutoImageProcessor, AutoModelForImageClassification
        except ImportError:
            raise MissingDependency(f"hf:{place}", "hf") from None
        folder = Path(place).expanduser()
        if not (folder / "config.json").is_file():
            raise WeightsError(
                f"{place} is no folder with a config.json. Give the folder of the classifier's checkpoint"
            )
        try:
            self.prepare = AutoImageProcessor.from_pretrained(folder, local_files_only=True)
            network = AutoModelForImageClassification.from_pretrained(folder, local_files_only=True)
        except (OSError, *DAMAGED) as error:
            reason = (str(error).splitlines() or [""])[0]
            raise WeightsError(
                f"{place} cannot be read as an image classifier ({reason}). Give its whole folder"
            ) from None
        self.network = network.eval().requires_grad_(False).to(device)
        names = network.config.id2label
        self.labels = tuple(str(names[i]) for i in range(len(names)))
        self.id, self.device, self.weights_sha256 = f"hf:{folder.name}", device, folder_digest(folder)

    @torch.inference_mode()
    def __call__(self, images: Sequence[Pixels]) -> list[tuple[Labelled, ...]]:
        """Image by image, so that none depends on its batch."""
        found: list[tuple[Labelled, ...]] = []
        for image in images:
            x = self.prepare(images=np.ascontiguousarray(image), return_tensors="pt")["pixel_values"].to(self.device)
            with full_float32():
                found += likeliest(self.network(x).logits.float().softmax(-1).cpu(), self.labels)
        return found


def entry(name: str, place: str) -> Entry:
    """The entry of `hf:FOLDER`."""

    def load(weights: str | Path | None, device: torch.device) -> HubClassifier:
        shipped(name, weights)
        return HubClassifier(place, device)

    return Entry(name, "label", load)
