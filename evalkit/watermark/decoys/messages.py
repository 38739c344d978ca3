"""Messages of decoy keys: how surely each of them finds any message in an image, as the real key would look for one.

A decoy reads the image whole, pilots and the best of all messages, which takes 0.3 to 3 ms an image and decoy, more with
longer messages. So a hundred decoys are what an image costs a tenth of a second with.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from evalkit.watermark.decoys.base import Decoys
from evalkit.watermark.decoys.coins import Coins as Draws
from evalkit.watermark.mark import Codes
from evalkit.watermark.methods.payload import PayloadMark
from evalkit.watermark.payload.reading import Coins

Ints = npt.NDArray[np.int64]


class MessageDecoys(Decoys):
    """`keys` decoys of a mark that carries messages. `most`: weights of an image are below it times its codes."""

    most = 256

    def __init__(self, mark: PayloadMark, keys: int, seed: str) -> None:
        self.mark, self.keys = mark, keys
        self._roles, self._colours = Draws(0.5, f"{seed}/roles"), Draws(0.5, f"{seed}/colours")

    def scores(self, codes: Codes) -> Ints:
        """[B, keys]: `PayloadMark.evidence` under each decoy."""
        return np.stack([self._row(row) for row in codes]) if len(codes) else np.zeros((0, self.keys), np.int64)

    def _row(self, row: Codes) -> Ints:
        places, kinds, _ = self.mark.distinct(np.asarray(row, dtype=np.int64))
        at = np.arange(int(places.max(initial=-1)) + 1) if self.mark.by_place else kinds
        mine = places if self.mark.by_place else np.arange(len(kinds))
        draws = self._roles.numbers(at, 0, self.keys)
        words = self._colours.words(places * self.mark.vocabulary + kinds, 0, -(-self.keys // 64))
        shows = np.unpackbits(words.astype("<u8").view(np.uint8), axis=1, bitorder="little").astype(bool)
        found = np.zeros(self.keys, np.int64)
        for number in range(self.keys):
            pilot, windows, masks = self.mark.roles(draws[:, number])
            roles = pilot[mine], windows[mine], masks[mine]
            found[number] = Coins.of(self.mark.trellis, roles, shows[:, number]).weight()
        return found
