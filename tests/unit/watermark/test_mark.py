"""The contract that every watermark method keeps, shown on LBW."""

import numpy as np
import pytest
import torch

from evalkit.errors import EvalkitError
from evalkit.generators.base import Step
from evalkit.watermark.keys import Key
from evalkit.watermark.lists import Scheme, make_pool
from evalkit.watermark.mark import LexicalBias, raise_green

KEY, V = Key(bytes(range(32))), 64


def marked(lists: int = 4, gamma: float = 0.25) -> LexicalBias:
    return LexicalBias(make_pool(KEY, "t@x", V, Scheme(gamma, lists, "balanced")), KEY, "t@x")


def test_soft_bias_raises_green_logits_by_delta_and_no_others() -> None:
    mark, logits = marked(), torch.randn(2, 1, V)
    step = Step(0, range(1), torch.zeros(2, 0), (11, 12))
    moved = (mark.bias(logits, step, 1.5) - logits)[:, 0].numpy()
    for row, seed in zip(moved, step.seeds, strict=True):
        assert np.allclose(row, 1.5 * mark.green_codes(mark.list_of(seed)), atol=1e-6)


def test_hard_bias_leaves_green_codes_only() -> None:
    mark = marked()
    out = mark.bias(torch.zeros(1, 3, V), Step(0, range(3), torch.zeros(1, 0), (5,)), float("inf"))
    assert (torch.isfinite(out)[0].numpy() == mark.green_codes(mark.list_of(5))).all()


def test_a_image_of_green_codes_is_found_under_its_list_and_padding_is_ignored() -> None:
    mark = marked()
    codes = np.flatnonzero(mark.green_codes(2))[None]
    n = codes.size
    padded = np.concatenate([codes, np.full((1, 5), -1)], 1)
    for given in (codes, padded):
        scores = mark.score(given)
        assert scores.list_id[0] == 2
        assert scores.green[0] == scores.distinct[0] == n
        assert scores.log_p[0] == pytest.approx(n * np.log(0.25) + np.log(4))
        assert scores.log_p[0] == pytest.approx(scores.log_p_floor[0])
    assert mark.colours(padded[0], 2).sum() == n
    assert (mark.units(padded[0])[-5:] == -1).all()


def test_records_hold_the_key_id_and_never_the_key() -> None:
    said = marked().as_dict()
    assert said["key_id"] == KEY.id
    assert KEY.secret.hex() not in str(said)


def test_a_generator_of_other_codes_is_refused() -> None:
    with pytest.raises(EvalkitError, match="made for 64 codes; the generator chooses among 65"):
        raise_green(torch.zeros(1, 1, 65), marked().green_codes(0)[None], 1.0)
