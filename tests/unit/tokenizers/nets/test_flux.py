"""Rotary places and time features of Flux transformers."""

import math

import torch
from helpers.near import same

from evalkit.tokenizers.nets.flux import rotate, rotation, time_features

CPU = torch.device("cpu")


def test_places_are_code_numbers_then_rows_and_columns():
    cos, sin = rotation(3, 2, 4, (2, 2, 2), CPU)
    places = torch.atan2(sin, cos)
    assert places[:3].round(decimals=4).tolist() == [[0, 0, 0], [1, 1, 1], [2, 2, 2]]
    assert places[3 + 1 * 4 + 2].round(decimals=4).tolist() == [0, 1, 2]
    assert cos.shape == (3 + 8, 3)


def test_speeds_fall_from_one_by_powers_of_ten_thousand():
    cos, _ = rotation(2, 1, 1, (8, 0, 0), CPU)
    expected = [math.cos(10000 ** (-i / 4)) for i in range(4)]
    torch.testing.assert_close(cos[1], torch.tensor(expected), atol=1e-6, rtol=1e-6)


def test_rotation_keeps_lengths_and_makes_products_depend_on_distance_alone():
    generator = torch.Generator().manual_seed(0)
    q, k = torch.randn(2, 1, 1, 1, 6, generator=generator)
    turn = rotation(9, 1, 1, (2, 2, 2), CPU)[:, :9]
    qs, ks = rotate(q.expand(1, 1, 9, 6), turn), rotate(k.expand(1, 1, 9, 6), turn)
    torch.testing.assert_close(qs.norm(dim=-1), q.norm().expand(1, 1, 9), atol=1e-5, rtol=1e-5)
    products = (qs @ ks.transpose(-1, -2))[0, 0]
    for lag in range(9):
        diagonal = products.diagonal(lag)
        same(diagonal, diagonal[:1].expand_as(diagonal))
    assert products[0].std() > 0.1


def test_rotation_turns_neighbouring_channels_and_keeps_the_type():
    quarter = torch.tensor([[[0.0]], [[1.0]]])  # cosine, sine
    assert rotate(torch.tensor([[[[3.0, 5.0]]]]), quarter).flatten().tolist() == [-5.0, 3.0]
    assert rotate(torch.ones(1, 1, 1, 2, dtype=torch.bfloat16), quarter).dtype == torch.bfloat16


def test_time_features_are_cosines_then_sines_of_a_thousand_t():
    features = time_features(torch.tensor([0.0, 0.25]))
    assert features.shape == (2, 256)
    assert features[0].tolist() == [1.0] * 128 + [0.0] * 128
    for i in (0, 1, 127):
        angle = 250 * 10000 ** (-i / 128)
        torch.testing.assert_close(
            features[1, [i, 128 + i]], torch.tensor([math.cos(angle), math.sin(angle)]), atol=1e-4, rtol=1e-4
        )
