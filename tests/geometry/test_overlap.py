import numpy as np
import pytest
from scipy.spatial import cKDTree

from sem3d.geometry import overlap, voxels
from sem3d.geometry.overlap import OverlapConfig, overlap_matrix, overlapping_pairs
from tests.reference import overlap as reference
from tests.reference.voxels import mean_per_voxel

DEFINITIONS = ["released", "paper"]


def plane(left: float, width: float = 1.0, height: float = 0.0) -> np.ndarray:
    """A lattice of 4 mm on the plane z = height."""
    x, y = np.meshgrid(left + np.arange(0, width, 0.004), np.arange(0, 0.5, 0.004), indexing="ij")
    return np.stack([x.ravel(), y.ravel(), np.full(x.size, height)], axis=1)


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_overlap_of_a_frame_with_itself_is_one(definition):
    matrix = overlap_matrix([plane(0.0), plane(0.0)], OverlapConfig(definition=definition))
    np.testing.assert_array_equal(matrix, np.ones((2, 2)))


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_overlap_of_frames_apart_is_zero(definition):
    matrix = overlap_matrix([plane(0.0), plane(0.0, height=0.2)], OverlapConfig(definition=definition))
    np.testing.assert_array_equal(matrix, np.eye(2))


@pytest.mark.parametrize(("definition", "reach"), [("released", 0.075), ("paper", 0.02)])
def test_planes_that_overlap_by_half_score_half_and_the_reach_of_the_radius(definition, reach):
    _, _, score = overlapping_pairs([plane(0.0), plane(0.5)], OverlapConfig(definition=definition))
    np.testing.assert_allclose(score, [0.5 + reach], atol=0.02)


def test_a_part_overlaps_its_whole_fully_one_way_only():
    matrix = overlap_matrix([plane(0.0, 0.25), plane(0.0)], OverlapConfig())
    assert matrix[0, 1] == 1.0
    np.testing.assert_allclose(matrix[1, 0], 0.25 + 0.075, atol=0.05)


def test_the_released_score_is_the_larger_share_and_the_paper_one_counts_both_frames():
    clouds = [plane(0.0, 0.25), plane(0.0)]
    assert overlapping_pairs(clouds, OverlapConfig())[2] == [1.0]
    paper = overlapping_pairs(clouds, OverlapConfig(definition="paper"))[2]
    np.testing.assert_allclose(paper, [(0.25 + 0.27) / 1.25], atol=0.01)


def test_frames_without_points_overlap_with_nothing():
    empty = np.zeros((0, 3))
    np.testing.assert_array_equal(overlap_matrix([empty, plane(0.0), empty], OverlapConfig()), np.diag([0.0, 1.0, 0.0]))
    assert overlap_matrix([empty], OverlapConfig()) == 0.0
    assert len(overlapping_pairs([empty, plane(0.0)], OverlapConfig())[0]) == 0


def test_pairs_are_ordered_reach_the_minimum_and_miss_none():
    rng = np.random.default_rng(0)
    clouds = [plane(left) for left in rng.uniform(0, 2, size=12)]
    anchor, positive, score = overlapping_pairs(clouds, OverlapConfig(minimum=0.4))
    matrix = overlap_matrix(clouds, OverlapConfig())
    larger = np.maximum(matrix, matrix.T)
    assert (anchor < positive).all()
    assert len(anchor) == (np.triu(larger, 1) >= 0.4).sum()
    np.testing.assert_array_equal(score, larger[anchor, positive])


@pytest.mark.parametrize("slab_points", [31, 200, 10**9])
def test_slabs_change_nothing(monkeypatch, slab_points):
    rng = np.random.default_rng(1)
    clouds = [rng.uniform(-1, 1, size=(int(count), 3)) for count in (40, 0, 90, 300)]
    monkeypatch.setattr(overlap, "_SLAB_POINTS", slab_points)
    ours = overlap_matrix(clouds, OverlapConfig(voxel_size=0.0, radius=0.3))
    np.testing.assert_array_equal(ours, reference.directed_overlap(clouds, 0.3).astype(np.float32))


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_moving_the_world_leaves_the_paper_score_and_hardly_moves_the_released_one(definition):
    rotation, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))
    clouds = [plane(0.0), plane(0.3)]
    config = OverlapConfig(definition=definition)
    before = overlapping_pairs(clouds, config)[2]
    after = overlapping_pairs([cloud @ rotation.T + 7.0 for cloud in clouds], config)[2]
    np.testing.assert_allclose(after, before, atol=0.03 if definition == "released" else 0.005)


def test_the_kitchen_equals_all_distances(kitchen):
    clouds = [kitchen.cloud(frame) for frame in (0, 1, 3, 9, 40, 70, 98, 99)]
    coarse = [mean_per_voxel(cloud[::150], 0.05) for cloud in clouds]
    ours = overlap_matrix(clouds, OverlapConfig(pixel_stride=150))
    np.testing.assert_array_equal(ours, reference.directed_overlap(coarse, 0.075).astype(np.float32))
    assert ((ours > 0) & (ours < 1)).sum() >= 20
    config = OverlapConfig(definition="paper", pixel_stride=250, minimum=0.0)
    thin = [cloud[::250] for cloud in clouds]
    anchor, positive, score = overlapping_pairs(clouds, config)
    assert len(score) == 28
    for a, b, value in zip(anchor, positive, score, strict=True):
        assert value == np.float32(reference.pair_score(thin[a], thin[b], 0.02, "paper"))


@pytest.mark.slow
def test_all_pairs_of_the_kitchen_equal_a_tree_search_and_some_equal_all_distances(kitchen):
    clouds = [kitchen.cloud(frame) for frame in range(0, 100, 2)]
    ours = overlap_matrix(clouds, OverlapConfig())
    coarse = [voxels.mean_per_voxel(cloud, 0.05) for cloud in clouds]
    trees = [cKDTree(cloud) for cloud in coarse]
    for a, b in np.ndindex(50, 50):
        nearest, _ = trees[b].query(coarse[a], distance_upper_bound=0.08)
        assert ours[a, b] == np.float32((nearest <= 0.075).sum() / len(coarse[a])), (a, b)
    for a, b in np.random.default_rng(0).integers(0, 50, size=(12, 2)):
        assert ours[a, b] == np.float32(reference.matched_points(coarse[a], coarse[b], 0.075) / len(coarse[a]))
    anchor, positive, score = overlapping_pairs(clouds, OverlapConfig())
    np.testing.assert_array_equal(score, np.maximum(ours, ours.T)[anchor, positive])
