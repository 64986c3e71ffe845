"""An index from disk: its tables, splits, surfaces, reuse, and refusals."""

import json
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from ray.exceptions import ObjectLostError, OutOfMemoryError, RayError, RayTaskError, WorkerCrashedError

from jobs import prepare as job
from sem3d.datasets.scans.ensure_index import ensure_index
from sem3d.datasets.scans.index import PrepareConfig, load_index
from sem3d.datasets.scans.prepare import answers, prepare, scan
from sem3d.datasets.scans.prepare_scene import unprepared
from sem3d.datasets.scans.scene_tasks import made_by
from sem3d.datasets.scans.schema import FRAME_SCHEMA, PAIR_SCHEMA, SCENE_SCHEMA
from sem3d.datasets.scans.splits import room_of
from sem3d.datasets.scans.surface import SurfaceFusion, read_surface
from sem3d.errors import UserError
from sem3d.files import replaced_folder
from tests.datasets.scans.official_files import (
    DEPTH_SIZE,
    jpeg,
    wall_color,
    wall_frames,
    write_export,
    write_ply,
    write_sens_scene,
    write_seven_scenes,
)
from tests.jobs.outcome import outcome

ALL_FRAMES = PrepareConfig(stride=1)


def test_index_holds_frames_pairs_scenes_and_surface(tmp_path: Path):
    write_sens_scene(tmp_path / "data", "scene0000_00", wall_frames(10))
    index = prepare(tmp_path / "data", tmp_path / "index", ALL_FRAMES)
    assert (index.frames.schema, index.pairs.schema, index.scenes.schema) == (FRAME_SCHEMA, PAIR_SCHEMA, SCENE_SCHEMA)
    assert index.frames["split"].to_pylist() == ["train"] * 9 + ["val"]
    assert index.scenes.to_pylist()[0]["split"] == "train,val"
    pairs = {(row["anchor"], row["positive"]): row["overlap"] for row in index.pairs.to_pylist()}
    assert all(anchor < positive < 9 for anchor, positive in pairs)
    assert pairs[0, 1] > pairs[0, 8] > 0.3
    points, colors = read_surface(index.surface_path("scene0000_00"))
    np.testing.assert_allclose(points[:, 2], 2.0, atol=1e-5)
    assert len(points) == len(colors) > 500
    assert index.surface_path("elsewhere") is None


def test_a_stride_that_leaves_a_frame_a_scene_is_said_with_what_takes_more(tmp_path: Path):
    write_sens_scene(tmp_path / "data", "scene0000_00", wall_frames(10))
    said: list[str] = []
    prepare(tmp_path / "data", tmp_path / "few", PrepareConfig(), say=said.append)
    assert any(
        "at a stride of 25: --data.prepare.stride 1 (jobs.prepare --stride 1) takes all" in line for line in said
    )
    said.clear()
    prepare(tmp_path / "data", tmp_path / "index", ALL_FRAMES, say=said.append)
    assert not any("--data.prepare.stride" in line for line in said)


def test_second_scene_pairs_its_own_rows(tmp_path: Path):
    for scene in ("scene0000_00", "scene0001_00", "scene0002_00"):
        write_export(tmp_path / "data", scene, 3)
    index = prepare(tmp_path / "data", tmp_path / "index", PrepareConfig())
    scene_of = index.frames["scene"].to_pylist()
    assert index.pairs.num_rows == 9
    assert all(row["scene"] == scene_of[row["anchor"]] == scene_of[row["positive"]] for row in index.pairs.to_pylist())
    assert sorted(set(index.scenes["split"].to_pylist())) == ["train", "val"]
    assert prepare(tmp_path / "data", tmp_path / "near", PrepareConfig(pair_window=1)).pairs.num_rows == 6


def test_rescans_of_a_room_stay_in_one_split(tmp_path: Path):
    scenes = [f"scene{room:04d}_{scan:02d}" for room in range(3) for scan in range(2)]
    for scene in scenes:
        write_export(tmp_path / "data", scene, 1)
    index = prepare(tmp_path / "data", tmp_path / "index", PrepareConfig(val_fraction=0.34, seed=5))
    split_of = dict(zip(index.scenes["scene"].to_pylist(), index.scenes["split"].to_pylist(), strict=True))
    assert list(split_of.values()).count("val") == 2
    assert all(split_of[scene] == split_of[f"{room_of(scene)}_00"] for scene in scenes)


def test_rescans_and_sequences_of_a_room_stay_in_one_split_whatever_folders_are_above_them(tmp_path: Path):
    names = {f"part{room % 2}/scene{room:04d}_{scan:02d}" for room in range(4) for scan in range(2)}
    names |= {f"room{room}/seq-0{sequence}" for room in range(4) for sequence in range(3)}
    for number, name in enumerate(sorted(names)):
        write_seven_scenes(tmp_path / "data" / name, 1)
        (tmp_path / "data" / name / "frame-000000.color.jpg").write_bytes(jpeg(wall_color(number, DEPTH_SIZE)))
    for seed in range(3):
        records, _ = scan(tmp_path / "data", "seven_scenes", PrepareConfig(val_fraction=0.5, seed=seed))
        rooms = {(room_of(record.scene), record.split) for record in records}
        assert len(records) == len(names)
        assert len(rooms) == 8
        assert {split for _, split in rooms} == {"train", "val"}
    assert {room for room, _ in rooms} == {f"scene000{n}" for n in range(4)} | {f"room{n}" for n in range(4)}


def test_sequences_that_lie_in_the_root_are_one_room_cut_by_time(tmp_path: Path):
    for sequence in range(3):
        write_seven_scenes(tmp_path / f"seq-{sequence}", 4)
    records, _ = scan(tmp_path, "seven_scenes", PrepareConfig(val_fraction=0.25))
    assert [record.split for record in records] == ["train", "train", "train", "val"] * 3


def test_lists_have_a_name_a_line_name_scans_of_scannet_in_any_folder_and_say_what_is_not_there(tmp_path: Path):
    for name in ("part1/scene0000_00", "part1/scene0001_00", "living room", "attic"):
        write_seven_scenes(tmp_path / name, 1)
    (tmp_path / "train.txt").write_text("scene0000_00\nliving room\nscene0009_00\n")
    (tmp_path / "val.txt").write_text("part1-scene0001_00\n")
    records, report = scan(tmp_path, "seven_scenes", PrepareConfig())
    assert {record.scene: record.split for record in records} == {
        "living room": "train",
        "part1-scene0000_00": "train",
        "part1-scene0001_00": "val",
    }
    assert [(item.scene, item.reason) for item in report.items] == [
        ("attic", "scene in no split list: its name is attic")
    ]
    assert [(note.source, note.reason) for note in report.notes] == [
        ("list of train", "1 of its 3 names (scene0009_00) are no scene of these data")
    ]


@pytest.mark.parametrize(
    "error", [WorkerCrashedError(), OutOfMemoryError("node 1"), ObjectLostError("0" * 56, None, "")], ids=repr
)
def test_a_scene_whose_task_dies_is_in_quarantine_by_name(tmp_path: Path, error: RayError):
    write_seven_scenes(tmp_path / "room", 3)
    records, _ = scan(tmp_path, "seven_scenes", PrepareConfig())

    def dead(_):
        raise error

    scene = made_by(dead, "task", partial(unprepared, records))
    (item,) = scene.quarantined
    assert (item.source, item.scene, item.lost) == ("room/frame-000000.color.jpg", "room", 3)
    assert item.reason.startswith(f"its task died of memory, of a library or with its node ({type(error).__name__})")
    assert (scene.records, len(scene.points), len(scene.anchor)) == ([], 0, 0)
    told = RayTaskError("prepare_scene", "Traceback of pages", UserError("mend the table"))
    error = told.as_instanceof_cause()
    with pytest.raises(UserError, match=r"^mend the table$"):
        made_by(dead, "task", partial(unprepared, records))


def test_an_index_of_which_a_task_died_is_made_again(tmp_path: Path):
    write_seven_scenes(tmp_path / "data" / "room", 3)
    index = prepare(tmp_path / "data", tmp_path / "index", PrepareConfig())
    content = json.loads((index.folder / "index.json").read_text())
    (index.folder / "index.json").write_text(json.dumps(content | {"died": ["room"]}))
    assert not prepare(tmp_path / "data", tmp_path / "index", PrepareConfig()).reused
    assert prepare(tmp_path / "data", tmp_path / "index", PrepareConfig()).reused


def test_official_lists_decide_the_split_and_unlisted_scenes_are_named(tmp_path: Path):
    for scene in ("scene0000_00", "scene0001_00", "scene0002_00"):
        write_export(tmp_path / "data", scene, 2)
    lists = tmp_path / "lists"
    lists.mkdir()
    with pytest.raises(UserError, match="no lists of scenes"):
        prepare(tmp_path / "data", tmp_path / "index", PrepareConfig(splits=str(lists)))
    (lists / "scannetv2_train.txt").write_text("scene0000_00\n")
    (lists / "scannetv2_val.txt").write_text("scene0002_00\n")
    index = prepare(tmp_path / "data", tmp_path / "index", PrepareConfig(splits=str(lists)))
    assert [(row["scene"], row["split"]) for row in index.scenes.to_pylist()] == [
        ("scene0000_00", "train"),
        ("scene0002_00", "val"),
    ]
    assert index.content["quarantine"] == {"scene in no split list": 2}


def test_scene_mesh_is_the_surface_where_there_is_one(tmp_path: Path):
    path = write_sens_scene(tmp_path / "data", "scene0000_00", wall_frames(2))
    points = np.array([[0, 0, 2], [0.5, 0, 2], [0, 0.5, 2]], np.float32)
    colors = np.full((3, 3), 9, np.uint8)
    write_ply(path.with_name("scene0000_00_vh_clean_2.ply"), points, colors, np.array([[0, 1, 2]]), None)
    index = prepare(tmp_path / "data", tmp_path / "index", ALL_FRAMES)
    read_points, read_colors = read_surface(index.surface_path("scene0000_00"))
    np.testing.assert_array_equal(read_points, points)
    np.testing.assert_array_equal(read_colors, colors)


def test_unchanged_data_are_prepared_once_and_changed_data_again(tmp_path: Path):
    write_seven_scenes(tmp_path / "data", 4)
    first = ensure_index(tmp_path / "data", tmp_path / "runs", PrepareConfig())
    again = ensure_index(tmp_path / "data", tmp_path / "runs", PrepareConfig())
    assert (first.reused, again.reused) == (False, True)
    assert ensure_index(first.folder, tmp_path / "runs", PrepareConfig()).digest == first.digest
    other = ensure_index(tmp_path / "data", tmp_path / "runs", PrepareConfig(val_fraction=0.5))
    assert other.folder != first.folder
    assert other.digest != first.digest
    assert not prepare(tmp_path / "data", first.folder, PrepareConfig(), check=True).reused
    assert prepare(tmp_path / "data", first.folder, PrepareConfig()).reused
    (tmp_path / "data" / "frame-000003.pose.txt").unlink()
    changed = prepare(tmp_path / "data", first.folder, PrepareConfig())
    assert not changed.reused
    assert changed.frames.num_rows == 3


def test_digest_follows_content_and_not_the_place(tmp_path: Path):
    write_seven_scenes(tmp_path / "a" / "room", 3)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    digests = {prepare(tmp_path / side, tmp_path / f"index_{side}", PrepareConfig()).digest for side in "ab"}
    assert len(digests) == 1


def test_wrong_places_are_refused(tmp_path: Path):
    write_seven_scenes(tmp_path / "data", 2)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="no data folder"):
        prepare(tmp_path / "none", tmp_path / "index", PrepareConfig())
    with pytest.raises(UserError, match="inside the data"):
        prepare(tmp_path / "data", tmp_path / "data" / "index", PrepareConfig())
    with pytest.raises(UserError, match="is no index"):
        prepare(tmp_path / "data", tmp_path / "full", PrepareConfig())
    with pytest.raises(UserError, match="unknown layout 'scanet'"):
        prepare(tmp_path / "data", tmp_path / "index", PrepareConfig(layout="scanet"))
    with pytest.raises(UserError, match="is no index"):
        load_index(tmp_path / "full")
    assert (tmp_path / "full" / "thesis.txt").exists()


def test_damaged_or_foreign_index_is_refused(tmp_path: Path):
    write_seven_scenes(tmp_path / "data", 2)
    folder = prepare(tmp_path / "data", tmp_path / "index", PrepareConfig()).folder
    text = (folder / "index.json").read_text()
    (folder / "index.json").write_text(text.replace('"format": 2', '"format": 99'))
    with pytest.raises(UserError, match="format 99, not 2"):
        load_index(folder)
    (folder / "index.json").write_text(text.replace('"files"', '"unknown"'))
    shutil.copy(folder / "scenes.parquet", folder / "pairs.parquet")
    with pytest.raises(UserError, match="other columns"):
        load_index(folder)
    (folder / "pairs.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match="cannot read"):
        load_index(folder)
    shutil.rmtree(tmp_path / "data")
    with pytest.raises(UserError, match="no longer at"):
        load_index(folder)


def test_fusion_keeps_the_first_point_of_each_voxel():
    generator = np.random.default_rng(0)
    fusion = SurfaceFusion(0.1)
    expected: dict[tuple, tuple] = {}
    for _ in range(20):
        points = generator.uniform(-1, 1, (200, 3))
        colors = generator.integers(0, 256, (200, 3), dtype=np.uint8)
        fusion.add(fusion.thinned(points, colors))
        for point, color in zip(points, colors, strict=True):
            expected.setdefault(tuple(np.floor(point / 0.1).astype(int)), (point, color))
    points, colors = fusion.surface()
    assert len(points) == len(expected)
    for point, color in zip(points, colors, strict=True):
        first_point, first_color = expected[tuple(np.floor(point / np.float32(0.1)).astype(int))]
        np.testing.assert_allclose(point, first_point, atol=1e-6)
        np.testing.assert_array_equal(color, first_color)


def test_scenes_prepared_as_ray_tasks_give_the_same_index(tmp_path: Path, ray_cluster: None, monkeypatch):
    for scene in ("scene0000_00", "scene0001_00", "scene0002_00"):
        write_export(tmp_path / "data", scene, 3)
    by_ray = prepare(tmp_path / "data", tmp_path / "ray", PrepareConfig())
    with monkeypatch.context() as patch:
        patch.setattr("ray.is_initialized", lambda: False)
        alone = prepare(tmp_path / "data", tmp_path / "inline", PrepareConfig())
    assert by_ray.digest == alone.digest


def test_real_kitchen_is_prepared_whole(shared_data: Path, tmp_path: Path):
    kitchen = tmp_path / "kitchen"
    kitchen.mkdir()
    names = [f"frame-{number:06d}" for number in range(0, 120, 12)]
    for path in (shared_data / "rgbd_kitchen").iterdir():
        if path.name.split(".")[0] in names or path.name == "camera-intrinsics.txt":
            (kitchen / path.name).symlink_to(path)
    index = prepare(kitchen, tmp_path / "index", PrepareConfig())
    assert index.frames.num_rows == 10
    assert index.content["counts"]["quarantined"] == 0
    assert index.pairs.num_rows > 10


def test_job_prints_a_summary_and_turns_user_errors_into_code_2(tmp_path: Path, monkeypatch, capsys):
    write_seven_scenes(tmp_path / "data", 3)
    options = ["--out", tmp_path / "index", "--overlap.definition", "paper"]
    code, said, error = outcome(job.main, monkeypatch, capsys, "scans", tmp_path / "data", *options)
    assert code == 0, error
    assert "frames      3 (train 2, val 1)" in said
    assert load_index(tmp_path / "index").config["overlap"]["definition"] == "paper"
    command = [sys.executable, "-m", "jobs.prepare", "scans", str(tmp_path / "none")]
    bad = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3])
    assert (bad.returncode, bad.stderr.count("\n")) == (2, 1)
    assert bad.stderr.startswith("error: no data folder")


def test_index_put_there_meanwhile_by_another_process_stays(tmp_path: Path):
    write_seven_scenes(tmp_path / "data", 3)
    index = prepare(tmp_path / "data", tmp_path / "index", PrepareConfig())
    made = (index.folder / "index.json").stat().st_ino

    def publish_a_copy(inputs: str) -> int:
        with replaced_folder(index.folder, lambda: answers(index.folder, inputs, False)) as late:
            shutil.copytree(index.folder, late, dirs_exist_ok=True)
        return (index.folder / "index.json").stat().st_ino

    assert publish_a_copy(index.content["inputs"]) == made
    assert publish_a_copy("other inputs") != made
    with pytest.raises(OSError, match="disk full"), replaced_folder(index.folder, lambda: False):
        raise OSError("disk full")
    assert load_index(index.folder).digest == index.digest
    assert sorted(path.name for path in tmp_path.iterdir()) == [".locks", "data", "index"]


def test_poses_of_an_index_are_rigid(shared_data: Path, tmp_path: Path):
    clip = tmp_path / "clip"
    clip.mkdir()
    for path in (shared_data / "rgbd_kitchen").glob("frame-00000*"):
        (clip / path.name).symlink_to(path)
    (clip / "camera-intrinsics.txt").symlink_to(shared_data / "rgbd_kitchen" / "camera-intrinsics.txt")
    index = prepare(clip, tmp_path / "index", PrepareConfig())
    rotation = np.reshape(index.frames["world_from_camera"].to_pylist(), (-1, 4, 4))[:, :3, :3]
    np.testing.assert_allclose(rotation @ rotation.transpose(0, 2, 1), np.tile(np.eye(3), (2, 1, 1)), atol=1e-12)


def test_settings_without_meaning_are_refused():
    for wrong in ({"val_fraction": 1.0}, {"surface_voxel": 0.0}, {"stride": -1}, {"quarantine_limit": 2.0}):
        with pytest.raises(UserError, match=next(iter(wrong))):
            PrepareConfig(**wrong)
