"""The face detector: what OpenCV finds with the same weights, wherever the face is; no face where there is none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.encoders.faces.face import Face, faces_found_again
from evalkit.encoders.registry import load_faces
from evalkit.errors import EvalkitError
from evalkit.images import open_images
from evalkit.images.geometry import fit_square

# left, top, width, height, score by cv2.FaceDetectorYN (OpenCV 5.0.0) with face_detection_yunet_2023mar.onnx, at 256 px
OPENCV = {"astronaut": (90.18, 34.78, 44.85, 53.13, 0.94), "cameraman": (96.5, 57.64, 32.85, 42.25, 0.87)}


@pytest.fixture(scope="module")
def finder():
    return load_faces("cpu")


@pytest.fixture(scope="module")
def photos():
    return {s.id: s.image for s in open_images("sample/photos").read(0, 9)}


def photo(photos, name):
    return next(image for key, image in photos.items() if name in key)


@pytest.mark.parametrize("name", OPENCV)
def test_boxes_and_scores_are_those_of_opencv(finder, photos, name):
    (face,) = finder.find(fit_square(photo(photos, name), 256, "short-bicubic"))
    left, top, width, height, score = OPENCV[name]
    assert face.score == pytest.approx(score, abs=0.006)
    wanted = (left, top, left + width, top + height)
    assert (face.left, face.top, face.right, face.bottom) == pytest.approx(wanted, abs=0.51)


def test_there_are_no_faces_in_cats_cups_and_texts(finder, photos):
    images = [image for name, image in photos.items() if not any(face in name for face in OPENCV)]
    images += [s.image for s in open_images("sample/text-easy").read(0, 2)]
    assert all(not finder.find(image) for image in images)


def test_a_face_moves_with_the_image(finder, photos):
    image = fit_square(photo(photos, "astronaut"), 256, "short-bicubic")
    (still,) = finder.find(image)
    (moved,) = finder.find(np.pad(image, ((32, 0), (64, 0), (0, 0)), mode="edge"))
    assert (moved.left - still.left, moved.top - still.top) == pytest.approx((64, 32), abs=1)


def test_a_face_is_found_in_a_image_of_any_size(finder, photos):
    image = photo(photos, "astronaut")
    (face,) = finder.find(image)
    (large,) = finder.find(image.repeat(4, 0).repeat(4, 1))
    assert (large.left / 4, large.top / 4) == pytest.approx((face.left, face.top), abs=4)
    (odd,) = finder.find(image[:301, 50:383])
    assert (odd.left + 50, odd.top) == pytest.approx((face.left, face.top), abs=4)
    assert finder.find(np.zeros((1, 1, 3), np.uint8)) == []


def test_boxes_lie_inside_the_image(finder, photos):
    cut = photo(photos, "astronaut")[:170, 190:260]
    height, width = cut.shape[:2]
    for face in finder.find(np.ascontiguousarray(cut)):
        assert 0 <= face.left < face.right <= width
        assert 0 <= face.top < face.bottom <= height


def test_other_arrays_are_refused(finder):
    with pytest.raises(EvalkitError, match="uint8"):
        finder.find(np.zeros((8, 8), np.uint8))


boxes = st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(1, 20), st.integers(1, 20)).map(
    lambda b: Face(b[0], b[1], b[0] + b[2], b[1] + b[3], 0.9)
)


@given(boxes, boxes)
def test_overlap_is_symmetric_and_one_for_the_box_itself(a, b):
    assert a.overlap(b) == b.overlap(a)
    assert 0 <= a.overlap(b) <= 1
    assert a.overlap(a) == 1


@given(st.lists(boxes, max_size=5), st.lists(boxes, max_size=5))
def test_no_face_is_found_twice(faces, others):
    found = faces_found_again(faces, others)
    assert 0 <= found <= min(len(faces), len(others))
    assert faces_found_again(faces, []) == 0
    assert faces_found_again(faces[:1], faces[:1]) == len(faces[:1])


@pytest.mark.parametrize("seed", range(8))
def test_overlapping_boxes_are_told_apart_as_by_torchvision(seed):
    import torch
    from torchvision.ops import nms

    from evalkit.encoders.faces.detect import apart

    draw = torch.Generator().manual_seed(seed)
    corners = torch.rand(200, 4, generator=draw) * 40
    corners[:, 2:] += corners[:, :2]
    scores = torch.rand(200, generator=draw).mul(50).round() / 50  # with ties
    for most in (0.0, 0.3, 0.7):
        assert apart(corners, scores, most) == nms(corners, scores, most).tolist()
    assert apart(corners[:0], scores[:0], 0.3) == []
