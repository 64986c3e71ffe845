"""Labelled clouds: labels where their points are, by mesh or by votes of frames, and every fault by its name."""

import dataclasses
import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from sem3d.datasets.quarantine import QuarantineReport
from sem3d.datasets.scans.class_lists import SCANNET
from sem3d.datasets.scans.cloud_parts import chunks_of
from sem3d.datasets.scans.cloud_sources import meshes_alone, scans_of_index
from sem3d.datasets.scans.clouds import ensure_clouds, read_points
from sem3d.datasets.scans.index import PrepareConfig
from sem3d.datasets.scans.labelled_cloud import labelled_cloud
from sem3d.datasets.scans.labelled_scene import CloudConfig, LabelledScene
from sem3d.datasets.scans.prepare import prepare
from sem3d.datasets.scans.surface import write_surface
from sem3d.errors import UserError
from tests.datasets.scans.labelled_walls import (
    CHAIR,
    NO_FACES,
    TABLE,
    labels_file,
    mesh_file,
    wall_colors,
    wall_labels,
    wall_points,
    write_labels,
    write_walls,
)
from tests.datasets.scans.official_files import COLOR_SIZE, write_frames_25k, write_image, write_ply

SETTINGS, WHOLE = PrepareConfig(), CloudConfig()


def clouds_of(folder: Path, config: CloudConfig = WHOLE, limit: float = 0.5, said: list | None = None):
    """Clouds of the scans in ``folder / "data"``."""
    index = prepare(folder / "data", folder / "index", SETTINGS)
    source = scans_of_index(index)
    return ensure_clouds(source, folder / "runs", config, limit, (said if said is not None else []).append)


def points_of(clouds, row: int):
    part = clouds.parts.slice(row, 1).to_pylist()[0]
    return read_points(clouds.folder / part["file"], part["written"])


def test_points_have_the_colours_of_the_mesh_and_the_labels_of_its_copy(tmp_path):
    write_walls(tmp_path / "data")
    said: list[str] = []
    clouds = clouds_of(tmp_path, said=said)
    assert clouds.parts["split"].to_pylist() == ["train", "train", "val"]
    assert said[0].startswith("labelling points, 3 scenes of")
    assert clouds.described.endswith("; 3 of 3 scenes have usable labels")
    points, colors, labels = points_of(clouds, 0)
    np.testing.assert_array_equal(points, wall_points())
    np.testing.assert_array_equal(colors, wall_colors(points))
    np.testing.assert_array_equal(labels, SCANNET.numbers(wall_labels(points), "mesh"))
    assert set(labels.tolist()) == {0, CHAIR, TABLE}
    assert clouds.parts["labelled"].to_pylist()[0] == int((labels > 0).sum())


def test_clouds_are_made_once_and_anew_where_labels_have_changed(tmp_path):
    root, said = write_walls(tmp_path / "data"), []
    first = clouds_of(tmp_path)
    assert clouds_of(tmp_path, said=said).folder == first.folder
    assert not said
    content = json.loads((first.folder / "clouds.json").read_text())
    (first.folder / "clouds.json").write_text(json.dumps(content | {"died": ["scene0000_00"]}))
    assert clouds_of(tmp_path, said=said).folder == first.folder
    assert said.pop(0).startswith("labelling")
    said.clear()
    index = prepare(root, tmp_path / "index", SETTINGS)
    os.utime(labels_file(root, "scene0001_00"), (1, 1))
    assert ensure_clouds(scans_of_index(index), tmp_path / "runs", WHOLE, 0.5, said.append).folder != first.folder


def other_length(root: Path) -> None:
    write_labels(root, "scene0000_00", wall_points()[1:], wall_labels(wall_points()[1:]))


def other_place(root: Path) -> None:
    write_labels(root, "scene0000_00", wall_points() + np.float32(0.5), wall_labels(wall_points()))


def no_property(root: Path) -> None:
    write_labels(root, "scene0000_00", wall_points(), None)


def unknown_id(root: Path) -> None:
    write_labels(root, "scene0000_00", wall_points(), wall_labels(wall_points()) + 10)


def single_class(root: Path) -> None:
    write_labels(root, "scene0000_00", wall_points(), np.full(len(wall_points()), CHAIR))


def no_class(root: Path) -> None:
    write_labels(root, "scene0000_00", wall_points(), np.full(len(wall_points()), 38))


def cut_short(root: Path) -> None:
    path = labels_file(root, "scene0000_00")
    path.write_bytes(path.read_bytes()[:-100])


def broken_link(root: Path) -> None:
    path = labels_file(root, "scene0000_00")
    path.unlink()
    path.symlink_to("/nowhere/labels.ply")


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (other_length, "labels of another mesh"),
        (other_place, "labels of another mesh"),
        (no_property, "no vertex property 'label'"),
        (unknown_id, "label ids outside the table"),
        (single_class, "a single class"),
        (no_class, "without a label of the classes"),
        (cut_short, "truncated mesh"),
        (broken_link, "missing file"),
    ],
)
def test_labels_that_cannot_be_used_are_named_and_counted(tmp_path, spoil, kind):
    spoil(write_walls(tmp_path / "data"))
    clouds = clouds_of(tmp_path)
    assert clouds.described.endswith(f"; 2 of 3 scenes have usable labels, in quarantine: 1 {kind}")
    (item,) = QuarantineReport.read(clouds.folder / "quarantine.json").items
    assert (item.scene, item.reason.startswith(kind[:10])) == ("scene0000_00", True)
    assert clouds.parts["scene"].to_pylist() == ["scene0001_00", "scene0002_00"]


def test_too_many_unusable_labels_end_the_work_by_name(tmp_path):
    other_length(write_walls(tmp_path / "data"))
    with pytest.raises(
        UserError, match=r"1 of 3 items cannot be used.*labels of another mesh: 2399 of them, 2400 points"
    ):
        clouds_of(tmp_path, limit=0.2)


def test_scenes_without_labels_are_noted_and_without_any_refused(tmp_path):
    root = write_walls(tmp_path / "data")
    labels_file(root, "scene0000_00").unlink()
    clouds = clouds_of(tmp_path)
    assert clouds.described.endswith("; 2 of 3 scenes have usable labels")
    (note,) = QuarantineReport.read(clouds.folder / "quarantine.json").notes
    assert (note.scene, note.reason) == ("scene0000_00", "no labels: its scene is left out")
    with pytest.raises(UserError, match="no scene has a labelled mesh or labelled frames"):
        clouds_of(tmp_path, CloudConfig(labels="frames"))


def test_points_beyond_all_bounds_are_named(tmp_path):
    points = wall_points()
    points[:3] += 5000
    written = write_surface(tmp_path / "s.parquet", points, wall_colors(points))
    labels_file(tmp_path, "scene0000_00").parent.mkdir()
    write_labels(tmp_path, "scene0000_00", points, wall_labels(points))
    files = LabelledScene(
        scene="scene0000_00",
        named="scene0000_00",
        shares={"train": 1},
        labelled_mesh="scene0000_00/scene0000_00_vh_clean_2.labels.ply",
        surface=tmp_path / "s.parquet",
        written=written,
    )
    found = labelled_cloud(tmp_path, files, WHOLE)
    assert found.unusable is not None
    assert (
        found.unusable.reason == "points outside: 3 lie more than 1000 m from the origin: give them in metres, near it"
    )
    assert not found.parts


def test_frames_vote_for_points_and_damaged_ones_do_not(tmp_path):
    for number in range(2):
        folder = write_frames_25k(tmp_path / "data", f"scene{number:04d}_00", 4)
        for path in (folder / "label").iterdir():
            label = np.full(COLOR_SIZE, CHAIR, np.uint8)
            label[:, 81:] = TABLE
            label[:10] = 0
            write_image(path, label)
    write_image(folder / "label" / "000100.png", np.full(COLOR_SIZE, 77, np.uint8))
    (tmp_path / "data" / "train.txt").write_text("scene0000_00")
    (tmp_path / "data" / "val.txt").write_text("scene0001_00")
    clouds = clouds_of(tmp_path)
    assert clouds.described.endswith("2 of 2 scenes have usable labels, in quarantine: 1 label ids outside the table")
    for row in range(2):
        points, _, labels = points_of(clouds, row)
        top = points[:, 1] < -0.68
        assert set(labels[(points[:, 0] < -0.1) & ~top].tolist()) == {CHAIR}
        assert set(labels[(points[:, 0] > 0.3) & ~top].tolist()) == {TABLE}
        assert not labels[points[:, 1] < -0.75].any()


def test_a_scene_with_frames_of_both_splits_is_divided_by_space(tmp_path):
    root = write_walls(tmp_path / "data", train=1, held_out=0)
    for name in ("scannetv2_train.txt", "scannetv2_val.txt"):
        (root / name).unlink()
    clouds = clouds_of(tmp_path)
    assert clouds.parts["split"].to_pylist() == ["train", "val"]
    train, held_out = (points_of(clouds, row)[0] for row in range(2))
    assert train[:, 0].max() < held_out[:, 0].min()
    assert len(train) + len(held_out) == len(wall_points())
    assert len(held_out) == pytest.approx(len(wall_points()) / 2, rel=0.05)
    (note,) = QuarantineReport.read(clouds.folder / "quarantine.json").notes
    assert note.reason.startswith("divided by space: x below")


def meshes_of(folder: Path, **settings):
    """Clouds of a folder of meshes without frames."""
    source = meshes_alone(folder / "data", PrepareConfig(**settings))
    assert source is not None
    return ensure_clouds(source, folder / "runs", WHOLE, 0.5, [].append)


def without_frames(root: Path) -> Path:
    for scene in root.glob("scene*"):
        for name in ("color", "depth", "pose", "intrinsic"):
            shutil.rmtree(scene / name)
    return root


def test_meshes_need_no_frames(tmp_path):
    root = write_walls(tmp_path / "data")
    assert meshes_alone(root, SETTINGS) is None
    without_frames(root)
    clouds = meshes_of(tmp_path)
    assert clouds.described == "index: no frames, 3 scenes with a mesh; 3 of 3 scenes have usable labels"
    assert clouds.parts["split"].to_pylist() == ["train", "train", "val"]
    points, colors, labels = points_of(clouds, 0)
    np.testing.assert_array_equal(points, wall_points())
    np.testing.assert_array_equal(colors, wall_colors(points))
    np.testing.assert_array_equal(labels, SCANNET.numbers(wall_labels(points), "mesh"))
    assert meshes_alone(tmp_path / "runs", SETTINGS) is None
    (root / "scannetv2_val.txt").write_text("")
    clouds = meshes_of(tmp_path)
    (item,) = QuarantineReport.read(clouds.folder / "quarantine.json").items
    assert (item.scene, item.reason) == ("scene0002_00", "scene in no split list: its name is scene0002_00")


def test_copies_of_a_mesh_and_scenes_of_one_name_are_taken_once_and_said(tmp_path):
    root = without_frames(write_walls(tmp_path / "data", train=2, held_out=2))
    shutil.copytree(root / "scene0000_00", root / "scans" / "scene0000_00")
    points = wall_points() + np.float32(0.5)
    write_ply(mesh_file(root / "scans", "scene0000_00"), points, wall_colors(points), NO_FACES, None)
    write_labels(root / "scans", "scene0000_00", points, wall_labels(wall_points()))
    mesh_file(root, "scene0003_00").write_bytes(mesh_file(root, "scene0001_00").read_bytes())
    os.symlink("scene0000_00", root / "scene0009_00")
    (root / "scannetv2_val.txt").write_text("scene0002_00\nscene0003_00\nscene0777_00\n")
    clouds = meshes_of(tmp_path)
    assert dict(zip(clouds.parts["scene"].to_pylist(), clouds.parts["split"].to_pylist(), strict=True)) == {
        "scene0000_00": "train",
        "scene0001_00": "train",
        "scene0002_00": "val",
    }
    report = QuarantineReport.read(clouds.folder / "quarantine.json")
    assert [(item.scene, item.reason.partition(":")[0]) for item in report.items] == [
        ("scene0000_00", "another scan has this name")
    ]
    copied = "a copy of a mesh: it has the bytes of scene0001_00/scene0001_00_vh_clean_2.ply; taken once"
    assert {(note.scene, note.reason) for note in report.notes if "copy" in note.reason} == {("scene0003_00", copied)}
    said = [(note.source, note.reason) for note in report.notes if note.source.startswith("list")]
    assert said == [("list of val", "1 of its 3 names (scene0777_00) are no scene of these data")]
    assert sum(note.reason.startswith("another name of a folder") for note in report.notes) == 1


@pytest.mark.parametrize("copy", ["backup/scene0000_00", "another/scene0700_00"])
def test_of_copies_of_a_mesh_the_one_with_labels_that_a_list_names_is_taken(tmp_path, copy):
    root = without_frames(write_walls(tmp_path / "data"))
    folder = root / copy
    folder.mkdir(parents=True)
    shutil.copyfile(mesh_file(root, "scene0000_00"), folder / f"{folder.name}_vh_clean_2.ply")
    if folder.name != "scene0000_00":
        labels = mesh_file(root, "scene0000_00").with_name("scene0000_00_vh_clean_2.labels.ply")
        shutil.copyfile(labels, folder / f"{folder.name}_vh_clean_2.labels.ply")
    clouds = meshes_of(tmp_path)
    assert clouds.parts["scene"].to_pylist() == ["scene0000_00", "scene0001_00", "scene0002_00"]
    report = QuarantineReport.read(clouds.folder / "quarantine.json")
    assert (report.items, [note.source for note in report.notes]) == ([], [f"{copy}/{folder.name}_vh_clean_2.ply"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda points: points * 100, r"implausible mesh: its vertices lie far apart, 1\.0 in a cube of 0\.5 m"),
        (lambda points: points * 39.37, "implausible mesh: its vertices lie far apart"),
        (
            lambda points: points * 1000,
            r"points outside: \d+ lie more than 1000 m from the origin: give them in metres",
        ),
        (lambda points: points / 1000, r"implausible mesh: the whole scene lies within 0\.00295 m"),
    ],
)
def test_a_mesh_in_another_unit_than_metres_is_named(tmp_path, change, said):
    root = without_frames(write_walls(tmp_path / "data"))
    points = change(wall_points()).astype(np.float32)
    write_ply(mesh_file(root, "scene0000_00"), points, wall_colors(wall_points()), NO_FACES, None)
    write_labels(root, "scene0000_00", points, wall_labels(wall_points()))
    clouds = meshes_of(tmp_path)
    (item,) = QuarantineReport.read(clouds.folder / "quarantine.json").items
    assert re.match(said, item.reason)
    assert clouds.parts["scene"].to_pylist() == ["scene0001_00", "scene0002_00"]


def test_a_mesh_whose_colours_are_fractions_in_whole_numbers_is_named(tmp_path):
    root = write_walls(tmp_path / "data")
    points = wall_points()
    write_ply(mesh_file(root, "scene0000_00"), points, (wall_colors(points) > 90).astype(np.uint8), NO_FACES, None)
    index = prepare(root, tmp_path / "index", SETTINGS)
    without_frames(root)
    reports = [
        QuarantineReport.read(folder / "quarantine.json") for folder in (index.folder, meshes_of(tmp_path).folder)
    ]
    for report in reports:
        (item,) = report.items
        assert item.reason.startswith("implausible colours: none is above 1 of 255")


@pytest.mark.parametrize(
    ("up", "said"),
    [
        ([0, 1, 2], None),
        (
            [0, 2, 1],
            r"z is not up: its floor is 2\.[67] m along z and 0\.0 m along y; turn the scans so that z points up",
        ),
        ([2, 1, 0], r"z is not up: its floor is 3\.[56] m along z and 0\.0 m along x"),
        (None, "z is not up: its floor lies above the rest"),
    ],
)
def test_a_scene_whose_z_is_not_up_by_its_floor_is_noted(tmp_path, up, said):
    x, y = np.meshgrid(0.1 * np.arange(40), 0.1 * np.arange(30), indexing="ij")
    floor = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], 1)
    wall = np.stack([x.ravel(), np.zeros(x.size), 0.1 + 0.08 * y.ravel() * 10], 1)
    points = np.concatenate([floor, wall]).astype(np.float32)
    points = points[:, up] if up else points * np.float32([1, 1, -1])
    root = tmp_path / "scene0000_00"
    root.mkdir()
    write_ply(root / "m.ply", points, np.full((len(points), 3), 90, np.uint8), NO_FACES, np.repeat([2, 1], x.size))
    files = LabelledScene(scene="a", named="m.ply", shares={"train": 1}, labelled_mesh="m.ply", mesh="m.ply")
    found = labelled_cloud(root, files, WHOLE)
    assert found.unusable is None
    reasons = [note.reason for note in found.notes]
    assert re.match(said, reasons[0]) if said else not reasons


@pytest.mark.parametrize("scenes", [1, 3])
def test_meshes_without_lists_are_split_by_room_or_space(tmp_path, scenes):
    root = without_frames(write_walls(tmp_path / "data", train=scenes, held_out=0))
    for name in ("scannetv2_train.txt", "scannetv2_val.txt"):
        (root / name).unlink()
    parts = meshes_of(tmp_path, val_fraction=0.25).parts
    held_out = parts.filter(pc.equal(parts["split"], "val"))
    assert held_out.num_rows == 1
    assert parts.num_rows == max(2, scenes)
    if scenes == 1:
        assert held_out["points"].to_pylist() == [pytest.approx(0.25 * len(wall_points()), rel=0.05)]


def test_chunks_hold_every_point_once_and_lie_in_their_squares():
    points = np.random.default_rng(0).uniform(-3, 4, (500, 3)).astype(np.float32)
    mask = points[:, 2] > 0
    chunks = list(chunks_of(points, mask, 2.0))
    assert sorted(np.concatenate(chunks).tolist()) == np.flatnonzero(mask).tolist()
    assert len(chunks) == 16
    assert all((np.ptp(points[chunk, :2], axis=0) <= 2.0).all() for chunk in chunks)
    (whole,) = chunks_of(points, mask, 0.0)
    np.testing.assert_array_equal(whole, np.flatnonzero(mask))


def test_a_chunk_without_a_label_is_noted(tmp_path):
    root = write_walls(tmp_path / "data")
    points = wall_points()
    labels = np.where(points[:, 0] < -0.8, 0, wall_labels(points))
    write_labels(root, "scene0000_00", points, labels)
    clouds = clouds_of(tmp_path, CloudConfig(chunk=0.5))
    (note,) = QuarantineReport.read(clouds.folder / "quarantine.json").notes
    assert note.reason == "chunks without a label: 4 of 24"
    counts = dict(zip(*np.unique(clouds.parts["scene"].to_pylist(), return_counts=True), strict=True))
    assert counts == {"scene0000_00": 20, "scene0001_00": 24, "scene0002_00": 24}


@pytest.mark.parametrize("name", ["clouds.json", "parts.parquet"])
def test_a_damaged_folder_is_refused_by_name(tmp_path, name):
    write_walls(tmp_path / "data")
    path = clouds_of(tmp_path).folder / name
    path.write_bytes(path.read_bytes()[:-40] + b"\n" * 40)
    with pytest.raises(UserError, match=name):
        clouds_of(tmp_path)


def test_chunks_of_which_there_would_be_thousands_are_refused():
    with pytest.raises(UserError, match=r"data\.clouds\.chunk is 0\.01, it must be 0 or at least 0\.5"):
        dataclasses.replace(WHOLE, chunk=0.01)
