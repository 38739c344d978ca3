"""Scores inside face boxes: only the boxes count, and all of them."""

import math
from dataclasses import astuple

import numpy as np
import pytest

from evalkit.errors import EvalkitError
from evalkit.metrics.faces import FaceScores, face_scores
from evalkit.metrics.psnr import mse, psnr


def image(seed=0):
    return np.random.default_rng(seed).integers(40, 200, (64, 80, 3)).astype(np.uint8)


def test_what_is_outside_the_boxes_does_not_count_for_psnr():
    x = image()
    y = x.copy()
    y[40:] = 0
    assert face_scores(x, y, [(0, 0, 20, 20)]).psnr_face == math.inf
    assert face_scores(x, y, [(0, 30, 20, 50)]).psnr_face < 20


def test_psnr_is_that_of_the_pixels_of_all_boxes():
    x, y = image(), image(1)
    boxes = [(0, 0, 20, 20), (50, 10, 80, 64)]
    errors = [mse(x[t:b, le:r], y[t:b, le:r]) for le, t, r, b in boxes]
    sizes = [20 * 20, 30 * 54]
    assert face_scores(x, y, boxes).psnr_face == pytest.approx(psnr(np.average(errors, weights=sizes)))
    assert astuple(face_scores(x, y, boxes[::-1])) == pytest.approx(astuple(face_scores(x, y, boxes)))


def test_equal_faces_agree_and_foreign_detail_does_not():
    x = image()
    box = [(10, 10, 50, 50)]
    assert face_scores(x, x, box).hf_correlation_face == pytest.approx(1)
    assert abs(face_scores(x, image(7), box).hf_correlation_face) < 0.1


def test_without_boxes_there_is_no_score_and_flat_faces_have_no_detail():
    flat = np.full((32, 32, 3), 90, np.uint8)
    assert face_scores(flat, flat, []) == FaceScores(None, None)
    assert face_scores(flat, flat + 5, [(0, 0, 20, 20)]).hf_correlation_face is None


@pytest.mark.parametrize("box", [(0, 0, 81, 10), (5, 5, 5, 9), (-1, 0, 5, 5)])
def test_a_box_outside_the_image_is_refused(box):
    with pytest.raises(EvalkitError, match="80x64"):
        face_scores(image(), image(), [box])
