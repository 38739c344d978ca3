"""The p-values hold under both nulls with repeated codes: a small version of benchmarks/tables/watermark_fpr.py."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy.stats import binom

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "tables" / "watermark_fpr.py"
FLAT = "the same, 30 % flat area"


@pytest.fixture(scope="module")
def table() -> ModuleType:
    spec = importlib.util.spec_from_file_location("watermark_fpr", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["watermark_fpr"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("lists", "kind"), [(1, "independent"), (16, "independent"), (16, "balanced")])
@pytest.mark.parametrize("law", ["Zipf(1), 4,096 codes", FLAT])
def test_detector_fpr_is_at_most_nominal_with_repeated_tokens(
    table: ModuleType, law: str, lists: int, kind: str
) -> None:
    for row in table.key_random(law, kind, lists, trials=4096):
        most = binom.isf(1e-6, row["keys"], row["level"])  # a true rate at the level gives more once in a million
        assert row["exact"] * row["keys"] <= most


def test_the_z_score_claims_too_much_and_its_correction_for_the_pool_does_not_help(table: ModuleType) -> None:
    for row in table.key_random(FLAT, "balanced", 16, trials=1024):
        assert row["z"] >= row["z_corrected"]
        assert row["z_corrected"] > 3 * row["level"]


def test_pooled_p_values_are_not_idle(table: ModuleType) -> None:
    rows = {row["level"]: row["exact"] for row in table.key_random(FLAT, "independent", 1, trials=8192)}
    assert rows[5e-2] > 2e-2  # discrete and so below its level, but not by much


def test_a_calibrated_p_holds_for_a_fixed_key_and_the_larger_one_too(table: ModuleType) -> None:
    rows = list(table.image_random("Zipf(1), 4,096 codes", "independent", 1, keys=12, images=1000, calibration=2000))
    for row in rows:
        slack = 5 * np.sqrt(row["level"] / 12 / 1000 + row["level"] / 12 / 2000)
        assert row["calibrated"] <= row["level"] + slack
        assert row["larger"] <= min(row["calibrated"], row["exact"])
    assert rows[0]["key_max"] > 2 * rows[0]["level"]  # why an exact p alone is not enough for somebody with one key


def test_renamed_codes_give_independent_keys(table: ModuleType) -> None:
    (first, *_) = table.key_random("uniform, 16,384 codes", "independent", 1, trials=64, images=64)
    assert first["keys"] == 64
