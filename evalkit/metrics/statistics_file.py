"""Statistics of a reference set in a file: what guided-diffusion, pytorch-fid, clean-fid and evalkit itself write.

`mu`, `sigma`: mean and covariance of pool features (all four); `mu_s`, `sigma_s`: of spatial features (guided-diffusion,
2,023 of them); `arr_0`: images, of which guided-diffusion keeps 10,000 for precision and recall while its statistics are
those of the whole training set; `feats`: features for KID (clean-fid). evalkit adds `n` and `made_with`, so that
statistics of another protocol or network are not taken for these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError
from evalkit.jsonio import canonical_json, parse_json
from evalkit.metrics.npz import NpzFile
from evalkit.metrics.transport import Gaussian
from evalkit.whole_files import whole

Array = npt.NDArray[np.float64]
WIDEST = 16_384  # features of one kind


@dataclass(frozen=True)
class StoredGaussian:
    """Mean [d] and covariance [d, d] of n features as a file keeps them; n is None where the file does not say."""

    mean: Array
    sigma: Array
    n: int | None = None

    @property
    def dim(self) -> int:
        """Number of features."""
        return len(self.mean)

    def covariance(self) -> Array:
        """[d, d], the caller's own."""
        return self.sigma.copy(order="F")


@dataclass(frozen=True)
class ReferenceFile:
    """What a file says of a reference: statistics of pool and spatial features, features [n, d], and how many images.

    `made_with`: protocol and network, where evalkit wrote the file; empty otherwise.
    """

    path: Path
    pool: StoredGaussian | None = None
    spatial: StoredGaussian | None = None
    features: npt.NDArray[Any] | None = None
    images: int = 0
    made_with: Mapping[str, str] = field(default_factory=dict)

    def need(self, what: str) -> StoredGaussian:
        """The statistics of "pool" or "spatial" features; an error that says what the file has instead."""
        found = {"pool": self.pool, "spatial": self.spatial}[what]
        if found is None:
            names = "mu_s and sigma_s" if what == "spatial" else "mu and sigma"
            raise EvalkitError(
                f"{self.path.name} has no {names}: it holds {self.contents()}. Give a reference that has them, or its images."
            )
        return found

    def contents(self) -> str:
        """What the file holds, in words."""
        parts = [
            f"statistics of {self.pool.dim:,} pool features" if self.pool else "",
            f"statistics of {self.spatial.dim:,} spatial features" if self.spatial else "",
            f"{len(self.features):,} features" if self.features is not None else "",
            f"{self.images:,} images" if self.images else "",
        ]
        return ", ".join(part for part in parts if part) or "nothing that evalkit knows"

    def check_made_with(self, wanted: Mapping[str, str]) -> None:
        """Raise where evalkit wrote the file under another protocol or network than `wanted`."""
        for key, value in wanted.items():
            if self.made_with.get(key, value) != value:
                raise EvalkitError(
                    f"{self.path.name} was made with {key} {self.made_with[key]}, not {value}. Make the statistics again."
                )


def read_statistics(path: str | Path) -> ReferenceFile:
    """Read a file of statistics; anything wrong with it is one sentence (`EvalkitError`)."""
    file = NpzFile(_existing(Path(path)))
    shape, dtype = file.shapes.get("n", ((0,), np.dtype(np.int64)))
    n = int(file.read("n")) if shape == () and dtype.kind in "iu" else None
    shape, dtype = file.shapes.get("arr_0", ((), np.dtype(np.uint8)))
    found = ReferenceFile(
        file.path,
        _gaussian(file, "mu", "sigma", n),
        _gaussian(file, "mu_s", "sigma_s", n),
        _features(file),
        shape[0] if len(shape) == 4 and dtype == np.uint8 else 0,
        _made_with(file),
    )
    if found.contents().startswith("nothing"):
        names = ", ".join(sorted(file.shapes)[:5]) or "nothing"
        raise file.wrong(f"holds {names}, but neither statistics nor images")
    return found


def save_statistics(
    path: Path,
    pool: Gaussian,
    *,
    n: int,
    spatial: Gaussian | None = None,
    made_with: Mapping[str, str] | None = None,
) -> None:
    """Write statistics of `n` images that the other tools read too; `made_with` names the protocol and the network."""
    arrays: dict[str, Any] = {"mu": pool.mean, "sigma": pool.covariance(), "n": np.array(n)}
    if spatial is not None:
        arrays |= {"mu_s": spatial.mean, "sigma_s": spatial.covariance()}
    arrays["made_with"] = np.frombuffer(canonical_json(dict(made_with or {})), np.uint8)
    with whole(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **arrays)


def _existing(path: Path) -> Path:
    if not path.is_file():
        state = "is a folder" if path.is_dir() else "is not there"
        raise EvalkitError(f"The file of statistics {path} {state}. Give the path of an npz file.")
    with path.open("rb") as stream:
        if stream.read(23) == b"version https://git-lfs":
            raise EvalkitError(
                f"{path.name} is a Git LFS pointer, not the file it points to. Fetch it with: git lfs pull"
            )
    return path


def _gaussian(file: NpzFile, mean: str, covariance: str, n: int | None) -> StoredGaussian | None:
    if mean not in file.shapes and covariance not in file.shapes:
        return None
    if mean not in file.shapes or covariance not in file.shapes:
        missing = mean if mean not in file.shapes else covariance
        raise file.wrong(f"lacks {missing}, without which its statistics are half")
    (shape, _), (square, _) = file.shapes[mean], file.shapes[covariance]
    if len(shape) != 1 or square != shape * 2 or not 0 < shape[0] <= WIDEST:
        raise file.wrong(f"has {mean} of shape {shape} and {covariance} of shape {square}; [d] and [d, d] are expected")
    mu, sigma = (_floats(file, name) for name in (mean, covariance))
    scale = float(np.abs(sigma).max())
    if not np.allclose(sigma, sigma.T, rtol=0, atol=1e-5 * scale) or float(np.diag(sigma).min()) < -1e-5 * scale:
        raise file.wrong(f"has a {covariance} that is no covariance: it is not symmetric, or has negative variances")
    return StoredGaussian(mu, (sigma + sigma.T) / 2, n)


def _floats(file: NpzFile, name: str) -> Array:
    array = file.read(name)
    if array.dtype.kind not in "fiu":
        raise file.wrong(f"has {name} of type {array.dtype}, not numbers")
    numbers = array.astype(np.float64)
    if not np.isfinite(numbers).all():
        raise file.wrong(f"has values in {name} that are not finite")
    return numbers


def _features(file: NpzFile) -> npt.NDArray[Any] | None:
    if "feats" not in file.shapes or len(file.shapes["feats"][0]) != 2:
        return None
    _floats(file, "feats")
    return file.read("feats")


def _made_with(file: NpzFile) -> Mapping[str, str]:
    if "made_with" not in file.shapes:
        return {}
    try:
        found = parse_json(file.read("made_with").tobytes(), "made_with")
        return {str(key): str(value) for key, value in found.items()}
    except (ValueError, AttributeError):
        raise file.wrong("has a note on how it was made that cannot be read") from None
