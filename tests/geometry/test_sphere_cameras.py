import numpy as np
import pytest

from sem3d.geometry.cameras import invert_rigid, pose_fault
from sem3d.geometry.projection import project, transform
from sem3d.geometry.sphere_cameras import looking_at_origin, random_eyes, spiral_eyes, square_intrinsics

EYES = np.array([[0.0, -2.0, 0.0], [1.3, 0.4, 0.7], [-0.2, 0.9, -0.8], [0.0, 0.0, 1.5]])
POSES = looking_at_origin(EYES)


def seen(pose: np.ndarray, point: list[float]) -> np.ndarray:
    """Position in pixels of a picture of 100."""
    return project(transform(invert_rigid(pose), np.array([point])), square_intrinsics(100))[0][0]


def test_cameras_are_rigid_and_stand_where_they_should():
    for pose, eye in zip(POSES, EYES, strict=True):
        assert pose_fault(pose) is None
        np.testing.assert_array_equal(pose[:3, 3], eye)


def test_the_origin_is_in_the_middle_of_the_picture():
    for pose in POSES:
        np.testing.assert_allclose(seen(pose, [0.0, 0.0, 0.0]), [50.0, 50.0], atol=1e-9)


def test_what_is_higher_in_the_world_is_higher_in_the_picture():
    for pose in POSES[:3]:
        assert seen(pose, [0.0, 0.0, 0.1])[1] < 50.0


def test_from_the_front_the_right_of_the_world_is_right_and_a_camera_of_focal_length_f_sees_x_at_f_x_over_z():
    u, v = seen(POSES[0], [0.2, 0.0, 0.3])
    assert u == pytest.approx(50 + 100 * 525 / 512 * 0.1)
    assert v == pytest.approx(50 - 100 * 525 / 512 * 0.15)


def test_random_eyes_are_on_the_sphere_and_even():
    upper = random_eyes(4000, 1.3, np.random.default_rng(0))
    whole = random_eyes(4000, 1.3, np.random.default_rng(0), upper=False)
    for eyes in (upper, whole):
        np.testing.assert_allclose(np.linalg.norm(eyes, axis=1), 1.3)
    assert upper[:, 2].min() >= 0
    np.testing.assert_allclose(upper.mean(axis=0), [0, 0, 0.65], atol=0.05)
    np.testing.assert_allclose(whole.mean(axis=0), [0, 0, 0], atol=0.05)


def test_the_spiral_begins_in_front_rises_and_turns_once_in_a_third_of_it():
    eyes = spiral_eyes(251, 2.0)
    np.testing.assert_allclose(eyes[0], [0.0, -2.0, 0.0], atol=1e-9)
    assert (np.diff(eyes[:, 2]) > 0).all()
    assert eyes[-1, 2] < 2.0
    angles = np.unwrap(np.arctan2(eyes[:, 1], eyes[:, 0]))
    assert (angles[-1] - angles[0]) / (2 * np.pi) == pytest.approx(20 * 250 / 251 / (2 * np.pi))
