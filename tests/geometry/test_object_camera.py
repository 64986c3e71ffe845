import numpy as np
import pytest

from sem3d.geometry.cameras import invert_rigid, pose_fault
from sem3d.geometry.object_camera import camera_from_object, viewpoint_of, world_from_camera


def test_a_level_camera_in_front_of_a_chair_sees_its_front_near_its_right_on_the_left_and_its_top_above():
    camera = camera_from_object(np.pi, np.pi / 2, (0.0, 0.0, 2.0))  # the front is at -z: azimuth 180 degrees
    front = camera[:3, :3] @ [0, 0, -0.5] + camera[:3, 3]
    right = camera[:3, :3] @ [0.5, 0, 0] + camera[:3, 3]
    top = camera[:3, :3] @ [0, 0.5, 0] + camera[:3, 3]
    np.testing.assert_allclose(front, [0, 0, 1.5], atol=1e-12)
    np.testing.assert_allclose(right, [-0.5, 0, 2], atol=1e-12)
    np.testing.assert_allclose(top, [0, -0.5, 2], atol=1e-12)


def test_a_camera_above_sees_the_top_near():
    camera = camera_from_object(0.3, 0.2, (0.0, 0.0, 2.0))
    assert (camera[:3, :3] @ [0, 0.5, 0])[2] < -0.48


@pytest.mark.parametrize("azimuth", [0.0, 1.0, 3.5, 6.2])
@pytest.mark.parametrize("polar", [0.1, 1.5, 3.0])
def test_the_viewpoint_of_a_pose_is_that_it_was_made_of(azimuth, polar):
    middle = (0.1, -0.2, 2.3)
    pose = world_from_camera(camera_from_object(azimuth, polar, middle))
    assert pose_fault(pose) is None
    found = viewpoint_of(pose)
    assert found[0] == pytest.approx(azimuth)
    assert found[1] == pytest.approx(polar)
    np.testing.assert_allclose(found[2], middle, atol=1e-12)


def test_the_same_point_lies_at_the_same_place_before_the_camera_in_both_frames():
    camera = camera_from_object(0.7, 1.2, (0.1, 0.0, 2.0))
    point = np.array([0.2, 0.4, -0.3])
    in_world = np.array([-0.2, -0.3, 0.4])  # z up, the front at -y
    expected = camera[:3, :3] @ point + camera[:3, 3]
    to_camera = invert_rigid(world_from_camera(camera))
    np.testing.assert_allclose(to_camera[:3, :3] @ in_world + to_camera[:3, 3], expected, atol=1e-12)
