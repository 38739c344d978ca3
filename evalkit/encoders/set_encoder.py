"""The features that set metrics look at, in one pass over images, as a score protocol brings them to each network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from evalkit.device import pick_device
from evalkit.encoders.base import FeatureExtractor
from evalkit.encoders.features.i3d import I3dFeatures
from evalkit.encoders.features.inception import OUTPUTS, InceptionFid
from evalkit.encoders.kept_features import Identity
from evalkit.encoders.registry import load_extractor
from evalkit.encoders.spectrum import VERSION, radial_spectrum
from evalkit.errors import EvalkitError, WeightsError
from evalkit.metrics.fvd import I3D
from evalkit.protocols.score import ScoreProtocol

INCEPTION = "inception-v3-fid"
SPECTRUM = "spectrum"  # a head that needs no network: the radial power spectrum of the image as it is
RESIZE: Mapping[str, str | None] = {
    "clip-vitl14": "square-bicubic",  # CMMD's reader
    "clip-vitb32": None,  # the extractor's own way is CLIP-FID's
    "dinov2-vitl14": None,
    "efflite0": None,
}


class SetEncoder:
    """Loads the networks that `heads` need once; `unavailable` says of each head without one why.

    `heads`: outputs of the FID network ("2048", "sfid", "logits_unbiased", …), names of extractors, and "spectrum".
    """

    def __init__(
        self,
        heads: Sequence[str],
        protocol: ScoreProtocol,
        *,
        device: str = "auto",
        weights: Mapping[str, str | Path] | None = None,
    ) -> None:
        """`weights`: files by network name, where they do not lie in a place that is searched."""
        self.protocol, self._device = protocol, pick_device(device)
        self.unavailable: dict[str, str] = {}
        self._weights, self._away = dict(weights or {}), False
        self._outputs = tuple(head for head in heads if head in OUTPUTS)
        self._networks: dict[str, FeatureExtractor | I3dFeatures] = {}
        self._spectrum = SPECTRUM in heads
        self._others = [head for head in heads if head not in OUTPUTS and head != SPECTRUM]
        self._load()

    def __call__(self, images: Tensor) -> dict[str, npt.NDArray[Any]]:
        """float32 [B, d] of every available head for uint8 [B, 3, H, W] images (of I3D: clips [B, T, 3, H, W]).

        Each row is its image's alone.
        """
        if self._away:
            self._load()
        found: dict[str, npt.NDArray[Any]] = {}
        if self._device.type == "cuda":  # bytes cross once, and every resize is done there
            images = images.pin_memory().to(self._device, non_blocking=True)
        rule = self.protocol.network
        for name, network in self._networks.items():
            if isinstance(network, I3dFeatures):
                found[name] = _array(network.features(images, resize=rule.resize))
            elif isinstance(network, InceptionFid):
                outputs = network.outputs(images, self._outputs, resize=rule.resize, scale=rule.scale)
                found |= {head: _array(outputs[head]) for head in self._outputs}
            else:
                found[name] = _array(network.features(images, resize=RESIZE[name]))
        if self._spectrum:
            found[SPECTRUM] = _array(radial_spectrum(images))
        return found

    def put_away(self) -> None:
        """Free the networks' memory; the next images load them again."""
        self._networks.clear()
        self._away = True

    def identities(self) -> dict[str, Identity]:
        """What decides the features of every available head."""
        found: dict[str, Identity] = {}
        rule, clips = self.protocol.network, self.protocol.clips
        for name, network in self._networks.items():
            if isinstance(network, I3dFeatures):
                found[name] = Identity(name, network.weights_sha256, f"{rule.resize}, {clips}")
                continue
            whose = f"{network.id} {network.version}", network.weights_sha256 or ""
            if isinstance(network, InceptionFid):
                found |= dict.fromkeys(self._outputs, Identity(*whose, f"{rule.resize}, {rule.scale}"))
            else:
                found[name] = Identity(*whose, RESIZE[name] or "its own way")
        if self._spectrum:
            found[SPECTRUM] = Identity(VERSION, "none", "")
        return found

    def _load(self) -> None:
        self._away = False
        for name in ([INCEPTION] if self._outputs else []) + self._others:
            if name not in RESIZE and name not in (INCEPTION, I3D):
                raise EvalkitError(f"There is no head called {name!r}. Use some of {', '.join((*OUTPUTS, *RESIZE))}.")
            try:
                self._networks[name] = self._loaded(name, self._weights.get(name))
            except WeightsError as error:
                lost = self._outputs if name == INCEPTION else (name,)
                self.unavailable |= dict.fromkeys(lost, str(error))

    def _loaded(self, name: str, weights: str | Path | None) -> FeatureExtractor | I3dFeatures:
        if name != I3D:
            return load_extractor(name, weights, str(self._device))
        if self.protocol.clips is None:
            raise EvalkitError(f"{self.protocol.id} is of images, and {I3D} looks at videos. Use a protocol of videos.")
        return I3dFeatures(weights, self._device, self.protocol.clips.eps)


def _array(x: Tensor) -> npt.NDArray[Any]:
    return np.asarray(x.float().cpu().numpy())
