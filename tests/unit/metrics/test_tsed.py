"""TSED: distances from lines that projected points tell, and matches of images that move by what is known."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from evalkit.metrics.tsed import (
    Camera,
    consistent,
    epipolar_distances,
    fundamental,
    matched,
    median_distance,
    sift_points,
)

INTRINSICS = np.array([[200.0, 0, 64], [0, 210, 60], [0, 0, 1]])


def turned(axis, angle):
    x, y, z = np.asarray(axis, float) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def camera(seed):
    rng = np.random.default_rng(seed)
    pose = np.concatenate([turned(rng.normal(size=3), 0.3), rng.normal(size=(3, 1))], 1)
    return Camera(INTRINSICS + np.diag([seed, seed, 0]), pose)


def seen(camera, world):
    rays = (camera.pose[:, :3] @ world.T + camera.pose[:, 3:]).T @ camera.intrinsics.T
    return rays[:, :2] / rays[:, 2:]


@pytest.fixture
def world():
    return np.random.default_rng(3).normal(size=(20, 3)) + np.array([0, 0, 9])


def test_points_of_one_scene_lie_on_the_lines_of_each_other(world):
    one, other = camera(1), camera(2)
    distances = epipolar_distances(fundamental(one, other), seen(one, world), seen(other, world))
    assert distances == pytest.approx(np.zeros(20), abs=1e-8)


def test_the_distance_is_the_mean_of_both_and_the_same_the_other_way_round(world):
    one, other = camera(1), camera(2)
    x, y = seen(one, world), seen(other, world) + np.array([3.0, -2.0])
    matrix = fundamental(one, other)
    by_hand = []
    for a, b in zip(x, y, strict=True):
        line, back = matrix @ [*a, 1], matrix.T @ [*b, 1]
        by_hand.append((abs(line @ [*b, 1]) / np.hypot(*line[:2]) + abs(back @ [*a, 1]) / np.hypot(*back[:2])) / 2)
    assert epipolar_distances(matrix, x, y) == pytest.approx(by_hand)
    assert epipolar_distances(fundamental(other, one), y, x) == pytest.approx(by_hand)


def test_a_move_aside_leaves_rows_where_they_are():
    still, aside = (Camera(INTRINSICS, np.concatenate([np.eye(3), [[t], [0], [0]]], 1)) for t in (0.0, 1.0))
    x = np.array([[10.0, 20], [50, 60]])
    found = epipolar_distances(fundamental(still, aside), x, x + np.array([[7, 0], [-3, 5]]))
    assert found == pytest.approx([0, 5])


def test_a_camera_that_only_turns_has_no_lines():
    pose = np.concatenate([turned([0, 1, 0], 0.2), np.zeros((3, 1))], 1)
    assert fundamental(Camera(INTRINSICS, np.eye(3, 4)), Camera(INTRINSICS, pose)) is None


def test_points_of_a_shifted_image_match_where_it_went():
    noise = gaussian_filter(np.random.default_rng(0).normal(size=(140, 160)), 2)
    image = np.repeat(np.clip(128 + 300 * noise, 0, 255).astype(np.uint8)[:, :, None], 3, 2)
    x, y = matched(sift_points(image[:, :128]), sift_points(image[:, 16:144]))
    assert len(x) > 20
    assert np.median(x - y, axis=0) == pytest.approx([16, 0], abs=0.3)
    assert len(matched(sift_points(image), sift_points(np.zeros_like(image)))[0]) == 0


@pytest.mark.parametrize(
    ("n", "distance", "known"), [(10, 1.9, True), (9, 1.9, False), (10, 2.0, False), (0, 0, False)]
)
def test_a_pair_is_consistent_by_both_thresholds(n, distance, known):
    assert consistent(np.full(n, distance)) is known
    assert median_distance(np.full(n, distance)) == (distance if n else None)
