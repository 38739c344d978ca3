"""Other watermarks that install from the package index, under the same rows: bits of a random payload to an exact p.

invisible-watermark (ShieldMnt, MIT) and blind-watermark (guofei9987, MIT) give bits and no presence test. With a payload
drawn at random, the number of bits that agree is Binomial(n, 1/2) in any image that does not carry it, whatever the
image is: so their p is as exact as a list's. Neither is needed by evalkit; both are imported when they are asked for.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError
from evalkit.images.geometry import resize_exact
from evalkit.images.sample import Pixels
from evalkit.watermark.robustness.contenders import Contender, Floats, bits_log_p

BITS = 32  # rivaGan carries no other number
PEERS = {
    "dwtDct": "invisible-watermark",
    "dwtDctSvd": "invisible-watermark",
    "rivaGan": "invisible-watermark",
    "blind-watermark": "blind-watermark",
}
MODULES = {"invisible-watermark": "imwatermark", "blind-watermark": "blind_watermark"}


def load_peer(name: str, side: int | None, seed: int = 0) -> BitPeer:
    """The peer called `name` for images of `side` pixels, or of any size; its payload of 32 bits is drawn from `seed`.

    Raises `EvalkitError` for unknown names and packages that are not installed.
    """
    if name not in PEERS:
        raise EvalkitError(f"there is no peer {name!r}; give one of {', '.join(PEERS)}")
    package = PEERS[name]
    try:
        module = importlib.import_module(MODULES[package])
    except ImportError as error:
        raise EvalkitError(f"{name} needs {package} ({error}); pip install {package}") from None
    return (Blind if package == "blind-watermark" else Invisible)(name, module, package, side, seed)


class BitPeer(Contender):
    """A peer with a payload; subclasses write and read bits of BGR images."""

    null = "a payload that was drawn without knowing the image"

    def __init__(self, name: str, module: Any, package: str, side: int | None, seed: int) -> None:
        self.name, self.module, self.package, self.side, self.seed = name, module, package, side, seed
        self.payload: npt.NDArray[np.int64] = np.random.default_rng([seed, BITS]).integers(0, 2, BITS)

    def record(self) -> dict[str, Any]:
        """The package's version, number of bits and the payload's seed."""
        version = importlib.metadata.version(self.package)
        return {
            "name": self.name, "package": self.package, "version": version, "bits": BITS, "payload_seed": self.seed,
            "side": self.side,
        }  # fmt: skip

    def mark(self, images: Sequence[Pixels], ids: Sequence[str]) -> list[Pixels]:
        """The payload written into every image."""
        done = []
        for image in images:
            try:
                bgr = self.write(np.ascontiguousarray(image[:, :, ::-1]))
            except (RuntimeError, AssertionError, ValueError, IndexError) as error:
                raise EvalkitError(f"{self.name} cannot mark {image.shape[1]}x{image.shape[0]}: {error}") from None
            done.append(np.ascontiguousarray(np.clip(np.rint(bgr), 0, 255).astype(np.uint8)[:, :, ::-1]))
        return done

    def log_p(self, images: Sequence[Pixels]) -> Floats:
        """By the bits that agree; an image of another size is brought back to the one that was marked first."""
        return np.array([self._log_p(each) for each in images], dtype=np.float64)

    def _log_p(self, image: Pixels) -> float:
        fitted = image if self.side is None else resize_exact(image, (self.side,) * 2, "bicubic")
        try:
            found = np.asarray(self.read(np.ascontiguousarray(fitted[:, :, ::-1])))
        except (RuntimeError, AssertionError, ValueError, IndexError, FloatingPointError):
            return 0.0
        if found.shape != (BITS,) or not np.isfinite(found.astype(np.float64)).all():
            return 0.0
        return bits_log_p(int(((found.astype(np.float64) >= 0.5) == (self.payload == 1)).sum()), BITS)

    @abstractmethod
    def write(self, bgr: Pixels) -> npt.NDArray[Any]:
        """The marked image."""

    @abstractmethod
    def read(self, bgr: Pixels) -> npt.NDArray[Any]:
        """32 numbers, at least one half for a 1."""


class Invisible(BitPeer):
    """invisible-watermark's three methods."""

    def __init__(self, name: str, module: Any, package: str, side: int | None, seed: int) -> None:
        super().__init__(name, module, package, side, seed)
        if name == "rivaGan":
            try:
                module.WatermarkEncoder.loadModel()
            except ImportError as error:
                raise EvalkitError(f"rivaGan needs onnxruntime ({error}); pip install onnxruntime") from None

    def write(self, bgr: Pixels) -> npt.NDArray[Any]:
        """By WatermarkEncoder."""
        encoder = self.module.WatermarkEncoder()
        encoder.set_watermark("bits", self.payload.tolist())
        return np.asarray(encoder.encode(bgr, self.name))

    def read(self, bgr: Pixels) -> npt.NDArray[Any]:
        """By WatermarkDecoder."""
        return np.asarray(self.module.WatermarkDecoder("bits", BITS).decode(bgr, self.name), dtype=np.float64)


class Blind(BitPeer):
    """blind-watermark with its default passwords."""

    def __init__(self, name: str, module: Any, package: str, side: int | None, seed: int) -> None:
        super().__init__(name, module, package, side, seed)
        module.bw_notes.close()  # it greets on stdout otherwise

    def write(self, bgr: Pixels) -> npt.NDArray[Any]:
        """By WaterMark.embed."""
        made = self.module.WaterMark(password_wm=1, password_img=1)
        made.read_img(img=bgr)
        made.read_wm(self.payload.astype(bool).tolist(), mode="bit")
        return np.asarray(made.embed(), dtype=np.float64)

    def read(self, bgr: Pixels) -> npt.NDArray[Any]:
        """By WaterMark.extract, which must be told the number of bits."""
        made = self.module.WaterMark(password_wm=1, password_img=1)
        return np.asarray(made.extract(embed_img=bgr, wm_shape=BITS, mode="bit"), dtype=np.float64)
