import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sem3d.geometry.cameras import (
    intrinsics_fault,
    invert_rigid,
    orthonormalise,
    pose_fault,
    principal_point_fault,
    resize_intrinsics,
)

INTRINSICS = np.array([[577.0, 0.0, 319.5], [0.0, 578.0, 239.5], [0.0, 0.0, 1.0]])


def pose(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    result = np.eye(4)
    result[:3, :3] = rotation * np.sign(np.linalg.det(rotation))
    result[:3, 3] = rng.normal(size=3)
    return result


def test_a_sound_pose_and_sound_intrinsics_have_no_fault():
    assert pose_fault(pose(0)) is None
    assert intrinsics_fault(INTRINSICS, (480, 640)) is None


def test_a_pose_that_is_slightly_off_orthonormal_has_no_fault():
    assert pose_fault(pose(1) * np.array([[1.0005], [1.0], [1.0], [1.0]])) is None


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (np.full((4, 4), -np.inf), "not finite"),
        (np.zeros((4, 4)), "all zero"),
        (pose(2).T, "last row"),
        (np.diag([2.0, 2.0, 2.0, 1.0]), "not orthonormal"),
        (np.diag([1.0, 1.0, -1.0, 1.0]), "reflection"),
    ],
)
def test_a_broken_pose_is_named(broken, reason):
    assert reason in pose_fault(broken)


@pytest.mark.parametrize(
    ("entry", "value", "reason"),
    [
        ((0, 0), np.nan, "not finite"),
        ((2, 2), 2.0, "form"),
        ((1, 1), -578.0, "focal"),
        ((0, 1), 3.0, "skew"),
        ((0, 2), 700.0, "principal point"),
    ],
)
def test_broken_intrinsics_are_named(entry, value, reason):
    broken = INTRINSICS.copy()
    broken[entry] = value
    assert reason in intrinsics_fault(broken, (480, 640))


CAMERAS = {
    "ScanNet colour": ((968, 1296), (646.3, 489.9)),
    "7-Scenes": ((480, 640), (320.0, 240.0)),
    "RealSense SR300": ((480, 640), (298.44, 247.52)),
    "HoloLens 2": ((360, 540), (269.5, 169.19)),
    "TUM freiburg1": ((480, 640), (318.6, 255.3)),
    "Kinect of NYUv2, colour": ((480, 640), (325.58, 253.74)),
    "Azure Kinect depth": ((576, 640), (321.9, 337.2)),
    "Kinect v2 depth": ((424, 512), (257.2, 205.9)),
}


def centred_at(point: tuple[float, float]) -> np.ndarray:
    return np.array([[500.0, 0.0, point[0]], [0.0, 500.0, point[1]], [0.0, 0.0, 1.0]])


@pytest.mark.parametrize("camera", CAMERAS)
def test_the_principal_points_of_cameras_have_no_fault(camera: str):
    (height, width), point = CAMERAS[camera]
    assert principal_point_fault(centred_at(point), (height, width)) is None
    assert principal_point_fault(centred_at((width - 1 - point[0], height - 1 - point[1])), (height, width)) is None


@pytest.mark.parametrize("camera", ["ScanNet colour", "7-Scenes", "Kinect v2 depth"])
@pytest.mark.parametrize("factor", [0.5, 0.79, 0.88, 1.14, 1.25, 2.0])
def test_the_principal_point_of_an_image_that_was_resized_without_its_intrinsics_is_named(camera: str, factor: float):
    size, point = CAMERAS[camera]
    resized = (round(factor * size[0]), round(factor * size[1]))
    fault = principal_point_fault(centred_at(point), resized) or ""
    assert f"principal point ({point[0]:.1f}, {point[1]:.1f}) of {resized[1]}x{resized[0]}" in fault
    told = resize_intrinsics(centred_at(point), size, resized)
    assert principal_point_fault(told, resized) is None


def test_resizing_there_and_back_changes_nothing():
    resized = resize_intrinsics(INTRINSICS, (480, 640), (240, 320))
    np.testing.assert_allclose(resized[:2, 2], [159.5, 119.5])
    np.testing.assert_allclose(resize_intrinsics(resized, (240, 320), (480, 640)), INTRINSICS)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000))
def test_the_inverse_of_a_rigid_transform_undoes_it(seed):
    np.testing.assert_allclose(invert_rigid(pose(seed)) @ pose(seed), np.eye(4), atol=1e-12)


def test_orthonormalising_a_noisy_rotation_gives_a_rotation_near_it_and_keeps_its_place():
    noisy = pose(3)
    noisy[:3] += np.random.default_rng(0).normal(scale=1e-3, size=(3, 4))
    mended = orthonormalise(noisy)
    np.testing.assert_allclose(mended[:3, :3].T @ mended[:3, :3], np.eye(3), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(mended[:3, :3]), 1.0)
    np.testing.assert_allclose(mended, noisy, atol=5e-3)
    np.testing.assert_array_equal(mended[:, 3], noisy[:, 3])
