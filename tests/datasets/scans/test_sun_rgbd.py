"""Frames of SUN RGB-D: points and turned boxes as VoteNet extracts them, their motions, and bad input by its name."""

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from jobs.prepare_clouds import sun_rgbd
from sem3d.config import override
from sem3d.datasets.box_motion import STILL, BoxAugmentation, Motion, drawn_motion
from sem3d.datasets.quarantine import QuarantineReport
from sem3d.datasets.scans.sun_rgbd import read_frame
from sem3d.datasets.scene_boxes import SceneBoxes, box_samples
from sem3d.errors import BadSample, UserError
from sem3d.geometry.boxes import ground_corners, inside
from tests.datasets.scans.sun_rgbd_frames import (
    BED,
    CHAIR,
    FOLDERS,
    boxes_file,
    frame_boxes,
    frame_points,
    points_file,
    write_sun_rgbd,
)
from tests.methods.tiny import build_tiny, tiny_experiment

FRAME = f"{FOLDERS['train']}/000003"


def opened(root: Path, **changes):
    base = SceneBoxes(root=str(root), boxes="sun_rgbd", voxel_size=0.1, seeds=60)
    return box_samples(override(base, changes), str(root.parent / "runs"))


def loaded(samples, number=0, seed=0):
    return samples.load(samples.table.slice(number, 1).to_pylist()[0], np.random.default_rng(seed))


def votenet_corners(box: np.ndarray) -> np.ndarray:
    """Corners of a box on the ground as VoteNet's my_compute_box_3d has them: half lengths, turned by minus the heading."""
    cos, sin = np.cos(-box[6]), np.sin(-box[6])
    across = box[3] * np.array([1, -1, -1, 1])
    along = box[4] * np.array([1, 1, -1, -1])
    return np.stack([cos * across - sin * along, sin * across + cos * along], 1) + box[:2]


def test_frames_are_read_as_votenet_means_them(tmp_path):
    root = write_sun_rgbd(tmp_path / "data")
    frame = read_frame(root, FRAME)
    np.testing.assert_allclose(frame.points, frame_points(3)[:, :3], atol=1e-6)
    np.testing.assert_array_equal(frame.colors, np.rint(255 * frame_points(3)[:, 3:]))
    np.testing.assert_allclose(
        ground_corners(frame.boxes[:, :7]), [votenet_corners(box) for box in frame_boxes(3)], atol=1e-6
    )
    np.testing.assert_allclose(frame.boxes[:, 5], 2 * frame_boxes(3)[:, 5])
    assert frame.boxes[:, 7].tolist() == [CHAIR, BED]


def test_a_held_out_frame_has_its_boxes_and_seeds_know_those_that_hold_them(tmp_path):
    samples = opened(write_sun_rgbd(tmp_path / "data"), seeds=300)
    assert samples["train"].table["scene"].to_pylist() == ["000003", "000004", "000005"]
    assert samples["val"].described == "SUN RGB-D: 5 frames; 5 of 5 scenes have usable labels"
    number = int(samples["val"].table["scene"].to_pylist()[0])
    scene = loaded(samples["val"])
    middle = frame_points(number)[:, :3].astype(np.float32).mean(0)
    boxes = read_frame(tmp_path / "data", f"{FOLDERS['val']}/{number:06d}").boxes
    np.testing.assert_allclose(scene["box"][:, :3], boxes[:, :3] - middle, atol=1e-5)
    np.testing.assert_allclose(scene["box"][:, 3:], boxes[:, 3:7], atol=1e-6)
    assert scene["box_class"].tolist() == [CHAIR, BED]
    held = np.stack([inside(scene["seed_point"].astype(float), box.astype(float)) for box in scene["box"]], 1)
    for own, row in zip(held, scene["seed_box"].tolist(), strict=True):
        assert [number for number in row if number >= 0] == np.flatnonzero(own).tolist()
    assert {tuple(row) for row in scene["seed_box"].tolist()} == {(-1, -1, -1), (0, -1, -1), (1, -1, -1), (0, 1, -1)}


def test_points_and_boxes_move_together():
    rng = np.random.default_rng(0)
    points = rng.uniform(-2, 2, (3000, 3))
    boxes = np.column_stack([rng.uniform(-1, 1, (4, 3)), rng.uniform(0.5, 2, (4, 3)), rng.uniform(-4, 4, 4)])
    before = [inside(points, box) for box in boxes]
    for motion in (
        STILL,
        Motion((-1.0, 1.0), 0.4, 1.1),
        Motion((1.0, -1.0), -0.3, 0.9),
        Motion((-1.0, -1.0), 2.0, 1.0),
    ):
        moved = motion.of_boxes(boxes)
        for box, own in zip(moved, before, strict=True):
            assert (inside(motion.of_points(points), box) == own).all()
        np.testing.assert_allclose(moved[:, 3:6], motion.factor * boxes[:, 3:6])
    np.testing.assert_allclose(STILL.of_boxes(boxes)[:, :6], boxes[:, :6])


def test_x_alone_is_mirrored_where_that_is_asked():
    config = BoxAugmentation(mirror_probability=1.0, mirrored="x", turn=30.0, scale=0.15)
    motions = [drawn_motion(config, np.random.default_rng(seed)) for seed in range(40)]
    assert {motion.signs for motion in motions} == {(-1.0, 1.0)}
    assert 0.86 > min(motion.factor for motion in motions) >= 0.85
    assert np.radians(30) >= max(motion.angle for motion in motions) > np.radians(25)


def spoilt(change):
    def spoil(root: Path) -> None:
        path = boxes_file(root, "train", 3)
        np.save(path, change(np.load(path)))

    return spoil


def other_points(change):
    def spoil(root: Path) -> None:
        np.savez_compressed(points_file(root, "train", 3), **change(frame_points(3)))

    return spoil


def other_member(shape, packing=zipfile.ZIP_DEFLATED):
    """An archive whose array has the header of this shape, and 100 kB of zeros."""

    def spoil(root: Path) -> None:
        with (
            zipfile.ZipFile(points_file(root, "train", 3), "w", packing) as archive,
            archive.open("pc.npy", "w") as member,
        ):
            header = {"descr": "<f8", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(member, header)
            member.write(bytes(100_000))

    return spoil


def with_value(row, column, value):
    def change(array):
        array = array.copy()
        array[row, column] = value
        return array

    return change


FAULTS = {
    "missing file": lambda root: boxes_file(root, "train", 3).unlink(),
    "wrong shape: (2, 7), not (rows, 8)": spoilt(lambda boxes: boxes[:, :7]),
    "numbers of no class: 10, there are 0 to 9": spoilt(with_value(0, 7, 10)),
    "numbers of no class: 1.5, there are 0 to 9": spoilt(with_value(1, 7, 1.5)),
    "numbers that are not finite: 1": spoilt(with_value(0, 2, np.nan)),
    "boxes outside: a number is more than 1000 m": spoilt(with_value(0, 3, 1e4)),
    "damaged array": spoilt(lambda boxes: boxes.astype(object)),
    "no numbers: its array is of <U4": spoilt(lambda boxes: np.array(["seat", "bed"])[:1]),
    "no array pc: take the file": other_points(lambda points: {"points": points}),
    "wrong shape: (400, 3), not (rows, 6)": other_points(lambda points: {"pc": points[:, :3]}),
    "no points": other_points(lambda points: {"pc": points[:0]}),
    "points outside: 1 lie more than 1000 m": other_points(lambda points: {"pc": with_value(7, 1, 2e3)(points)}),
    "colours outside 0 to 1: they reach from 0": other_points(lambda points: {"pc": points * ([1] * 3 + [255] * 3)}),
    "implausible colours: none is above 1 of 255": other_points(
        lambda points: {"pc": points * ([1] * 3 + [1 / 255] * 3)}
    ),
    "headings outside a turn: they are radians, and one is 30": spoilt(with_value(0, 6, 30.0)),
    "headings outside a turn: they are radians, and one is 1e+39": spoilt(with_value(1, 6, -1e39)),
    "boxes of another frame: none of 2 holds a point": spoilt(lambda boxes: boxes + ([50] + [0] * 7)),
    "too many boxes: 1002": spoilt(lambda boxes: np.tile(boxes, (501, 1))),
    "too large: 1000000000 rows of 6 numbers": other_member((10**9, 6)),
    "damaged array: 481 bytes or more, not (10, 6)": other_member((10, 6)),
    "damaged array: 100000 bytes, not (3000, 6)": other_member((3000, 6)),
    "packed in a way that numpy does not": other_member((10, 6), zipfile.ZIP_LZMA),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_frame_that_cannot_be_used_is_named_and_the_others_are_used(tmp_path, fault):
    root = write_sun_rgbd(tmp_path / "data")
    FAULTS[fault](root)
    samples = opened(root)["train"]
    assert samples.table["scene"].to_pylist() == ["000004", "000005"]
    (item,) = QuarantineReport.read(samples.left_out).items
    assert item.scene == "000003"
    assert item.reason.startswith(fault)
    assert "000003_" in item.source


def test_files_that_are_cut_short_are_damaged(tmp_path):
    root = write_sun_rgbd(tmp_path / "data")
    for path in (points_file(root, "train", 3), boxes_file(root, "train", 3)):
        before = path.read_bytes()
        for length in (0, 7, len(before) // 2, len(before) - 5):
            path.write_bytes(before[:length])
            with pytest.raises(BadSample, match=rf"{path.name}: damaged array"):
                read_frame(root, FRAME)
        path.write_bytes(before)


def test_boxes_without_volume_are_left_out_and_counted(tmp_path):
    root = write_sun_rgbd(tmp_path / "data")
    spoilt(with_value(0, 4, 0.0))(root)
    samples = opened(root)["train"]
    assert loaded(samples)["box_class"].tolist() == [BED]
    (note,) = QuarantineReport.read(samples.left_out).notes
    assert (note.source, note.reason) == (f"{FRAME}_bbox.npy", "boxes without volume: 1 of 2 are left out")
    spoilt(lambda boxes: np.zeros((0, 8)))(root)
    scene = loaded(opened(root)["train"])
    assert scene["box"].shape == (0, 7)
    assert (scene["seed_box"] == -1).all()
    reasons = [note.reason for note in QuarantineReport.read(opened(root)["train"].left_out).notes]
    assert reasons == ["no object of the classes: the scene has no box"]
    for number in (3, 4, 5):
        np.save(boxes_file(root, "train", number), np.zeros((0, 8)))
    with pytest.raises(UserError, match="no object of the classes in any training scene"):
        opened(root)


def test_boxes_without_a_point_stay_and_are_counted(tmp_path):
    root = write_sun_rgbd(tmp_path / "data")
    spoilt(with_value(0, 0, 40.0))(root)
    samples = opened(root)["train"]
    assert loaded(samples)["box_class"].tolist() == [CHAIR, BED]
    (note,) = QuarantineReport.read(samples.left_out).notes
    assert (note.source, note.reason) == (f"{FRAME}_bbox.npy", "boxes without a point: 1 of 2 hold none")


def test_a_frame_of_both_splits_is_held_out(tmp_path):
    root = write_sun_rgbd(tmp_path / "data")
    for file in (points_file, boxes_file):
        shutil.copy(file(root, "train", 3), file(root, "val", 3))
    samples = opened(root)
    assert samples["train"].table["scene"].to_pylist() == ["000004", "000005"]
    assert sorted(samples["val"].table["scene"].to_pylist()) == ["000001", "000002", "000003"]
    (item,) = QuarantineReport.read(samples["train"].left_out).items
    assert (item.source, item.scene) == (FRAME, "000003")
    held_out = f"{FOLDERS['val']}/000003"
    assert item.reason == f"in both splits: {held_out} has its number and is held out; remove one of them"


def test_settings_that_nothing_reads_are_refused(tmp_path):
    root = write_sun_rgbd(tmp_path / "data")
    for name, value in (("labels", "mesh"), ("vote_voxel", 0.1), ("chunk", 2.0)):
        with pytest.raises(
            UserError, match=rf"data\.clouds\.{name} is .*, which nothing reads for SUN RGB-D: leave it"
        ):
            opened(root, **{f"clouds.{name}": value})


def test_folders_that_are_no_sun_rgbd_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"no training frames of SUN RGB-D in .*run VoteNet's sunrgbd_data\.py"):
        opened(tmp_path)
    root = write_sun_rgbd(tmp_path / "data")
    (root / "sunrgbd_pc_bbox_votes_50k_v2_train").mkdir()
    with pytest.raises(UserError, match="two folders of one split"):
        opened(root)


def test_prepare_checks_and_makes_what_training_finds(tmp_path, capsys):
    root = write_sun_rgbd(tmp_path / "data")
    FAULTS["missing file"](root)
    storage = tmp_path / "runs"
    sun_rgbd(root, storage=storage, check=True)
    said = capsys.readouterr().out
    assert "bed                    4 boxes" in said
    assert "scenes      train 2, val 2" in said
    assert "000003_bbox.npy: missing file" in said
    assert not storage.exists()
    sun_rgbd(root, storage=storage)
    (folder,) = (storage / "clouds").glob("*[0-9a-f]")
    assert opened(root)["train"].load.folder == folder


def test_a_check_ends_as_training_would(tmp_path):
    root, storage = write_sun_rgbd(tmp_path / "data"), tmp_path / "runs"
    for number in (3, 4, 5):
        boxes_file(root, "train", number).unlink()
    with pytest.raises(UserError, match=r"^3 of 5 items cannot be used, .*fix the data, or raise quarantine_limit$"):
        sun_rgbd(root, storage=storage, check=True)
    with pytest.raises(
        UserError, match=r"no labelled training scene in .*: no frame of the training folder can be used"
    ):
        sun_rgbd(root, quarantine_limit=0.6, storage=storage, check=True)
    assert not storage.exists()


def test_detection_learns_and_scores_turned_boxes_of_its_ten_classes(tmp_path):
    root = write_sun_rgbd(tmp_path / "data")
    changes = {"data__boxes": "sun_rgbd", "data__root": str(root), "data__clouds__chunk": 0.0}
    experiment = tiny_experiment("object_detection_3d", tmp_path, tmp_path / "runs", **changes)
    method = build_tiny("object_detection_3d", experiment)
    assert (method.proposing.classes, method.proposing.bins) == (10, 12)
    samples = method.sources(experiment)["train"]
    rows = samples.table.to_pylist()
    columns = samples.collate([*(samples.load(row, np.random.default_rng(0)) for row in rows), None])
    batch = method.Batch(**{name: torch.tensor(column) for name, column in columns.items()})
    losses = method(batch, 0)
    sum(losses.values()).backward()
    assert all(value > 0 for value in losses.values())
    assert all(value.grad is not None and value.grad.isfinite().all() for value in method.parameters())
    with torch.no_grad():
        found = method.eval().evaluate(batch)
    assert len(found.records) == 3
    assert any(record["boxes"][:, 6].any() for record in found.records)
    for record in found.records:  # the objects themselves are right answers
        record.update(boxes=record["objects"], scores=np.eye(10)[record["classes"]])
    assert method.summarise(found)["map_50"] == 1
    assert method.artifacts(found)["ap_50_by_class"] == {"bed": 1.0, "chair": 1.0}
