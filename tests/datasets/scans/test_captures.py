"""Captures as TUM RGB-D, nerfstudio, Replica and ARKitScenes have them: the same frames and pairs, whatever the layout."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sem3d.datasets.quarantine import Quarantined
from sem3d.datasets.scans.frames import read_color, read_depth, read_label
from sem3d.datasets.scans.index import PrepareConfig
from sem3d.datasets.scans.layouts import FrameRecord, detect_layout, load_layout
from sem3d.datasets.scans.prepare import prepare
from sem3d.datasets.scans.seven_scenes import SevenScenes
from sem3d.datasets.scans.trajectories import pose_of_axis, pose_of_quaternion
from sem3d.errors import UserError
from sem3d.training.ray.launch import train
from tests.datasets.scans.captures import copied, write_arkit, write_nerfstudio, write_replica, write_tum
from tests.datasets.scans.official_files import DEPTH_SIZE, write_image, write_seven_scenes
from tests.methods.tiny import tiny_experiment

WRITERS = {
    "tum_rgbd": write_tum,
    "nerfstudio": write_nerfstudio,
    "replica": write_replica,
    "arkit_scenes": write_arkit,
}
EVERY = pytest.mark.parametrize("layout", WRITERS)
TURNED = Rotation.from_rotvec([0.1, -0.4, 0.2]).as_matrix()


def written(tmp_path: Path, layout: str, count: int = 4) -> tuple[Path, list[FrameRecord]]:
    """Frames of a wall, as 7-Scenes has them and turned in the world, and the same in another layout."""
    write_seven_scenes(tmp_path / "seven" / "room", count)
    records = []
    for record in SevenScenes().scan(tmp_path / "seven", 1):
        assert isinstance(record, FrameRecord)
        turned = np.eye(4)
        turned[:3, :3] = TURNED
        records.append(replace(record, world_from_camera=turned @ record.world_from_camera))
    WRITERS[layout](tmp_path / "seven", records, tmp_path / layout / "room")
    return tmp_path / layout, records


def frames_and_faults(root: Path, layout: str, stride: int = 1) -> tuple[list[FrameRecord], list[str]]:
    items = list(load_layout(layout).scan(root, stride))
    frames = [item for item in items if isinstance(item, FrameRecord)]
    return frames, [item.reason for item in items if isinstance(item, Quarantined)]


@EVERY
def test_a_capture_is_known_and_says_what_the_frames_were(tmp_path: Path, layout: str):
    root, records = written(tmp_path, layout)
    assert detect_layout(root) == detect_layout(root / "room" if layout != "replica" else root) == layout
    found, faults = frames_and_faults(root, layout)
    assert not faults
    assert len(found) == len(records)
    assert {record.scene for record in found} == {"room"}
    for ours, theirs in zip(found, records, strict=True):
        np.testing.assert_allclose(ours.world_from_camera, theirs.world_from_camera, atol=1e-12)
        np.testing.assert_allclose(ours.intrinsics_color, theirs.intrinsics_color)
        np.testing.assert_allclose(ours.intrinsics_depth, theirs.intrinsics_depth)
        depths = [read_depth(where, record.row()) for where, record in ((root, ours), (tmp_path / "seven", theirs))]
        np.testing.assert_allclose(depths[0], depths[1], rtol=1e-6)
        colors = [read_color(where, record.row()) for where, record in ((root, ours), (tmp_path / "seven", theirs))]
        np.testing.assert_array_equal(colors[0], colors[1])


@EVERY
def test_frames_are_thinned_in_the_layouts_own_numbers(tmp_path: Path, layout: str):
    root, _ = written(tmp_path, layout, 5)
    apart = 200 if layout == "arkit_scenes" else 2
    assert len(frames_and_faults(root, layout, apart)[0]) == 3


@EVERY
def test_a_frame_without_its_depth_is_named_and_the_rest_goes_on(tmp_path: Path, layout: str):
    root, _ = written(tmp_path, layout)
    found, _ = frames_and_faults(root, layout)
    (root / found[1].depth).unlink()
    left, faults = frames_and_faults(root, layout)
    assert [record.frame for record in left] == [found[place].frame for place in (0, 2, 3)]
    assert len(faults) == 1
    assert "missing file" in faults[0]


@EVERY
def test_labels_of_frames_are_found(tmp_path: Path, layout: str):
    root, _ = written(tmp_path, layout)
    found, _ = frames_and_faults(root, layout)
    stem = Path(found[2].color).stem
    places = {"replica": "results/label000002.png", "seven_scenes": "frame-000002.label.png"}
    write_image(root / "room" / places.get(layout, f"label/{stem}.png"), np.full(DEPTH_SIZE, 5, np.uint8))
    labelled = [record for record in frames_and_faults(root, layout)[0] if record.label]
    assert [record.frame for record in labelled] == [found[2].frame]
    assert (read_label(root, labelled[0].row()) == 5).all()


def test_frames_of_seven_scenes_may_have_labels(tmp_path: Path):
    write_seven_scenes(tmp_path, 3)
    write_image(tmp_path / "frame-000001.label.png", np.full(DEPTH_SIZE, 5, np.uint8))
    assert [record.label for record in SevenScenes().scan(tmp_path, 1)] == ["", "frame-000001.label.png", ""]


def test_images_and_poses_are_joined_by_time_and_those_far_apart_are_named(tmp_path: Path):
    root, records = written(tmp_path, "tum_rgbd")
    folder = root / "room"
    poses = (folder / "groundtruth.txt").read_text().splitlines()
    (folder / "groundtruth.txt").write_text("\n".join([poses[0], *poses[:0:-1]][:-1]) + "\n")
    depth = (folder / "depth.txt").read_text().splitlines()
    (folder / "depth.txt").write_text("\n".join(depth[:-1]) + "\n")
    found, faults = frames_and_faults(root, "tum_rgbd")
    assert [record.frame for record in found] == [1, 2]
    np.testing.assert_allclose(found[0].world_from_camera, records[1].world_from_camera, atol=1e-12)
    assert faults == ["no pose within 0.02 s of its time", "no depth image within 0.02 s of its time"]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("rgb.txt", "1.0 a.png\nyesterday b.png\n", "unreadable time: could not convert string to float: 'yesterday'"),
        ("depth.txt", "1.0\n", "unreadable line 1: 1 words, not 2"),
        ("groundtruth.txt", "# t\n1 2 3\n", "unreadable line 2: 3 words, not 8"),
        ("camera-intrinsics.txt", "525 0 320\n", "unreadable matrix: 3 numbers, not 3x3"),
    ],
)
def test_lists_of_tum_that_are_none_are_named(tmp_path: Path, name: str, content: str, reason: str):
    root, _ = written(tmp_path, "tum_rgbd")
    (root / "room" / name).write_text(content)
    assert frames_and_faults(root, "tum_rgbd") == ([], [reason])


def test_a_sequence_of_the_benchmark_has_its_camera_and_any_other_needs_a_file(tmp_path: Path):
    root, _ = written(tmp_path, "tum_rgbd")
    (root / "room/camera-intrinsics.txt").unlink()
    assert frames_and_faults(root, "tum_rgbd")[1] == ["missing file: fx 0 cx / 0 fy cy / 0 0 1 of the colour images"]
    (root / "room").rename(root / "rgbd_dataset_freiburg2_desk")
    _, faults = frames_and_faults(root, "tum_rgbd")
    assert set(faults) == {"bad intrinsics: known for (480, 640), not for (60, 80): give camera-intrinsics.txt"}


def changed(root: Path, **changes: object) -> None:
    """Changes what transforms.json says of all frames; None takes a key away."""
    path = root / "room" / "transforms.json"
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def test_positions_of_nerfstudio_are_metres_again(tmp_path: Path):
    root, records = written(tmp_path, "nerfstudio")
    write_nerfstudio(tmp_path / "seven", records, root / "scaled", 0.25)
    found = [record for record in frames_and_faults(root, "nerfstudio")[0] if record.scene == "scaled"]
    np.testing.assert_allclose(found[3].world_from_camera, records[3].world_from_camera, atol=1e-12)


def test_intrinsics_of_nerfstudio_come_by_angle_or_of_another_size_or_by_frame(tmp_path: Path):
    root, records = written(tmp_path, "nerfstudio")
    height, width = DEPTH_SIZE
    camera = records[0].intrinsics_color
    double = {"w": 2 * width, "h": 2 * height, "fl_x": 2 * camera[0, 0], "fl_y": 2 * camera[1, 1]}
    changed(root, **double, cx=2 * (camera[0, 2] + 0.5), cy=2 * (camera[1, 2] + 0.5))
    np.testing.assert_allclose(frames_and_faults(root, "nerfstudio")[0][0].intrinsics_color, camera)
    angle = 2 * np.arctan(width / 2 / 72.0)
    changed(root, w=None, h=None, fl_x=None, fl_y=None, cx=None, cy=None, camera_angle_x=angle)
    ((fx, _, cx), (_, fy, cy), _) = frames_and_faults(root, "nerfstudio")[0][0].intrinsics_color
    np.testing.assert_allclose([fx, fy, cx, cy], [72, 72, width / 2 - 0.5, height / 2 - 0.5])
    frames = json.loads((root / "room/transforms.json").read_text())["frames"]
    next(frame for frame in frames if "00002" in frame["file_path"])["fl_x"] = 80.0
    changed(root, frames=frames)
    assert [record.intrinsics_color[0, 0] for record in frames_and_faults(root, "nerfstudio")[0]] == pytest.approx(
        [72, 72, 80, 72]
    )


def test_lists_of_nerfstudio_are_the_splits(tmp_path: Path):
    root, _ = written(tmp_path, "nerfstudio")
    names = [f"images/frame_{number:05d}.jpg" for number in range(4)]
    changed(root, train_filenames=names[:2], val_filenames=[names[2]], test_filenames=[names[3]])
    assert [record.split for record in frames_and_faults(root, "nerfstudio")[0]] == ["train", "train", "val", "val"]
    changed(root, test_filenames=names[:1])
    assert frames_and_faults(root, "nerfstudio")[1] == [
        f"{names[0]} is listed for training and held out: take it out of one list"
    ]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"frames": 3}, "no file of nerfstudio: it has no list frames, each with a file_path"),
        ({"camera_model": "OPENCV_FISHEYE"}, "camera_model OPENCV_FISHEYE is no pinhole: undistort the images first"),
        ({"fl_x": None}, "camera_angle_x is absent"),
        ({"fl_x": "many"}, "fl_x is no finite number"),
        ({"applied_scale": 0}, "applied_scale is 0: it must be above zero"),
        ({"depth_unit_scale_factor": -1}, "depth_unit_scale_factor is -1: it must be above zero"),
        ({"w": 60, "h": 80}, "bad intrinsics: w and h are 60x80, the image is 80x60"),
    ],
)
def test_what_nerfstudio_cannot_mean_is_named(tmp_path: Path, changes: dict, reason: str):
    root, _ = written(tmp_path, "nerfstudio", 2)
    changed(root, **changes)
    found, faults = frames_and_faults(root, "nerfstudio")
    assert (found, set(faults)) == ([], {reason})


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        (
            "depth_file_path",
            None,
            "no depth_file_path: frames are learnt from with depth (ns-process-data --use-depth)",
        ),
        ("file_path", "../../../etc/passwd0", "path escapes the data root"),
        ("depth_file_path", "/etc/passwd", "path escapes the data root"),
        ("transform_matrix", [[1, 2], [3]], "unreadable transform_matrix"),
        ("transform_matrix", [1, 2], "unreadable transform_matrix: (2,), not 4x4"),
    ],
)
def test_a_frame_of_nerfstudio_that_is_none_is_named(tmp_path: Path, key: str, value: object, reason: str):
    root, _ = written(tmp_path, "nerfstudio", 2)
    frames = json.loads((root / "room/transforms.json").read_text())["frames"]
    frames[0][key] = value
    changed(root, frames=frames)
    found, faults = frames_and_faults(root, "nerfstudio")
    assert len(found) == len(faults) == 1
    assert faults[0].startswith(reason)


def test_lens_distortion_is_noted(tmp_path: Path):
    root, _ = written(tmp_path, "nerfstudio", 2)
    changed(root, k1=0.05, k2=-0.12)
    assert {record.note for record in frames_and_faults(root, "nerfstudio")[0]} == {
        "lens distortion of 0.12 is not undone"
    }


def test_what_replica_cannot_mean_is_named(tmp_path: Path):
    root, _ = written(tmp_path, "replica")
    poses = (root / "room/traj.txt").read_text().splitlines()
    (root / "room/traj.txt").write_text("\n".join(poses[:3]))
    found, faults = frames_and_faults(root, "replica")
    assert (len(found), faults) == (3, ["no pose: traj.txt has 3 lines"])
    (root / "cam_params.json").write_text('{"camera": {"w": 80, "h": 60, "fx": 72}}')
    assert frames_and_faults(root, "replica")[1] == ["fy is absent"]
    (root / "cam_params.json").unlink()
    assert frames_and_faults(root, "replica")[1] == ["missing file"]


def test_folders_of_arkit_scenes_are_the_splits_and_what_is_missing_is_named(tmp_path: Path):
    root, _ = written(tmp_path, "arkit_scenes")
    (root / "Validation").mkdir()
    (root / "room").rename(root / "Validation" / "room")
    cameras = sorted((root / "Validation/room/lowres_wide_intrinsics").iterdir())
    cameras[1].unlink()
    cameras[2].write_text("640 480 500 500 320 240")
    found, faults = frames_and_faults(root, "arkit_scenes")
    assert [record.split for record in found] == ["val", "val"]
    assert faults[0].startswith("missing file: none of time 13050311")
    assert faults[1] == "no camera of 80x60: one line w h fx fy cx cy"


def test_rotations_equal_those_of_scipy():
    rng = np.random.default_rng(0)
    for turned in [*rng.normal(size=(20, 3)), np.zeros(3), np.array([1e-9, 0, 0]), np.array([0, np.pi, 0])]:
        rotation = Rotation.from_rotvec(turned)
        np.testing.assert_allclose(pose_of_axis(np.ones(3), turned)[:3, :3], rotation.as_matrix(), atol=1e-12)
        quaternion = rotation.as_quat() * 1.7
        np.testing.assert_allclose(pose_of_quaternion(np.ones(3), quaternion)[:3, :3], rotation.as_matrix(), atol=1e-12)
    assert np.isnan(pose_of_quaternion(np.ones(3), np.zeros(4))[:3, :3]).all()
    for far in (np.inf, np.nan, 1e308):
        assert np.isnan(pose_of_axis(np.ones(3), np.full(3, far))[:3, :3]).all()
        assert np.isnan(pose_of_quaternion(np.ones(3), np.array([far, 0, 0, far]))[:3, :3]).all()


@pytest.mark.parametrize("layout", ["tum_rgbd", "nerfstudio"])
def test_the_real_kitchen_in_another_layout_has_the_same_pairs(tmp_path: Path, layout: str, shared_data: Path):
    records = [
        record for record in SevenScenes().scan(shared_data / "rgbd_kitchen", 8) if isinstance(record, FrameRecord)
    ]
    WRITERS[layout](shared_data / "rgbd_kitchen", records, tmp_path / layout / "rgbd_kitchen")
    pairs = []
    for root, stride in ((shared_data / "rgbd_kitchen", 8), (tmp_path / layout, 1)):
        index = prepare(root, tmp_path / f"index{stride}", PrepareConfig(stride=stride))
        pairs.append(index.pairs.to_pylist())
    assert len(pairs[0]) > 10
    assert [(one["anchor"], one["positive"]) for one in pairs[0]] == [
        (one["anchor"], one["positive"]) for one in pairs[1]
    ]
    np.testing.assert_allclose(*([one["overlap"] for one in some] for some in pairs), atol=2e-3)


@pytest.mark.slow
@pytest.mark.usefixtures("ray_cluster")
@pytest.mark.parametrize("layout", ["tum_rgbd", "nerfstudio"])
def test_a_capture_in_another_layout_is_learnt_from_as_the_original(tmp_path: Path, layout: str):
    write_seven_scenes(tmp_path / "seven" / "room", 6)
    records = [record for record in SevenScenes().scan(tmp_path / "seven", 1) if isinstance(record, FrameRecord)]
    WRITERS[layout](tmp_path / "seven", records, tmp_path / layout / "room")
    lines: dict[str, list[str]] = {}
    for root in ("seven", layout):
        experiment = tiny_experiment(
            "pri3d",
            tmp_path / root,
            tmp_path / f"runs-{root}",
            schedule__steps=2,
            data__prepare__stride=1,
            run__workers=0,
        )
        train("pri3d", experiment, say=lines.setdefault(root, []).append)
    losses = {root: [line.split()[3] for line in said if line.startswith("step ")] for root, said in lines.items()}
    assert len(losses["seven"]) == 2
    np.testing.assert_allclose(*(np.array(of_root, float) for of_root in losses.values()), rtol=1e-3)


def test_the_layout_of_the_documentation_prepares_a_folder_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    text = (Path(__file__).parents[3] / "jobs" / "data.md").read_text()
    code = text.partition("```python\n# my_layout.py")[2].partition("```")[0]
    (tmp_path / "my_layout.py").write_text("#" + code)
    monkeypatch.syspath_prepend(tmp_path)
    write_seven_scenes(tmp_path / "seven" / "room", 4)
    records = [record for record in SevenScenes().scan(tmp_path / "seven", 1) if isinstance(record, FrameRecord)]
    copied(tmp_path / "seven", records, tmp_path / "own" / "room", ("{number:06d}{ending}", "{number:06d}.png"))
    np.savetxt(tmp_path / "own/room/poses.txt", [record.world_from_camera.ravel() for record in records])
    config = PrepareConfig(stride=1, layout="my_layout:Numbered")
    own = prepare(tmp_path / "own", tmp_path / "index", config)
    theirs = prepare(tmp_path / "seven", tmp_path / "seven_index", PrepareConfig(stride=1))
    assert own.pairs.num_rows > 0
    assert own.pairs.equals(theirs.pairs)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("no_such_layout", "unknown layout 'no_such_layout': there are seven_scenes, .* and your own as module:Class"),
        ("no_such_module:Class", "no layout no_such_module:Class: No module named 'no_such_module'; is its folder in"),
        ("pathlib:Nothing", "no layout pathlib:Nothing: module 'pathlib' has no attribute 'Nothing'"),
        ("collections:Counter", "collections:Counter is no layout: it needs looked_for, stride, detect and scan"),
    ],
)
def test_a_layout_that_is_none_is_named(name: str, reason: str):
    with pytest.raises(UserError, match=reason):
        load_layout(name)


def test_a_name_that_no_file_can_have_is_named(tmp_path: Path):
    root, _ = written(tmp_path, "tum_rgbd", 2)
    lines = (root / "room/rgb.txt").read_text().splitlines()
    (root / "room/rgb.txt").write_text("\n".join([*lines[:-1], f"{lines[-1].split()[0]} rgb/{'x' * 300}.png"]))
    found, faults = frames_and_faults(root, "tum_rgbd")
    assert len(found) == 1
    assert faults[0].startswith("undecodable image: [Errno 36] File name too long")
