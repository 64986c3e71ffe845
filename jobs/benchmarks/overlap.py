"""Pairs of frames a second whose overlap is known, against KD-trees that decide every pair on its own.

100 real frames where ``../shared/data/rgbd_kitchen`` is there, else 100 views of a generated room; the released definition
(5 cm voxels, 7.5 cm radius). The rivals' trees are built beforehand, once a frame, and a sample of pairs stands for all.
"""

import time
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image
from scipy.spatial import cKDTree

from sem3d.geometry.overlap import OverlapConfig, overlap_matrix
from sem3d.geometry.projection import transform, unproject_valid
from sem3d.geometry.voxels import mean_per_voxel

KITCHEN = Path(__file__).parents[2] / "../shared/data/rgbd_kitchen"
FRAMES, ROUNDS, SAMPLED_PAIRS = 100, 3, 40
VOXEL_SIZE, RADIUS = 0.05, 0.075


def kitchen_clouds() -> list[np.ndarray]:
    """Return world points of the real frames."""
    intrinsics = np.loadtxt(KITCHEN / "camera-intrinsics.txt")
    clouds = []
    for file in sorted(KITCHEN.glob("*.depth.png"))[:FRAMES]:
        with Image.open(file) as image:
            millimetres = np.asarray(image)
        depth = np.where(millimetres == 65535, 0, millimetres).astype(np.float32) / 1000
        world_from_camera = np.loadtxt(file.with_name(file.name.replace("depth.png", "pose.txt")))
        clouds.append(transform(world_from_camera, unproject_valid(depth, intrinsics)[0]))
    return clouds


def generated_clouds() -> list[np.ndarray]:
    """Return world points that a camera turning in the middle of an empty room of 5 x 2.5 x 4 m sees, with 5 mm of noise."""
    rng = np.random.default_rng(0)
    v, u = np.mgrid[:240, :320]
    rays = np.stack([(u - 159.5) / 290, (v - 119.5) / 290, np.ones(u.shape)], axis=-1).reshape(-1, 3)
    clouds = []
    for angle in np.linspace(0, 2 * np.pi, FRAMES, endpoint=False):
        c, s = np.cos(angle), np.sin(angle)
        turned = rays @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T
        centre = rng.uniform(-0.5, 0.5, size=3)
        with np.errstate(divide="ignore"):
            reach = ((np.where(turned > 0, 1, -1) * [2.5, 1.25, 2.0] - centre) / turned).min(axis=1)
        clouds.append(centre + turned * (reach + rng.normal(scale=0.005, size=reach.shape))[:, None])
    return clouds


def seconds(work) -> float:
    """Return how long ``work()`` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def run() -> list[tuple[str, float, float, str]]:
    """Return rows (what, sem3d, rival, unit)."""
    clouds = kitchen_clouds() if KITCHEN.is_dir() else generated_clouds()
    coarse = [mean_per_voxel(cloud, VOXEL_SIZE) for cloud in clouds]
    trees = [cKDTree(cloud) for cloud in coarse]
    rng = np.random.default_rng(0)
    all_pairs = len(clouds) * (len(clouds) - 1) / 2

    def radius_search(a: int, b: int) -> float:
        return float(np.mean([len(near) > 0 for near in trees[b].query_ball_point(coarse[a], RADIUS)]))

    def nearest_search(a: int, b: int) -> float:
        return np.isfinite(trees[b].query(coarse[a], distance_upper_bound=RADIUS)[0]).mean()

    ours, whole, radius, nearest, down = [], [], [], [], []
    for _ in range(ROUNDS):
        ours.append(seconds(lambda: overlap_matrix(coarse, OverlapConfig(voxel_size=0.0, radius=RADIUS))))
        whole.append(seconds(lambda: overlap_matrix(clouds, OverlapConfig())))
        down.append(seconds(lambda: [mean_per_voxel(cloud, VOXEL_SIZE) for cloud in clouds]))
        pairs = [rng.choice(len(clouds), size=2, replace=False) for _ in range(SAMPLED_PAIRS)]
        for search, times in ((radius_search, radius), (nearest_search, nearest)):
            sampled = seconds(lambda: [(search(a, b), search(b, a)) for a, b in pairs])  # noqa: B023
            times.append(sampled / SAMPLED_PAIRS * all_pairs)
    with_down = [search + coarsen for search, coarsen in zip(radius, down, strict=True)]
    return [
        ("overlap against cKDTree.query_ball_point", all_pairs / median(ours), all_pairs / median(radius), "pairs"),
        ("overlap against cKDTree.query(k=1)", all_pairs / median(ours), all_pairs / median(nearest), "pairs"),
        (
            "the first with down-sampling on both sides",
            all_pairs / median(whole),
            all_pairs / median(with_down),
            "pairs",
        ),
    ]
