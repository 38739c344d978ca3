import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from evalkit.generators.acceptance import GroupRule, accept, accept_grouped, posterior, relaxed_probability


def laws(seed, rows=2, codes=9):
    generator = torch.Generator().manual_seed(seed)
    return torch.softmax(3 * torch.randn(rows, codes, generator=generator, dtype=torch.float64), -1)


@given(st.integers(0, 10_000))
def test_exact_acceptance_leaves_the_verifiers_law_unchanged(seed):
    draft, verifier = laws(seed)
    kept = torch.minimum(draft, verifier)  # q(x) min(1, p(x) / q(x))
    found = accept(torch.tensor([0]), draft[None], verifier[None], torch.tensor([1.0]))
    assert torch.allclose(kept + (1 - kept.sum()) * found.residual, verifier, atol=1e-12)
    ratio = min(1.0, float(verifier[3] / draft[3]))
    for uniform, count in ((ratio - 1e-9, 1), (ratio, 0)):
        drawn = torch.tensor([uniform], dtype=torch.float64)
        assert accept(torch.tensor([3]), draft[None], verifier[None], drawn).count == count


def test_equal_laws_keep_everything():
    law = laws(0, rows=4)
    found = accept(torch.tensor([1, 2, 3, 4]), law, law, torch.full((4,), 0.999))
    assert (found.count, found.residual) == (4, None)


@given(st.integers(0, 10_000))
def test_a_group_of_the_token_alone_is_exact_acceptance(seed):
    draft, verifier = laws(seed, rows=5), laws(seed + 1, rows=5)
    generator = torch.Generator().manual_seed(seed)
    drafted = torch.randint(0, 9, (5,), generator=generator)
    uniforms = torch.rand(5, generator=generator, dtype=torch.float64)
    far = torch.full((9, 9), 9.0).fill_diagonal_(0.0)
    plain = accept(drafted, draft, verifier, uniforms)
    grouped = accept_grouped(drafted, draft, verifier, uniforms, far, GroupRule(half=2))
    assert plain.count == grouped.count


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_relaxing_never_lowers_a_probability_and_keeps_its_bound(seed, delta):
    (law,) = laws(seed, rows=1)
    nearest = torch.stack([torch.tensor([j for j in range(9) if j != i]) for i in range(9)])
    probability, added = relaxed_probability(law, 4, nearest, 6, delta)
    assert law[4] <= probability <= law[4] + delta + 1e-12
    assert 0 <= added <= 6


def test_a_tree_without_drafts_gives_the_verifiers_law():
    logits = torch.randn(2, 3, 7)
    candidates = torch.tensor([[1, -1, -1], [1, -1, -1]])
    found = posterior(logits, candidates, [])
    assert (found.path, found.kept, found.used) == (0, 0, 0)
    assert torch.allclose(found.law, torch.softmax(logits[0, 0], -1))


def test_a_certain_draft_is_kept_to_its_end():
    logits = torch.full((1, 4, 5), -50.0)
    for level, token in enumerate([2, 3, 4]):
        logits[0, level, token] = 50.0
    found = posterior(logits, torch.tensor([[1, 2, 3, 4]]), [0.5] * 3)
    assert (found.path, found.kept, found.used) == (0, 3, 3)
    assert float(found.law.sum()) == pytest.approx(1.0)
