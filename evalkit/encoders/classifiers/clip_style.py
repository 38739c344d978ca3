"""`clip-style`: whose style an image has, by CLIP among artists and anchors that are nobody's.

Without anchors (a photo, a painting, a drawing) every image would be given to an artist.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from evalkit.encoders.classifiers.base import Classifier, Labelled, likeliest
from evalkit.encoders.registry import register
from evalkit.encoders.zero_shot import SHARPNESS, ClipZeroShot
from evalkit.images.sample import Pixels

ARTISTS = (
    "Vincent van Gogh", "Pablo Picasso", "Claude Monet", "Rembrandt", "Andy Warhol", "Salvador Dali", "Leonardo da Vinci",
    "Johannes Vermeer", "Edvard Munch", "Gustav Klimt", "Paul Cezanne", "Henri Matisse", "Caravaggio", "Katsushika Hokusai",
    "Wassily Kandinsky", "Jackson Pollock", "Frida Kahlo", "Edward Hopper", "Hieronymus Bosch", "Paul Gauguin",
)  # fmt: skip
ANCHORS = ("a photo", "a painting", "a drawing", "a cartoon", "a 3d render")
SENTENCES = {artist: f"a painting in the style of {artist}" for artist in ARTISTS}


@register("clip-style", "label")
class ClipStyle(Classifier):
    """Softmax of 100 x cosine with ViT-L/14 over twenty artists and five anchors."""

    id = "clip-style"
    labels = (*ARTISTS, *ANCHORS)

    def __init__(self, weights: str | Path | None, device: torch.device) -> None:
        self.clip = ClipZeroShot(weights, device)
        self.weights_sha256, self.version = self.clip.weights_sha256, self.clip.version
        self.words = self.clip.text_features([SENTENCES.get(label, label) for label in self.labels])

    def __call__(self, images: Sequence[Pixels]) -> list[tuple[Labelled, ...]]:
        """The likeliest styles of each image."""
        if not images:
            return []
        logits = SHARPNESS * (self.clip.image_features(images)[:, None].double() * self.words.double()).sum(-1)
        return likeliest(logits.softmax(-1), self.labels)
