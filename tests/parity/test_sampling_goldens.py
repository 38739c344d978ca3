"""Filters and schedules against numbers of the official functions (LlamaGen, VAR, GigaTok, D-AR)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from evalkit.generators.guidance import Guidance
from evalkit.generators.sampling import Filter, Sampler, filtered

DATA = np.load(Path(__file__).parent / "data" / "sampling.npz")
LOGITS = torch.tensor(DATA["logits"])


@pytest.mark.parametrize("rule", ["llamagen", "var"])
def test_filters_keep_what_the_official_functions_keep(rule: Filter) -> None:
    compared = 0
    for k, p, packed in zip(DATA["top_k"], DATA["top_p"], DATA[f"keep_{rule}"], strict=True):
        if rule == "var" and k > LOGITS.shape[-1]:
            continue  # the official function raises there
        kept = filtered(LOGITS, Sampler(top_k=int(k), top_p=float(p), filter=rule)).isfinite().numpy()
        assert np.array_equal(kept, np.unpackbits(packed, axis=-1).astype(bool)), (int(k), float(p))
        compared += 1
    assert compared >= 35


def test_probabilities_are_those_of_llamagen() -> None:
    for (temperature, k, p), want in zip(DATA["sample_params"], DATA["sample_probs"], strict=True):
        sampler = Sampler(temperature=float(temperature), top_k=int(k), top_p=float(p))
        got = torch.softmax(filtered(LOGITS[:2] / sampler.temperature, sampler), -1).numpy()
        np.testing.assert_allclose(got, want, atol=1e-6)


@pytest.mark.parametrize("name", ["constant", "linear", "linear_re", "triangular", "rectangular", "step", "cosine"])
def test_schedules_are_those_of_gigatok(name: str) -> None:
    guidance = Guidance("llamagen", 3.0, schedule=name)
    got = [guidance.at(float(ratio)) for ratio in DATA["ratio"]]
    np.testing.assert_allclose(got, DATA[f"schedule_{name}"], atol=1e-12)
    assert guidance.at(0.0) == 3.0


def test_the_scale_of_d_ar_grows_linearly() -> None:
    guidance = Guidance("d-ar", 8.0, start=1.2)
    np.testing.assert_allclose([guidance.at(i / 255) for i in range(0, 256, 15)], DATA["dar"], atol=1e-6)
