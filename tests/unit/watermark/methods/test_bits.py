"""Patterns of bits in codes that are vectors of bits: drawn in order, found exactly."""

import numpy as np
import pytest
import torch

from evalkit.errors import EvalkitError
from evalkit.generators.base import Request
from evalkit.generators.infinity import Infinity, InfinityConfig
from evalkit.generators.nets.caption import TextFeatures
from evalkit.generators.registry import Source
from evalkit.watermark.bias import mark_generator
from evalkit.watermark.keys import Key
from evalkit.watermark.methods import MarkSpec, build_mark
from evalkit.watermark.methods.bitmark import BitPatterns

KEY, BITS = Key(bytes(range(32))), 4
SCALES = ((1, 1), (2, 2), (4, 3))


def tiny() -> Infinity:
    config = InfinityConfig(4, 32, 2, chunks=2, bits=BITS, grid=(16, 16), features=256, text_tokens=6)
    torch.manual_seed(0)
    network = Infinity.build(config)
    for tensor in network.state_dict().values():
        tensor.normal_(std=0.1)
    model = Infinity(Source("tiny", config, None, None, None, None, torch.device("cpu"), torch.float32), network)
    model._use(SCALES, (64, 64))
    model.encode_conditions = texts  # type: ignore[method-assign]
    return model


def texts(requests: list[Request]) -> torch.Tensor:
    rows = [torch.randn(6, 256, generator=torch.Generator().manual_seed(r.seed)) for r in requests]
    return TextFeatures(torch.stack(rows), torch.ones(len(rows), 6, dtype=torch.bool)).packed()


def asked(n: int) -> list[Request]:
    return [Request(str(i), "a", seed=i) for i in range(n)]


def mark_of(pattern: int, key: Key = KEY, lists: int = 1) -> BitPatterns:
    mark = build_mark(MarkSpec("bitmark", pattern=pattern, lists=lists), key, "t@x", 2, bits=BITS, packed=False)
    assert isinstance(mark, BitPatterns)
    return mark


@pytest.mark.parametrize("pattern", [1, 2, 4])
def test_hard_bias_gives_green_patterns_only_and_soft_bias_more(pattern: int) -> None:
    mark, shares = mark_of(pattern, lists=2), {}
    for delta in (None, 2.0, float("inf")):
        model = tiny()
        if delta is not None:
            mark_generator(model, mark, delta)
        bits = model.sample_tokens(asked(8)).numpy()
        assert bits.shape == (8, 17, BITS)
        shares[delta] = np.mean([mark.colours(row, mark.list_of(i)).mean() for i, row in enumerate(bits)])
        if delta == float("inf"):
            log_p, floor = mark.score(bits).log_p, mark.score(bits).log_p_floor
            assert np.allclose(log_p, floor)
            other = mark_of(pattern, Key(bytes(range(1, 33))), 2).score(bits).log_p
            assert log_p.mean() < other.mean() - 1
    assert shares[None] + 0.1 < shares[2.0] < 1
    assert shares[float("inf")] == 1


def test_drawing_bit_by_bit_without_bias_draws_the_same_bits() -> None:
    model, plain = tiny(), tiny()
    mark_generator(model, mark_of(2), 1e-12)
    assert torch.equal(model.sample_tokens(asked(3)), plain.sample_tokens(asked(3)))


@pytest.mark.parametrize("pattern", [1, 2, 3])
def test_p_values_of_bits_are_super_uniform_under_a_random_key(pattern: int) -> None:
    rng = np.random.default_rng(0)
    bits = (rng.random((4, 30, BITS)) < [0.9, 0.5, 0.2, 0.6]).astype(np.int64)  # far from fair
    bits[:, :10] = bits[:, :1]  # a flat area
    log_p = np.stack([mark_of(pattern, Key(i.to_bytes(32, "big"))).score(bits).log_p for i in range(400)])
    for alpha in (0.2, 0.05, 0.01):
        assert ((log_p <= np.log(alpha) + 1e-12).mean(0) <= alpha + 4.5 * np.sqrt(alpha / 400)).all()


def test_a_bit_is_one_coin_with_the_run_before_it() -> None:
    mark = mark_of(3)
    units = mark.units(np.array([[0, 1, 1, 0], [0, 1, 1, 1], [1, 0, 1, 0]]))
    assert units.tolist() == [[0, 4, 9, 15], [0, 4, 9, 15], [0, 5, 10, 13]]
    green = mark.colours(np.array([[0, 1, 1, 0], [0, 1, 1, 1]]), 0)
    assert (green[0, :3] == green[1, :3]).all()
    assert green[0, 3] != green[1, 3]


def test_packed_and_unpacked_codes_score_alike() -> None:
    bits = np.random.default_rng(1).integers(0, 2, (3, 20, BITS))
    packed = build_mark(MarkSpec("bitmark", pattern=3), KEY, "t@x", 16, bits=BITS)
    numbers = (bits << np.arange(BITS)).sum(-1)
    a, b = mark_of(3).score(bits), packed.score(numbers)
    assert np.array_equal(a.log_p, b.log_p)
    assert np.array_equal(a.green, b.green)


def test_other_numbers_of_bits_are_refused() -> None:
    with pytest.raises(EvalkitError, match="codes of 4 bits are expected"):
        mark_of(2).score(np.zeros((1, 5, 3), int))
    model = tiny()
    short = build_mark(MarkSpec("bitmark"), KEY, "t@x", 2, bits=3, packed=False)
    mark_generator(model, short, 2.0)
    with pytest.raises(EvalkitError, match="the generator draws more"):
        model.sample_tokens(asked(1))
