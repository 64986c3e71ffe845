"""Scenes as samples: the voxel of each point, budgets of scenes and points, turns."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sem3d.config import override
from sem3d.datasets.augment_points import PointAugmentation
from sem3d.datasets.scans.clouds import read_points
from sem3d.datasets.scene_clouds import CollateClouds, SceneClouds, cloud_samples
from sem3d.errors import BadSample, UserError
from tests.datasets.scans.labelled_walls import write_walls
from tests.reference import voxels as reference

STILL = PointAugmentation(scale=0.0, turn=0.0, tilt=0.0, elastic_probability=0.0)


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    folder = tmp_path_factory.mktemp("walls")
    write_walls(folder / "data", train=4, held_out=2)
    return folder


def opened(storage, **changes):
    return cloud_samples(
        override(SceneClouds(root=str(storage / "data"), voxel_size=0.12), changes), str(storage / "runs")
    )


def loaded(samples, number=0, seed=0):
    return samples.load(samples.table.slice(number, 1).to_pylist()[0], np.random.default_rng(seed))


def on_disk(samples, number=0):
    row = samples.table.slice(number, 1).to_pylist()[0]
    return read_points(samples.load.folder / row["file"], row["written"])


def test_each_point_is_in_its_voxel_and_a_voxel_has_the_colour_of_its_first_point(storage):
    samples = opened(storage)["val"]
    scene, (points, colors, labels) = loaded(samples), on_disk(samples)
    centred = points - points.astype(np.float64).mean(axis=0)
    indices = reference.voxel_indices(centred, 0.12)
    assert_array_equal(scene["voxel"][scene["point_voxel"][:, 0]], indices)
    assert_array_equal(scene["point_label"], labels)
    _, first = reference.first_per_voxel(indices)
    assert len(scene["voxel"]) == len(first) < len(points)
    assert_array_equal(scene["voxel_color"][scene["point_voxel"][first, 0]], colors[first])


@pytest.mark.parametrize("chunk", [0.0, 1.0])
def test_an_evaluation_holds_every_point_once(storage, chunk):
    samples = opened(storage, **{"clouds.chunk": chunk})["val"]
    total = sum(len(loaded(samples, number)["point_label"]) for number in range(samples.table.num_rows))
    assert total == 2 * 60 * 40
    assert samples.table.num_rows == (12 if chunk else 2)


def test_turns_are_those_about_the_vertical(storage):
    samples = opened(storage, evaluation_turns=3)["val"]
    scene, (points, _, _) = loaded(samples), on_disk(samples)
    centred = points - points.astype(np.float64).mean(axis=0)
    ends = np.cumsum(scene["turn_voxels"])
    for turn in range(3):
        cosine, sine = np.cos(2 * np.pi * turn / 3), np.sin(2 * np.pi * turn / 3)
        x, y, z = centred.T
        turned = np.stack([cosine * x - sine * y, sine * x + cosine * y, z], axis=1)
        rows = scene["point_voxel"][:, turn]
        assert ((rows >= ends[turn] - scene["turn_voxels"][turn]) & (rows < ends[turn])).all()
        wrong = (scene["voxel"][rows] != np.floor(turned / 0.12)).any(axis=1)
        assert wrong.mean() < 0.01  # points on a border may round either way


def test_joined_scenes_keep_their_voxels_past_one_that_cannot_be_used(storage):
    samples = opened(storage, evaluation_turns=2)["val"]
    scenes = [loaded(samples, number) for number in (0, 1)]
    columns = samples.collate([scenes[0], None, scenes[1]])
    assert_array_equal(columns["scene"], [scenes[0]["scene"], -1, scenes[1]["scene"]])
    start = 0
    for item, scene in ((0, scenes[0]), (2, scenes[1])):
        own = slice(start, start + len(scene["point_label"]))
        for turn in range(2):
            rows = columns["voxel"][columns["point_voxel"][own, turn]]
            assert (rows[:, 0] == 2 * item + turn).all()
            assert_array_equal(rows[:, 1:], scene["voxel"][scene["point_voxel"][:, turn]])
        start = own.stop
    assert start == len(columns["point_label"])
    nothing = CollateClouds(2)([None, None])
    assert [len(nothing[name]) for name in ("voxel", "voxel_color", "point_voxel", "point_label", "scene")] == [
        0
    ] * 4 + [2]


def test_training_samples_are_augmented_and_held_out_ones_are_not(storage):
    samples = opened(storage)
    first, again, other = (loaded(samples["train"], seed=seed) for seed in (1, 1, 2))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert len(first["voxel"]) != len(other["voxel"])
    assert all(
        np.array_equal(loaded(samples["val"], seed=1)[name], loaded(samples["val"], seed=2)[name]) for name in first
    )


def test_labels_stay_with_their_points_in_a_training_sample(storage):
    samples = opened(storage, points=STILL)["train"]
    scene, (points, _, labels) = loaded(samples), on_disk(samples)
    centred = points - points.astype(np.float64).mean(axis=0)
    of_voxel = {}
    for voxel, label in zip(map(tuple, reference.voxel_indices(centred, 0.12).tolist()), labels, strict=True):
        of_voxel.setdefault(voxel, []).append(int(label))
    found = {}
    for row, label in zip(scene["point_voxel"][:, 0], scene["point_label"], strict=True):
        found.setdefault(tuple(scene["voxel"][row].tolist()), []).append(int(label))
    assert {voxel: sorted(known) for voxel, known in found.items()} == {
        voxel: sorted(known) for voxel, known in of_voxel.items()
    }


def test_shares_of_scenes_are_nested_and_keep_chunks_together(storage):
    held = []
    for share in (0.25, 0.5, 1.0):
        table = opened(storage, budget=share, **{"clouds.chunk": 1.0})["train"].table
        held.append(set(table["scene"].to_pylist()))
        assert table.num_rows == 6 * len(held[-1])
    assert [len(scenes) for scenes in held] == [1, 2, 4]
    assert held[0] < held[1] < held[2]


def test_a_list_of_scenes_takes_the_place_of_the_share(storage):
    (storage / "list.txt").write_text("scene0002_00\n")
    table = opened(storage, budget_list=str(storage / "list.txt"), budget=0.5)["train"].table
    assert table["scene"].to_pylist() == ["scene0002_00"]


def test_points_of_a_scene_are_nested_counted_over_chunks_and_always_drawn(storage):
    kept = []
    for number in (20, 50, 200):
        samples = opened(storage, points_per_scene=number, most_points=210, **{"clouds.chunk": 1.0})["train"]
        rows = samples.table.to_pylist()
        kept.append({(row["scene"], row["file"], place) for row in rows for place in row["chosen"]})
        for scene in {row["scene"] for row in rows}:
            assert sum(len(row["chosen"]) for row in rows if row["scene"] == scene) == number
        for place, row in enumerate(rows):
            sample, (_, _, labels) = loaded(samples, place), on_disk(samples, place)
            assert (labels[row["chosen"]] > 0).all()
            assert len(sample["point_label"]) == min(210, len(labels))
            assert sorted(sample["point_label"][sample["point_label"] > 0]) == sorted(labels[row["chosen"]])
    assert kept[0] < kept[1] < kept[2]
    other = opened(storage, points_per_scene=20, budget_seed=1, **{"clouds.chunk": 1.0})["train"]
    assert {(row["scene"], row["file"], place) for row in other.table.to_pylist() for place in row["chosen"]} != kept[0]


def test_a_digest_says_which_labels_are_learnt_from(storage):
    changes = [{}, {"budget": 0.5}, {"points_per_scene": 20}, {"points_per_scene": 20, "budget_seed": 1}]
    digests = [opened(storage, **one)["train"].digest for one in changes]
    assert len(set(digests)) == 4
    assert opened(storage)["train"].digest == digests[0]
    assert opened(storage, voxel_size=0.2, evaluation_turns=2)["train"].digest == digests[0]


def test_damaged_files_and_points_too_far_apart_are_named(storage, tmp_path):
    samples = opened(storage)["val"]
    tiny = replace(samples.load, config=replace(samples.load.config, voxel_size=1e-6))
    row = samples.table.slice(0, 1).to_pylist()[0]
    with pytest.raises(BadSample, match="voxel"):
        tiny(row, np.random.default_rng(0))
    with pytest.raises(BadSample, match="unreadable cloud"):
        samples.load(row | {"written": "0" * 64}, np.random.default_rng(0))


def test_data_without_a_training_scene_are_refused(tmp_path):
    write_walls(tmp_path / "data", train=0, held_out=2)
    with pytest.raises(UserError, match="no labelled training scene"):
        opened(tmp_path)
