"""The post-processing against a plain rendering of its definition, one query-class pair after the other."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from evalkit.encoders.detectors.instances import extent, instances

CLASSES = ("cat", "dog", "bus")
SIZES = {"padded": (64, 96), "inside": (60, 80), "size": (45, 60)}


def logits(seed, queries=9):
    torch.manual_seed(seed)
    masks = F.interpolate(torch.randn(1, queries, 4, 6) * 4, size=(16, 24), mode="bilinear")[0]
    return torch.randn(queries, len(CLASSES) + 1) * 2, masks


def plainly(class_logits, mask_logits, most=100):
    scores = class_logits.softmax(-1)[:, :-1]
    order = scores.flatten().argsort(descending=True)[:most]
    found = []
    for index in order.tolist():
        query, which = divmod(index, len(CLASSES))
        large = F.interpolate(mask_logits[query][None, None], size=SIZES["padded"], mode="bilinear")
        cut = large[:, :, : SIZES["inside"][0], : SIZES["inside"][1]]
        mask = F.interpolate(cut, size=SIZES["size"], mode="bilinear")[0, 0]
        on = mask > 0
        quality = (mask.sigmoid() * on).sum() / (on.sum() + 1e-6)
        rows, columns = np.nonzero(on.numpy())
        box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) if len(rows) else (0, 0, 0, 0)
        found.append((CLASSES[which], box, float(scores[query, which] * quality), on.numpy()))
    return sorted(found, key=lambda each: -each[2])


@pytest.mark.parametrize("seed", range(4))
def test_instances_are_those_of_the_definition(seed):
    got = instances(*logits(seed), classes=CLASSES, **SIZES)
    want = plainly(*logits(seed))
    assert len(got) == len(want)
    for mine, (label, box, score, on) in zip(got, want, strict=True):
        assert (mine.label, mine.box) == (label, tuple(map(float, box)))
        assert mine.score == pytest.approx(score, rel=1e-5)
        assert np.array_equal(on, mine.mask.decode() if mine.mask else np.zeros_like(on))


def test_one_query_may_give_several_classes():
    classes = torch.tensor([[5.0, 5.0, -9.0, -9.0]])
    found = instances(classes, torch.ones(1, 16, 24), classes=CLASSES, **SIZES)
    assert [each.label for each in found[:2]] == ["cat", "dog"]


def test_only_the_best_pairs_of_the_grid_are_kept():
    found = instances(*logits(1), classes=CLASSES, most=5, **SIZES)
    assert [d.label for d in found] == [label for label, *_ in plainly(*logits(1), most=5)]


@pytest.mark.parametrize("floor", [0.05, 0.2, 0.5])
def test_the_floor_leaves_out_and_changes_nothing_else(floor):
    every = instances(*logits(2), classes=CLASSES, **SIZES)
    assert instances(*logits(2), classes=CLASSES, floor=floor, **SIZES) == tuple(d for d in every if d.score >= floor)


def test_an_empty_mask_has_an_empty_box_and_no_score():
    (first, *_) = instances(torch.tensor([[9.0, 0, 0, 0]]), -torch.ones(1, 16, 24), classes=CLASSES, **SIZES)
    assert (first.box, first.score, first.mask) == ((0.0, 0.0, 0.0, 0.0), 0.0, None)


def test_a_box_reaches_to_the_far_edge_of_its_last_pixel():
    pixels = torch.zeros(5, 7, dtype=torch.bool)
    pixels[4, 6] = pixels[2, 3] = True
    assert extent(pixels) == (3.0, 2.0, 7.0, 5.0)
