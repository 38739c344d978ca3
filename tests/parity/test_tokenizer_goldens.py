"""Full-size networks against outputs of the official code, where a folder of such outputs is at hand.

`EVALKIT_GOLDENS` names it: `tokenizers/ID.json` and `.npz`, and `check.py`, whose `compare` says what differs.
"""

import importlib.util
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

FOLDER = Path(os.environ.get("EVALKIT_GOLDENS", ""))
CASES = sorted(path.stem for path in (FOLDER / "tokenizers").glob("*.json")) if "EVALKIT_GOLDENS" in os.environ else []


@pytest.fixture(scope="module")
def checker():
    sys.path.insert(0, str(FOLDER))
    try:
        spec = importlib.util.spec_from_file_location("golden_check", FOLDER / "check.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(FOLDER))
    return module


@pytest.mark.slow
@pytest.mark.skipif(not CASES, reason="EVALKIT_GOLDENS names no folder with tokenizers/*.json")
@pytest.mark.parametrize("case", CASES or ["none"])
def test_codes_and_images_are_those_of_the_official_code(checker, case):
    manifest = json.loads((FOLDER / "tokenizers" / f"{case}.json").read_text())
    with np.load(FOLDER / "tokenizers" / f"{case}.npz") as arrays, torch.inference_mode(False):
        assert checker.compare(case, manifest, dict(arrays), 1, checker.NAMES.get(case, case)) == []
