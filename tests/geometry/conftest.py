"""Real frames: 100 of a kitchen, every sixth of a 7-Scenes sequence."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sem3d.geometry.projection import transform, unproject_valid


@dataclass(frozen=True)
class Kitchen:
    folder: Path
    intrinsics: np.ndarray

    def depth(self, frame: int) -> np.ndarray:
        with Image.open(self.folder / f"frame-{6 * frame:06d}.depth.png") as image:
            millimetres = np.asarray(image)
        return np.where(millimetres == 65535, 0, millimetres).astype(np.float32) / 1000

    def pose(self, frame: int) -> np.ndarray:
        return np.loadtxt(self.folder / f"frame-{6 * frame:06d}.pose.txt")

    def cloud(self, frame: int) -> np.ndarray:
        return transform(self.pose(frame), unproject_valid(self.depth(frame), self.intrinsics)[0])


@pytest.fixture(scope="session")
def kitchen(shared_data: Path) -> Kitchen:
    folder = shared_data / "rgbd_kitchen"
    if not folder.is_dir():
        pytest.skip("no kitchen scan in ../shared/data")
    return Kitchen(folder, np.loadtxt(folder / "camera-intrinsics.txt"))


@pytest.fixture(scope="session")
def box_room() -> Callable[[np.ndarray], np.ndarray]:
    """Depth, 24x32, of an empty room 4 x 3 x 5 m around the origin, by the plane that each ray meets first."""

    def render(world_from_camera: np.ndarray, intrinsics: np.ndarray, size: tuple[int, int] = (24, 32)) -> np.ndarray:
        v, u = np.mgrid[: size[0], : size[1]]
        rays = np.stack([u, v, np.ones(size)], axis=-1) @ np.linalg.inv(intrinsics).T @ world_from_camera[:3, :3].T
        walls = np.where(rays > 0, 1.0, -1.0) * [2.0, 1.5, 2.5]
        with np.errstate(divide="ignore"):
            return ((walls - world_from_camera[:3, 3]) / rays).min(axis=-1).astype(np.float32)

    return render
