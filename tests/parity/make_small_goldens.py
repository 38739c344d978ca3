"""Write the numbers of the small networks: `PYTHONPATH=tests python tests/parity/make_small_goldens.py [FAMILY ...]`.

Run it only with code that passes the full goldens of the family (test_tokenizer_goldens.py and the slow tests beside it):
the small numbers are worth what the large ones prove. Stored codes must not hang on rounding, which is tried here.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from helpers.near import distance
from helpers.small.case import Arrays, Case
from helpers.small.families import FAMILIES

FOLDER = Path(__file__).parent / "data" / "small"


def steady(case: Case) -> Arrays:
    """The arrays of a case; raises where weights that differ by rounding give other codes."""
    arrays = case.arrays()
    for seed in range(5):
        other = case.arrays(moved=seed)
        for key, values in arrays.items():
            if not values.is_floating_point() and not torch.equal(values, other[key]):
                raise SystemExit(f"{key} of {case.cls.__name__} hang on rounding; take other gains or inputs")
            if values.is_floating_point() and distance(other[key], values) > 5e-5:
                raise SystemExit(f"{key} of {case.cls.__name__} magnify rounding; take other gains or inputs")
    return arrays


def main(chosen: list[str]) -> None:
    """Write the files of the chosen families, or of all."""
    torch.set_num_threads(1)
    FOLDER.mkdir(exist_ok=True)
    for family in chosen or FAMILIES:
        stored = {
            f"{variant}/{key}".lstrip("/"): values.numpy()
            if values.is_floating_point()
            else values.numpy().astype(np.int16)
            for variant, case in FAMILIES[family].items()
            for key, values in steady(case).items()
        }
        np.savez(FOLDER / f"{family}.npz", **stored)  # type: ignore[arg-type]
        print(f"{(FOLDER / f'{family}.npz').stat().st_size / 1024:5.1f} KB  {family}")


if __name__ == "__main__":
    main(sys.argv[1:])
