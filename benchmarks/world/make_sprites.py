"""Make the sprites of both editions from Noto Emoji (npm package emoji-datasource-google 16.0.0, Apache-2.0).

    npm pack emoji-datasource-google@16.0.0
    python benchmarks/world/make_sprites.py emoji-datasource-google-16.0.0.tgz

An atlas is one row of RGBA sprites in the order of the edition's classes: 24 px a side in evalkit/world/data/sprites.png,
48 px in evalkit/world/second/data/sprites.png.
"""

from __future__ import annotations

import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from evalkit.world.second.vocabulary import CLASSES as SECOND
from evalkit.world.vocabulary import CLASSES, ObjectClass

WORLD = Path(__file__).parents[2] / "evalkit/world"


def main(archive: str) -> None:
    with tarfile.open(archive) as package:
        write(package, CLASSES, 24, WORLD / "data/sprites.png")
        write(package, SECOND, 48, WORLD / "second/data/sprites.png")


def write(package: tarfile.TarFile, classes: Sequence[ObjectClass], side: int, target: Path) -> None:
    row = [sprite(read(package, f"package/img/google/64/{c.picture}.png"), side) for c in classes]
    target.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(target), np.concatenate(row, 1), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    print(f"{target}: {len(row)} sprites, {target.stat().st_size} bytes")


def read(package: tarfile.TarFile, name: str) -> NDArray[np.float32]:
    stream = package.extractfile(name)
    if stream is None:
        raise SystemExit(f"{name} is not in the archive; emoji-datasource-google 16.0.0 is needed")
    image = cv2.imdecode(np.frombuffer(stream.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    return np.asarray(image, np.float32)


def sprite(image: NDArray[np.float32], width: int) -> NDArray[np.uint8]:
    """BGRA 64 px -> BGRA `width` px: cut to what is drawn, averaged down with the colours weighted by their opacity."""
    rows, columns = np.nonzero(image[..., 3] > 8)
    cut = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    side = max(cut.shape[:2])
    square = np.zeros((side, side, 4), np.float32)
    top, left = (side - cut.shape[0]) // 2, (side - cut.shape[1]) // 2
    square[top : top + cut.shape[0], left : left + cut.shape[1]] = cut
    square[..., :3] *= square[..., 3:] / 255
    small = cv2.resize(square, (width, width), interpolation=cv2.INTER_AREA)
    small[..., :3] /= np.maximum(small[..., 3:], 1) / 255
    return np.clip(small.round(), 0, 255).astype(np.uint8)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
