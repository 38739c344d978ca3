"""What the classifier looks at: the spectrum of an image and traces of up-sampling, or an encoder's embedding.

Up-sampling by a factor leaves the residual correlated with the position inside of its grid cell (Durall et al. 2020,
arXiv:2003.01826, on spectra; Popescu and Farid 2005, doi:10.1109/TSP.2004.839932, on interpolation).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import convolve

from evalkit.encoders.registry import load_extractor
from evalkit.encoders.spectrum import LUMA, radial_spectrum
from evalkit.images.sample import Pixels

Floats = npt.NDArray[np.float64]
PERIODS = (2, 3, 4, 6, 8, 12, 16)
SPECTRAL = "spectral"
_LUMA = np.array(LUMA)
_CROSS = np.array([[0, 0.25, 0], [0.25, -1, 0.25], [0, 0.25, 0]])


def spectrum(image: Pixels) -> Floats:
    """log10 of the power at 48 rings of frequency [48], from 0 to half a cycle a pixel, of the luma of uint8 [H, W, 3]."""
    return np.asarray(radial_spectrum(torch.from_numpy(image.copy()).permute(2, 0, 1)[None])[0].numpy())


def grid_traces(image: Pixels) -> Floats:
    """How far the size of the residual hangs on the place in a grid of 2 to 16 px [7]: 0 for none."""
    residual = np.abs(convolve(image @ _LUMA, _CROSS, mode="reflect"))
    found = []
    for axis in (0, 1):
        profile = residual.mean(axis)
        for period in PERIODS:
            kept = profile[: len(profile) // period * period].reshape(-1, period)
            found.append(kept.mean(0).std() / (profile.mean() + 1e-9))
    return np.asarray(np.asarray(found, np.float64).reshape(2, -1).mean(0))


def spectral(image: Pixels) -> Floats:
    """Spectrum, its slope from ring to ring, and traces of grids [105]."""
    rings = spectrum(image)
    colors = [np.log10(np.abs(convolve(image[..., c].astype(float), _CROSS)).mean() + 1e-3) for c in range(3)]
    found: Floats = np.concatenate([rings, np.diff(rings), grid_traces(image), colors])
    return found


def featurizer(name: str, weights: str | None = None, device: str = "auto") -> Callable[[Sequence[Pixels]], Floats]:
    """[n, dim] features of equalised images: `spectral`, or any feature extractor (`efflite0` is shipped).

    Raises `EvalkitError` for an unknown name, `WeightsError` where its weights cannot be had.
    """
    if name == SPECTRAL:
        return lambda images: np.stack([spectral(image) for image in images])
    extractor = load_extractor(name, weights, device)
    return lambda images: np.stack(extractor(images)).astype(np.float64)
