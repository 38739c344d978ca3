"""Acceptance rules against figures computed by the official GSD and LANTERN code (14 cases each)."""

from pathlib import Path

import numpy as np
import pytest
import torch

from evalkit.generators.acceptance import accept, accept_grouped, greedy_posterior, posterior

DATA = Path(__file__).parent / "data"


@pytest.mark.parametrize("case", range(14))
def test_speculative_and_grouped_acceptance_decide_as_the_official_samplers(case):
    with np.load(DATA / "gsd_acceptance.npz") as z:
        golden = {name: torch.tensor(z[name] if name == "codebook" else z[name][case]) for name in z.files}
    codes = golden["codebook"]
    distances = (codes[:, None] - codes[None]).square().sum(-1)
    logits = golden["advanced_logits"].float()
    verifier, draft = torch.softmax(logits, -1), torch.softmax(golden["draft_logits"].float(), -1)
    drafted, uniforms = golden["draft_tokens"].long(), golden["uniforms"]
    aligned = (drafted[1:], draft[1:], verifier[:-1], uniforms[1:])
    found = {"sjd": accept(*aligned), "gsd": accept_grouped(*aligned, distances, ranking=logits[:-1])}
    for name, result in found.items():
        assert result.count + 1 == golden[f"{name}_first_misaligned"]
        residual = torch.zeros(96) if result.residual is None else result.residual
        assert torch.allclose(residual, golden[f"{name}_residual"], atol=1e-5)


@pytest.mark.parametrize("case", range(14))
@pytest.mark.parametrize("name", ["plain", "lantern"])
def test_tree_acceptance_decides_as_the_official_posterior(case, name):
    with np.load(DATA / "lantern_acceptance.npz") as z:
        golden = {key: z[key] if key == "nearest" else z[key][case] for key in z.files}
    logits = torch.tensor(golden["logits"]).float()[None].expand(4, -1, -1)
    candidates = torch.tensor(golden["candidates"]).long()
    relaxed = {}
    if name == "lantern":
        nearest = torch.tensor(golden["nearest"]).long()
        relaxed = {"nearest": nearest, "k": int(golden["lantern_k"]), "delta": float(golden["lantern_delta"])}
    found = posterior(logits, candidates, golden["uniforms"].tolist(), **relaxed)
    assert (found.path, found.kept) == (golden[f"{name}_best"], golden[f"{name}_accept"])
    assert found.used == golden[f"{name}_uniforms_used"]
    assert torch.allclose(found.law, torch.tensor(golden[f"{name}_sample_p"]), atol=1e-5)
    greedy = greedy_posterior(logits, candidates, **relaxed)
    assert greedy == (golden[f"{name}_greedy_best"], golden[f"{name}_greedy_accept"])
