"""Rooms of S3DIS: points and classes as they are on disk, splits by area or list, and each kind of bad input by its name."""

import codecs
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from jobs.prepare_clouds import s3dis
from sem3d.config import override
from sem3d.datasets.quarantine import QuarantineReport
from sem3d.datasets.scans.class_lists import S3DIS_NAMES
from sem3d.datasets.scans.clouds import read_points
from sem3d.datasets.scans.labelled_scene import CloudConfig
from sem3d.datasets.scans.s3dis import MOST_UNREADABLE, read_lines, read_room, without_bad_lines
from sem3d.datasets.scene_boxes import SceneBoxes, box_samples
from sem3d.datasets.scene_clouds import SceneClouds, cloud_samples
from sem3d.errors import BadSample, UserError
from tests.datasets.scans.s3dis_rooms import OBJECTS, POINTS, object_file, object_rows, text_of, write_s3dis

CHAIR, CLUTTER = S3DIS_NAMES.index("chair"), S3DIS_NAMES.index("clutter")
ROOM = "Area_1/office_1"


def opened(root: Path, **changes):
    base = SceneClouds(root=str(root), classes="s3dis", voxel_size=0.1)
    return cloud_samples(override(base, changes), str(root.parent / "runs"))


def test_points_have_the_colours_and_classes_of_their_objects(tmp_path):
    root = write_s3dis(tmp_path / "data")
    samples = opened(root)
    assert samples["train"].table["scene"].to_pylist() == ["Area_1-office_1", "Area_2-hall_1"]
    assert samples["val"].table["scene"].to_pylist() == ["Area_5-office_1"]
    assert samples["train"].described == "S3DIS: 3 rooms; 3 of 3 scenes have usable labels"
    row = samples["train"].table.slice(0, 1).to_pylist()[0]
    points, colors, labels = read_points(samples["train"].load.folder / row["file"], row["written"])
    expected = np.concatenate([object_rows(OBJECTS.index(name)) for name in sorted(OBJECTS)])
    np.testing.assert_allclose(points, expected[:, :3], atol=1e-6)
    np.testing.assert_array_equal(colors, expected[:, 3:])
    names = [name.rpartition("_")[0] for name in sorted(OBJECTS)]
    known = [S3DIS_NAMES.index("clutter" if name == "stairs" else name) for name in names]
    np.testing.assert_array_equal(labels, np.repeat(known, POINTS))
    assert labels.max() == CLUTTER == 13
    assert len(samples["val"].load(samples["val"].table.to_pylist()[0], np.random.default_rng(0))["point_label"]) == 240


def test_lists_of_rooms_decide_instead_of_areas(tmp_path):
    root = write_s3dis(tmp_path / "data")
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "train.txt").write_text("Area_5-office_1\n")
    (tmp_path / "lists" / "val.txt").write_text("Area_2-hall_1\n")
    samples = opened(root, **{"prepare.splits": str(tmp_path / "lists")})
    assert samples["train"].table["scene"].to_pylist() == ["Area_5-office_1"]
    assert samples["val"].table["scene"].to_pylist() == ["Area_2-hall_1"]
    (item,) = QuarantineReport.read(samples["train"].left_out).items
    assert (item.scene, item.reason) == (
        "Area_1-office_1", "scene in no split list: its name is Area_1-office_1"
    )  # fmt: skip


BAD_LINES = {
    "the release's own": b"22.350 6.692 3.048 185\x10187 182\n",
    "a NUL": b"22.350 6.692 3.048 185\x00187 182\n",
    "cut short": b"22.350 6.692 3.048 185 187\n",
    "too long": b"22.350 6.692 3.048 185 187 182 9\n",
    "no number": b"22.350 6.692 3.048 red 187 182\n",
    "an underscore": b"22.350 6_0.692 3.048 185 187 182\n",
    "no place": b"nan 6.692 3.048 185 187 182\n",
    "beyond all places": b"1e300 6.692 3.048 185 187 182\n",
    "no colour": b"22.350 6.692 3.048 185 256 182\n",
    "a negative colour": b"22.350 6.692 3.048 185 187 -1\n",
    "no ASCII": "22.350 6.692 3.048 185 187 １\n".encode(),
}


@pytest.mark.parametrize("kind", BAD_LINES)
def test_a_line_that_is_no_point_is_left_out_and_named_by_its_number(tmp_path, kind):
    root = write_s3dis(tmp_path / "data")
    path = object_file(root, ROOM, "chair_1")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:7], BAD_LINES[kind], *lines[7:]]))
    room = read_room(root, f"{ROOM}/Annotations", "office")
    assert len(room.points) == len(OBJECTS) * POINTS
    (note,) = room.notes
    assert note.source == f"{ROOM}/Annotations/chair_1.txt"
    assert note.reason.startswith("lines left out: 1 are no points; line 8 is '")
    assert note.reason.isprintable()


FORMS = {
    "LF": str.encode,
    "CRLF": lambda text: text.replace("\n", "\r\n").encode(),
    "CR": lambda text: text.replace("\n", "\r").encode(),
    "CRLF in places": lambda text: text.replace("\n", "\r\n", 3).encode(),
    "a byte-order mark": lambda text: codecs.BOM_UTF8 + text.encode(),
    "UTF-16": lambda text: text.encode("utf-16"),
    "two spaces": lambda text: text.replace(" ", "  ", 5).encode(),
    "no end": lambda text: text.rstrip("\n").encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_text_of_each_system_gives_the_same_points_with_lines_that_are_none_or_without(tmp_path, form):
    path = tmp_path / "chair_1.txt"
    lines = text_of(object_rows(0)).splitlines(keepends=True)
    path.write_bytes(FORMS[form]("".join(lines)))
    rows, bad = read_lines(path)
    np.testing.assert_array_equal(rows, object_rows(0))
    assert bad == {}
    path.write_bytes(FORMS[form]("".join([*lines[:7], "1 2 3\n", "\n", *lines[7:], "4 5 6\n"])))
    rows, bad = read_lines(path)
    np.testing.assert_array_equal(rows, object_rows(0))
    assert bad == {8: "1 2 3", 43: "4 5 6"}


def test_texts_without_a_point_have_none_and_a_text_of_none_is_not_read_to_its_end(tmp_path):
    path = tmp_path / "chair_1.txt"
    for empty, lines in ((b"", 0), (b"\n \n", 0), (b"1 2 3\n", 1), (codecs.BOM_UTF8, 0)):
        path.write_bytes(empty)
        rows, bad = read_lines(path)
        assert rows.shape == (0, 6)
        assert len(bad) == lines
    bad, _ = without_bad_lines(b"1 2 3\n" * 1000)
    assert len(bad) == MOST_UNREADABLE + 1


def test_a_room_of_many_bad_lines_is_refused_and_the_others_are_used(tmp_path):
    root = write_s3dis(tmp_path / "data")
    with object_file(root, ROOM, "floor_1").open("a") as file:
        file.write("1 2 3\n" * 11)
    samples = opened(root)
    assert samples["train"].table["scene"].to_pylist() == ["Area_2-hall_1"]
    (item,) = QuarantineReport.read(samples["train"].left_out).items
    assert item.scene == "Area_1-office_1"
    assert item.source == f"{ROOM}/Annotations/floor_1.txt"
    assert item.reason == "lines that are no points: more than 10 in this room; line 41 is '1 2 3'"
    assert "in quarantine: 1 lines that are no points" in samples["train"].described


def test_files_that_are_no_objects_and_objects_without_points_are_named(tmp_path):
    root = write_s3dis(tmp_path / "data")
    object_file(root, ROOM, "chair_2").write_text("")
    object_file(root, ROOM, "notes").write_text("who knows\n")
    room = read_room(root, f"{ROOM}/Annotations", "office")
    assert len(room.points) == 5 * POINTS
    assert [(Path(note.source).name, note.reason) for note in room.notes] == [
        ("chair_2.txt", "without points: its object is left out"),
        ("notes.txt", "no object: its name is not <class>_<number>.txt; it is left out"),
    ]
    for path in (root / ROOM / "Annotations").glob("*.txt"):
        path.unlink()
    with pytest.raises(BadSample, match=f"{ROOM}/Annotations: no points: none of its files"):
        read_room(root, f"{ROOM}/Annotations", "office")


def test_folders_that_are_no_s3dis_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"no rooms of S3DIS in .*name the folder that holds Area_1"):
        opened(tmp_path)
    root = write_s3dis(tmp_path / "data")
    scans = SceneClouds(root=str(root))
    with pytest.raises(UserError, match=r"holds rooms of S3DIS, no scans: .*--data\.classes s3dis"):
        cloud_samples(scans, str(tmp_path / "runs"))
    with pytest.raises(UserError, match="holds rooms of S3DIS, no scans"):
        box_samples(SceneBoxes(root=str(root)), str(tmp_path / "runs"))
    only = write_s3dis(tmp_path / "only", ("Area_1/office_1",)) / "Area_1"
    with pytest.raises(UserError, match="no rooms of S3DIS"):
        opened(only)


def test_clouds_are_made_anew_where_an_object_has_changed(tmp_path):
    root = write_s3dis(tmp_path / "data")
    first = opened(root)["train"]
    assert opened(root)["train"].load.folder == first.load.folder
    object_file(root, ROOM, "chair_1").write_text(text_of(object_rows(7)[:5]))
    assert opened(root)["train"].load.folder != first.load.folder
    assert opened(root)["train"].digest != first.digest


def test_prepare_checks_and_makes_what_training_finds(tmp_path, capsys):
    root = write_s3dis(tmp_path / "data")
    path = object_file(root, ROOM, "chair_1")
    path.write_bytes(path.read_bytes() + BAD_LINES["the release's own"])
    storage = tmp_path / "runs"
    s3dis(root, storage=storage, check=True)
    said = capsys.readouterr().out
    assert "reading 3 scenes of" in said
    assert "chair                240 points" in said
    assert "scenes      train 2, val 1" in said
    assert "chair_1.txt: lines left out: 1 are no points; line 41 is" in said
    assert not storage.exists()
    s3dis(root, storage=storage)
    said = capsys.readouterr().out
    assert "scenes      train 2, val 1" in said
    (folder,) = (storage / "clouds").glob("*[0-9a-f]")
    assert json.loads((folder / "clouds.json").read_text())["usable"] == 3
    assert opened(root)["train"].load.folder == folder


WRONG_ROOMS = {
    "implausible colours: none is above 1 of 255": [1, 1, 1] + [1 / 255] * 3,
    "implausible room: its points lie far apart": [100, 100, 100, 1, 1, 1],
    "implausible room: the whole scene lies within": [1e-3, 1e-3, 1e-3, 1, 1, 1],
}


@pytest.mark.parametrize("fault", WRONG_ROOMS)
def test_a_room_of_other_colours_or_units_is_named(tmp_path, fault):
    root = write_s3dis(tmp_path / "data")
    for number, name in enumerate(OBJECTS):
        object_file(root, ROOM, name).write_text(text_of(object_rows(number) * WRONG_ROOMS[fault]))
    samples = opened(root)["train"]
    assert samples.table["scene"].to_pylist() == ["Area_2-hall_1"]
    (item,) = QuarantineReport.read(samples.left_out).items
    assert (item.scene, item.source) == ("Area_1-office_1", f"{ROOM}/Annotations")
    assert item.reason.startswith(fault)


def test_a_room_without_annotations_is_named(tmp_path):
    root = write_s3dis(tmp_path / "data")
    before = opened(root)["train"]
    (root / "Area_3" / "office_9").mkdir(parents=True)
    samples = opened(root)["train"]
    assert samples.table.num_rows == 2
    (item,) = QuarantineReport.read(samples.left_out).items
    assert (item.source, item.scene, item.reason) == (
        "Area_3/office_9", "Area_3-office_9", "no Annotations: unpack the room again"
    )  # fmt: skip
    assert samples.digest == before.digest


def test_a_room_that_stands_twice_is_taken_once(tmp_path):
    root = write_s3dis(tmp_path / "data")
    shutil.copytree(root / ROOM, root / "Area_5" / "office_7")
    (root / "Area_5" / "office_8").symlink_to(root / ROOM)
    samples = opened(root)
    assert samples["val"].table["scene"].to_pylist() == ["Area_5-office_1"]
    notes = QuarantineReport.read(samples["val"].left_out).notes
    assert [(note.scene, note.reason) for note in notes] == [
        (f"Area_5-office_{number}", "a copy of a room: its files have the bytes of Area_1-office_1; taken once")
        for number in (7, 8)
    ]
    with object_file(root, "Area_5/office_7", "chair_1").open("a") as file:
        file.write("1 1 1 9 9 9\n")
    assert opened(root)["val"].table.num_rows == 2


def test_a_check_ends_as_training_would(tmp_path):
    root, storage = write_s3dis(tmp_path / "data"), tmp_path / "runs"
    for room in ("Area_2/hall_1", "Area_5/office_1"):
        object_file(root, room, "floor_1").write_text("1 2 3\n" * 11)
    refused = r"^2 of 3 items cannot be used, .* 50% allows.*fix the data, or raise quarantine_limit$"
    with pytest.raises(UserError, match=refused):
        s3dis(root, storage=storage, check=True)
    s3dis(root, quarantine_limit=0.7, storage=storage, check=True)
    object_file(root, ROOM, "floor_1").write_text("1 2 3\n" * 11)
    with pytest.raises(UserError, match=r"no labelled scene in .*floor_1\.txt: lines that are no points"):
        s3dis(root, quarantine_limit=1.0, storage=storage, check=True)
    assert not storage.exists()
    only = write_s3dis(tmp_path / "only", ("Area_5/office_1",))
    held_out = r"no labelled training scene in .*: all rooms that can be used are held out, as Area 5 is"
    with pytest.raises(UserError, match=held_out):
        s3dis(only, storage=storage, check=True)
    with pytest.raises(UserError, match=held_out):
        opened(only)


def test_settings_that_nothing_reads_are_refused(tmp_path):
    root = write_s3dis(tmp_path / "data")
    nothing_reads = r"data\.clouds\.vote_voxel is 0\.1, which nothing reads for S3DIS: leave it at 0\.05"
    with pytest.raises(UserError, match=nothing_reads):
        opened(root, **{"clouds.vote_voxel": 0.1})
    with pytest.raises(UserError, match=r"data\.clouds\.labels is mesh"):
        s3dis(root, CloudConfig(labels="mesh"), storage=tmp_path / "runs", check=True)
    assert opened(root, **{"clouds.chunk": 1.0})["train"].table.num_rows > 2
