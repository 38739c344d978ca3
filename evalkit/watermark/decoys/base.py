"""What decoys of every kind of mark are to the rest."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import numpy.typing as npt

from evalkit.watermark.mark import Codes


class Decoys(ABC):
    """`keys` decoy keys of one mark. `most`: what a single code adds to a score at the most."""

    keys: int
    most = 1

    @abstractmethod
    def scores(self, codes: Codes) -> npt.NDArray[np.int64]:
        """[B, keys]: what `Mark.evidence` is, under each decoy key. Negative codes are padding."""
