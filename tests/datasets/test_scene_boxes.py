"""Scenes with boxes as samples: voxels, seeds and the objects they are of, budgets, motions, and scenes left out by name."""

from dataclasses import replace

import numpy as np
import pytest

from sem3d.config import override
from sem3d.datasets.box_motion import BoxAugmentation, drawn_motion
from sem3d.datasets.quarantine import QuarantineReport
from sem3d.datasets.scans.clouds import read_points_of_objects
from sem3d.datasets.scene_boxes import CollateBoxes, SceneBoxes, box_samples
from sem3d.errors import BadSample, UserError
from sem3d.evaluation.box_choice import BoxChoice, chosen_boxes
from sem3d.geometry.boxes import inside
from tests.datasets.scans.objects_on_walls import CHAIRS, TABLES, object_files, official_groups, write_objects
from tests.datasets.scans.objects_on_walls import write_walls_with_objects as write_walls
from tests.reference import voxels as reference
from tests.reference.vote_net import farthest

CHAIR, TABLE = 2, 4
"""Numbers among the 18 classes."""


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    folder = tmp_path_factory.mktemp("objects")
    write_walls(folder / "data", train=4, held_out=2)
    return folder


def opened(storage, **changes):
    base = SceneBoxes(root=str(storage / "data"), voxel_size=0.12, seeds=20)
    return box_samples(override(base, changes), str(storage / "runs"))


def loaded(samples, number=0, seed=0):
    return samples.load(samples.table.slice(number, 1).to_pylist()[0], np.random.default_rng(seed))


def on_disk(samples, number=0):
    row = samples.table.slice(number, 1).to_pylist()[0]
    points, colors, codes = read_points_of_objects(samples.load.folder / row["file"], row["written"])
    return points - points.astype(np.float64).mean(axis=0), colors, codes


def test_a_held_out_scene_is_its_voxels_and_the_boxes_of_its_objects(storage):
    samples = opened(storage)["val"]
    scene, (points, colors, codes) = loaded(samples), on_disk(samples)
    distinct, first = reference.first_per_voxel(reference.voxel_indices(points, 0.12))
    assert {tuple(voxel) for voxel in scene["voxel"].tolist()} == {tuple(map(int, voxel)) for voxel in distinct}
    colour_of = {tuple(map(int, voxel)): tuple(colors[row]) for voxel, row in zip(distinct, first, strict=True)}
    for voxel, colour in zip(scene["voxel"].tolist(), scene["voxel_color"], strict=True):
        assert colour_of[tuple(voxel)] == tuple(colour)
    assert scene["box_class"].tolist() == [CHAIR] * CHAIRS + [TABLE] * TABLES
    for number, code in enumerate(np.unique(codes[codes > 0])):
        own = points[codes == code]
        np.testing.assert_allclose(scene["box"][number, :3], (own.min(0) + own.max(0)) / 2, atol=1e-6)
        np.testing.assert_allclose(scene["box"][number, 3:6], np.ptp(own, axis=0), atol=1e-6)


def test_seeds_are_points_of_voxels_far_apart_and_know_their_object(storage):
    samples = opened(storage, seeds=90)["val"]
    scene, (points, _, codes) = loaded(samples), on_disk(samples)
    indices = reference.voxel_indices(scene["seed_point"].astype(np.float64), 0.12)
    np.testing.assert_array_equal(scene["voxel"][scene["seed_voxel"]], indices)
    distinct, first = reference.first_per_voxel(reference.voxel_indices(points, 0.12))
    firsts = {tuple(map(int, one)): points[row] for one, row in zip(distinct, first, strict=True)}
    places = [firsts[tuple(voxel)].tolist() for voxel in scene["voxel"].tolist()]
    np.testing.assert_allclose(scene["voxel_point"], places, atol=1e-6)
    assert scene["seed_voxel"].tolist() == farthest(places, 90)
    objects = np.unique(codes[codes > 0])
    for point, box in zip(scene["seed_point"], scene["seed_box"][:, 0], strict=True):
        code = codes[np.abs(points - point).sum(1).argmin()]
        assert (objects[box] if box >= 0 else 0) == code
        assert box < 0 or inside(point[None], scene["box"][box] + [0, 0, 0, 1e-5, 1e-5, 1e-5, 0])[0]
    assert {-1, 0} < set(scene["seed_box"].ravel().tolist())


def test_a_training_scene_is_moved_with_its_boxes_and_drawn(storage):
    samples = opened(storage, most_points=300)["train"]
    scene = loaded(samples, seed=3)
    assert len(scene["voxel"]) <= 300
    again, other = loaded(samples, seed=3), loaded(samples, seed=4)
    assert all(np.array_equal(value, again[name]) for name, value in scene.items())
    assert not np.array_equal(scene["seed_point"], other["seed_point"])
    points, _, codes = on_disk(samples)
    rng = np.random.default_rng(3)
    moved = drawn_motion(BoxAugmentation(), rng).of_points(points)
    for number, code in enumerate(np.unique(codes[codes > 0])):
        own = moved[codes == code]  # of all points, not of those drawn
        np.testing.assert_allclose(scene["box"][number, 3:6], np.ptp(own, axis=0), atol=1e-6)


def test_a_held_out_scene_is_drawn_too_the_same_each_time_and_its_boxes_are_those_of_all_points(storage):
    whole, few = opened(storage)["val"], opened(storage, most_points=300)["val"]
    scene, again, entire = loaded(few), loaded(few), loaded(whole)
    assert len(scene["voxel"]) <= 300 < len(entire["voxel"])
    assert all(np.array_equal(value, again[name]) for name, value in scene.items())
    np.testing.assert_array_equal(scene["box"], entire["box"])
    known = {tuple(point) for point in on_disk(few)[0].astype(np.float32).round(5).tolist()}
    assert {tuple(point) for point in scene["voxel_point"].round(5).tolist()} <= known


def test_objects_thinner_than_a_voxel_are_answers(storage):
    scene = loaded(opened(storage, voxel_size=0.2)["val"])
    assert (scene["box"][:, 3:6].min(1) < 0.2).all()
    scores = np.linspace(1, 0.5, len(scene["box"]))
    kept = chosen_boxes(scene["box"], scores, scene["box_class"], scene["voxel_point"], BoxChoice())
    assert kept.tolist() == list(range(CHAIRS + TABLES))


def test_motions_are_mirrors_and_turns_within_their_limits():
    points = np.random.default_rng(0).normal(size=(50, 3))
    still = BoxAugmentation(mirror_probability=0.0, turn=0.0)

    def moved(config: BoxAugmentation) -> np.ndarray:
        return drawn_motion(config, np.random.default_rng(0)).of_points(points)

    np.testing.assert_allclose(moved(still), points)
    mirrored = moved(replace(still, mirror_probability=1.0))
    np.testing.assert_allclose(mirrored, points * [-1, -1, 1])
    scaled = moved(replace(still, scale=0.2))
    np.testing.assert_allclose(scaled, scaled[0, 0] / points[0, 0] * points)
    assert 0 < abs(scaled[0, 0] / points[0, 0] - 1) < 0.2
    turned = moved(replace(still, turn=5.0))
    np.testing.assert_allclose(np.linalg.norm(turned - turned[0], axis=1), np.linalg.norm(points - points[0], axis=1))
    np.testing.assert_allclose(turned[:, 2], points[:, 2])
    angle = np.degrees(np.arctan2(turned[:, 1], turned[:, 0]) - np.arctan2(points[:, 1], points[:, 0]))
    angle = (angle + 180) % 360 - 180
    np.testing.assert_allclose(angle, angle[0])
    assert 0 < abs(angle[0]) < 5


def test_scenes_join_and_one_that_cannot_be_used_has_neither_voxel_nor_box(storage):
    samples = opened(storage)["val"]
    first, second = loaded(samples, 0), loaded(samples, 1)
    second = second | {"box": second["box"][:2], "box_class": second["box_class"][:2]}
    batch = samples.collate([first, None, second])
    assert batch["scene"].tolist() == [first["scene"], -1, second["scene"]]
    assert set(batch["voxel"][:, 0].tolist()) == {0, 2}
    for item, one in ((0, first), (2, second)):
        count = len(one["box"])
        np.testing.assert_array_equal(batch["voxel"][batch["seed_voxel"][item], 1:], one["voxel"][one["seed_voxel"]])
        np.testing.assert_array_equal(batch["voxel_point"][batch["seed_voxel"][item]], one["seed_point"])
        np.testing.assert_array_equal(batch["box"][item, :count], one["box"])
        assert batch["box_class"][item].tolist() == [*one["box_class"].tolist(), *[-1] * (7 - count)]
    assert (batch["box_class"][1] == -1).all()
    empty = CollateBoxes(20)([None, None])
    assert empty["box"].shape == (2, 1, 7)
    assert {name: (value.dtype, value.ndim) for name, value in empty.items()} == {
        name: (value.dtype, value.ndim) for name, value in batch.items()
    }


def test_a_budget_holds_scenes_and_chunks_divide_objects(storage):
    assert opened(storage, budget=0.5)["train"].table.num_rows == 2
    whole, chunks = opened(storage)["val"], opened(storage, **{"clouds.chunk": 1.0})["val"]
    assert chunks.table.num_rows > whole.table.num_rows
    parts = [loaded(chunks, number) for number in range(chunks.table.num_rows)]
    assert sum(len(part["box"]) for part in parts) > 2 * (CHAIRS + TABLES)
    for part in parts:
        assert (part["box"][:, 3:6] > 0).all()
        assert len(part["seed_voxel"]) == 20


def test_scenes_without_objects_are_noted_and_faulty_ones_named(tmp_path):
    root = write_walls(tmp_path / "data", train=3)
    object_files(root, "scene0000_00")[1].unlink()
    segments, groups = official_groups()
    write_objects(root, "scene0001_00", segments[1:], groups)
    flat = [*groups, {"segments": [11 + 3 * 31]}]  # one column of points of no class but that of a table
    write_objects(root, "scene0002_00", segments, flat)
    samples = opened(tmp_path, **{"prepare.quarantine_limit": 0.5})["train"]
    assert samples.table["scene"].to_pylist() == ["scene0002_00"]
    report = QuarantineReport.read(samples.left_out)
    assert [(item.scene, item.reason) for item in report.items] == [
        ("scene0001_00", "segments of another mesh: 2399 of them, 2400 points of the scene's surface")
    ]
    noted = {(note.scene, note.reason) for note in report.notes}
    assert ("scene0000_00", "no objects: its scene is left out") in noted
    assert ("scene0002_00", "objects without volume: 1 of 8 have no box") in noted
    for number in range(4):
        object_files(root, f"scene{number:04d}_00")[0].unlink()
    with pytest.raises(UserError, match=r"no labelled scene in .*segs\.json.*make those anew"):
        opened(tmp_path)


def test_damaged_points_are_one_bad_sample(storage):
    samples = opened(storage, budget_seed=1)["train"]
    row = samples.table.slice(0, 1).to_pylist()[0]
    with pytest.raises(BadSample, match="is not what was written"):
        samples.load(row | {"written": "0" * 64}, np.random.default_rng(0))


def without_objects(root, *numbers):
    for number in numbers:
        write_objects(root, f"scene{number:04d}_00", official_groups()[0], [])


def test_scenes_without_any_object_are_noted_and_training_needs_one(tmp_path, caplog):
    root = write_walls(tmp_path / "data", train=2, held_out=1)
    without_objects(root, 0, 2)
    samples = opened(tmp_path)
    assert "no held-out scene has an object of the classes: average precision will be nan" in caplog.messages
    assert sorted(samples["train"].table["scene"].to_pylist()) == ["scene0000_00", "scene0001_00"]
    notes = QuarantineReport.read(samples["train"].left_out).notes
    assert {note.scene for note in notes if note.reason == "no object of the classes: the scene has no box"} == {
        "scene0000_00",
        "scene0002_00",
    }
    without_objects(root, 1)
    with pytest.raises(UserError, match=r"no object of the classes in any training scene of .*data.budget"):
        opened(tmp_path)
