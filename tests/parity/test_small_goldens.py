"""Small networks of every native family give the numbers that were stored when the full ones passed.

A wrong constant, activation, mask, order or norm shows here in well below a second; that the large networks are the
official ones is proven by the slow tests beside this one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.near import same
from helpers.small.families import FAMILIES

from evalkit.generators.latent import LatentGenerator
from evalkit.generators.network import NetworkTokenGenerator
from evalkit.generators.registry import GENERATORS
from evalkit.tokenizers.cosmos import Cosmos
from evalkit.tokenizers.library import LibraryTokenizer
from evalkit.tokenizers.network import NetworkTokenizer
from evalkit.tokenizers.registry import TOKENIZERS

FOLDER = Path(__file__).parent / "data" / "small"
SHARE = 2e-5  # of the largest value of an array: ten times what processors and libraries differ by
CASES = [(family, variant) for family, cases in FAMILIES.items() for variant in cases]


@pytest.mark.parametrize(("family", "variant"), CASES, ids=["-".join(filter(None, case)) for case in CASES])
def test_a_small_network_gives_the_stored_numbers(family: str, variant: str) -> None:
    found = FAMILIES[family][variant].arrays()
    start = f"{variant}/" if variant else ""
    with np.load(FOLDER / f"{family}.npz") as stored:
        wanted = {key.removeprefix(start): stored[key] for key in stored.files if key.startswith(start)}
    assert found.keys() == wanted.keys()
    for key, values in wanted.items():
        if values.dtype == np.float32:
            same(found[key], torch.from_numpy(values), SHARE)
        else:
            assert np.array_equal(found[key].numpy(), values), key


def test_every_native_family_has_numbers_of_a_few_kilobytes() -> None:
    covered: set[type] = {case.cls for cases in FAMILIES.values() for case in cases.values()}
    registered: set[type] = {GENERATORS.get(name).cls for name in GENERATORS}
    registered |= {TOKENIZERS.get(name).cls for name in TOKENIZERS}
    kinds = (NetworkTokenGenerator, LatentGenerator, NetworkTokenizer)
    others = (LibraryTokenizer, Cosmos)  # their networks come from other packages
    native = {cls for cls in registered if issubclass(cls, kinds) and not issubclass(cls, others)}
    assert {cls.__name__ for cls in native - covered if cls.__module__.startswith("evalkit.")} == set()
    assert {path.stem for path in FOLDER.glob("*.npz")} == set(FAMILIES)
    assert all(path.stat().st_size < 13 * 1024 for path in FOLDER.glob("*.npz"))
