"""Scans as they lie on the disks of others: encodings, names of images, time stamps, links, folders of other users."""

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from sem3d.datasets.budgets import official_budget
from sem3d.datasets.scans.index import PrepareConfig
from sem3d.datasets.scans.labels import read_label_table
from sem3d.datasets.scans.layouts import survey
from sem3d.datasets.scans.prepare import prepare, scan
from sem3d.datasets.scans.splits import read_split_lists
from sem3d.datasets.scans.surface import read_surface
from sem3d.errors import UserError
from sem3d.folders import file_states
from tests.datasets.scans.official_files import (
    COLOR_SIZE,
    wall_frames,
    write_export,
    write_image,
    write_ply,
    write_sens_scene,
    write_seven_scenes,
)


def scanned(root: Path, layout: str = "seven_scenes"):
    return scan(root, layout, PrepareConfig())


def test_poses_intrinsics_and_lists_may_have_a_byte_order_mark(tmp_path: Path):
    write_seven_scenes(tmp_path / "room", 3)
    expected = [record.row() for record in scanned(tmp_path)[0]]
    for path in (tmp_path / "room").glob("*.txt"):
        path.write_bytes(path.read_text().replace("\n", "\r\n").encode("utf-8-sig"))
    records, report = scanned(tmp_path)
    assert [record.row() for record in records] == expected
    assert not len(report)


def test_lists_of_scenes_in_utf_16_are_read_and_others_named(tmp_path: Path):
    (tmp_path / "scannetv2_train.txt").write_text("scene0000_00\r\nscene0001_00", encoding="utf-16")
    (tmp_path / "scannetv2_val.txt").write_text("scene0002_00\n", encoding="utf-8-sig")
    split_of = {"scene0000_00": "train", "scene0001_00": "train", "scene0002_00": "val"}
    assert read_split_lists(tmp_path, "") == split_of
    assert official_budget(tmp_path / "scannetv2_train.txt", list(split_of)).tolist() == [True, True, False]
    (tmp_path / "scannetv2_val.txt").write_bytes(b"scene\xff")
    with pytest.raises(UserError, match=r"scannetv2_val\.txt: no UTF-8 text"):
        read_split_lists(tmp_path, "")
    with pytest.raises(UserError, match=r"scannetv2_val\.txt: no UTF-8 text"):
        official_budget(tmp_path / "scannetv2_val.txt", list(split_of))


def test_a_label_table_may_be_saved_by_any_editor(tmp_path: Path):
    path = tmp_path / "table.tsv"
    path.write_bytes("id\traw_category\tnyu40id\r\n1\twall\t1\r\n3\tfloor\t2".encode("utf-8-sig"))
    assert read_label_table(path).tolist() == [0, 1, 255, 2]
    path.write_text("id\tnyu40id\n1\t\n")
    assert read_label_table(path).tolist() == [0, 0]
    for rows, said in {
        "1\t1\n2\n": "line 3: the row is cut short",
        "1\t1\tx\n": "line 2: the row has more cells than columns",
        "1\t1\n7\t2\n7\t3\n": "line 4: id 7 has NYU40 id 3, and 2 in a line before it",
        '1\t2\n3\t"4\n5\t6\n': "line 4: a quotation mark joins rows",
    }.items():
        path.write_text(f"id\tnyu40id\n{rows}")
        with pytest.raises(UserError, match=rf"table\.tsv.*{said}"):
            read_label_table(path)
    path.write_text("id\tnyu40id\n1\t1\t\t\n1\t1\n")
    assert read_label_table(path).tolist() == [0, 1]
    path.write_text("id\tnyu40id\n\t\n")
    with pytest.raises(UserError, match="no ScanNet label table"):
        read_label_table(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(UserError, match="no regular file"):
        read_label_table(path)


def test_an_id_of_several_raw_categories_is_that_of_the_last_row(tmp_path: Path):
    path = tmp_path / "table.tsv"
    rows = "3\tpipe\t40\n1\twall\t1\n3\tpipes\t38\n1\twalls\t1\n"
    path.write_text(f"id\traw_category\tnyu40id\n{rows}")
    assert read_label_table(path).tolist() == [0, 1, 255, 38]
    for damage in ("4\tpipe\t7\n", "3\tpipe\t38\n"):
        path.write_text(f"id\traw_category\tnyu40id\n{rows}{damage}")
        with pytest.raises(UserError, match=r"table\.tsv.*line 6: pipe has NYU40 id \d+, and 40 in a line before it"):
            read_label_table(path)
    path.write_text("id\traw_category\tnyu40id\n3\t\t2\n3\t\t4\n")
    with pytest.raises(UserError, match="line 3: id 3 has NYU40 id 4, and 2"):
        read_label_table(path)


def rename_frames(folder: Path, name) -> None:
    for path in sorted(folder.glob("frame-*")):
        number = int(path.name[6:12])
        path.rename(path.with_name(path.name.replace(f"{number:06d}", name(number))))


def test_time_stamps_are_frame_numbers(tmp_path: Path):
    write_seven_scenes(tmp_path / "data" / "room", 4)
    rename_frames(tmp_path / "data" / "room", lambda number: str(1305031102175304 + 33333 * number))
    index = prepare(tmp_path / "data", tmp_path / "index", PrepareConfig())
    assert index.frames["frame"].to_pylist() == [1305031102175304 + 33333 * number for number in range(4)]


def test_a_number_of_more_than_64_bits_is_one_item_of_the_quarantine(tmp_path: Path):
    write_seven_scenes(tmp_path / "room", 3)
    rename_frames(tmp_path / "room", lambda number: f"{number:06d}" if number else str(2**63))
    records, report = scanned(tmp_path)
    assert [record.frame for record in records] == [1, 2]
    assert "64 bits" in report.items[0].reason


@pytest.mark.parametrize("ending", ["JPG", "jpeg", "JPEG", "PNG"])
def test_colour_images_of_frames_may_have_other_endings(tmp_path: Path, ending: str):
    write_seven_scenes(tmp_path / "room", 3)
    for path in (tmp_path / "room").glob("*.color.*"):
        path.rename(path.with_suffix(f".{ending}"))
    records, report = scanned(tmp_path)
    assert [record.color for record in records] == [f"room/frame-{n:06d}.color.{ending}" for n in range(3)]
    assert not len(report)


@pytest.mark.parametrize("name", ["{}.JPG", "{}.jpeg", "{}.png", "{:06d}.jpg"])
def test_exported_images_are_found_by_their_number(tmp_path: Path, name: str):
    write_export(tmp_path, "scene0000_00", 3)
    color = tmp_path / "scene0000_00" / "color"
    for path in list(color.iterdir()):
        path.rename(color / name.format(int(path.stem)))
    records, report = scanned(tmp_path, "scannet_export")
    assert [record.color for record in records] == [f"scene0000_00/color/{name.format(25 * n)}" for n in range(3)]
    assert not len(report)


def test_a_missing_image_and_two_of_one_number_are_named(tmp_path: Path):
    write_export(tmp_path, "scene0000_00", 3)
    (tmp_path / "scene0000_00/color/25.jpg").unlink()
    records, report = scanned(tmp_path, "scannet_export")
    assert [record.frame for record in records] == [0, 50]
    assert (Path(report.items[0].source).name, report.items[0].reason) == ("25.jpg", "missing file")
    depth = tmp_path / "scene0000_00/depth"
    (depth / "000.png").write_bytes((depth / "0.png").read_bytes())
    records, report = scanned(tmp_path, "scannet_export")
    assert not records
    assert "two files of one number: 0.png and 000.png" in report.items[0].reason


@pytest.mark.parametrize("target", [".", "room", "../data", ".."])
def test_a_scan_under_two_names_is_taken_once_and_noted(tmp_path: Path, target: str):
    root = tmp_path / "data"
    write_seven_scenes(root / "room", 3)
    expected = file_states(root)
    os.symlink(target, root / "latest")
    records, report = scanned(root)
    assert [(record.scene, record.frame) for record in records] == [("room", n) for n in range(3)]
    assert not len(report)
    assert all("taken once" in note.reason for note in report.notes)
    assert report.notes
    met = [(name, size) for name, size, _ in file_states(root)]
    assert len({Path(name).name for name, _ in met}) == len(expected)


def test_many_links_to_the_root_are_walked_once(tmp_path: Path):
    write_seven_scenes(tmp_path / "room", 2)
    for number in range(6):
        os.symlink(".", tmp_path / f"link{number}")
    assert len(survey(tmp_path).folders) == 2
    assert len(file_states(tmp_path)) == len(list((tmp_path / "room").iterdir()))


def test_a_scan_that_is_linked_file_by_file_is_taken_once(tmp_path: Path):
    write_sens_scene(tmp_path, "scene0000_00", wall_frames(2))
    (tmp_path / "scans/copy").mkdir(parents=True, exist_ok=True)
    original = next(tmp_path.rglob("scene0000_00.sens"))
    os.symlink(original, tmp_path / "scans/copy/scene0009_00.sens")
    records, report = scanned(tmp_path, "scannet_sens")
    assert {record.scene for record in records} == {"scene0000_00"}
    assert "another name of a scan: scene0000_00" in report.notes[0].reason


def test_a_scan_that_is_hard_linked_file_by_file_is_taken_once(tmp_path: Path):
    write_seven_scenes(tmp_path / "room", 3)
    (tmp_path / "room again").mkdir()
    for path in (tmp_path / "room").iterdir():
        os.link(path, tmp_path / "room again" / path.name)
    records, report = scanned(tmp_path)
    assert {record.scene for record in records} == {"room"}
    assert [note.reason for note in report.notes] == ["another name of a scan: room; taken once"]


def test_two_scans_of_one_name_are_not_taken_for_one(tmp_path: Path):
    write_seven_scenes(tmp_path / "a" / "b", 3)
    write_seven_scenes(tmp_path / "a-b", 2)
    records, report = scanned(tmp_path)
    assert [record.color for record in records] == [f"a/b/frame-00000{n}.color.jpg" for n in range(3)]
    assert (report.items[0].source, report.items[0].lost) == ("a-b", 2)
    assert report.items[0].reason == "another scan has this name: a-b is that of a/b; rename one of them"
    for room in "xy":
        write_sens_scene(tmp_path / "sens", room, wall_frames(2)).rename(tmp_path / f"sens/scans/{room}/scan.sens")
    records, report = scanned(tmp_path / "sens", "scannet_sens")
    assert {record.color.partition("#")[0] for record in records} == {"scans/x/scan.sens"}
    assert report.counts() == {"another scan has this name": 1}


@pytest.mark.parametrize(
    "name", ["kitchen #2", "a?b", "100%", "it's", "x.sens#1", "back\\slash", "new\nline", "日本", "~", "*"]
)
def test_folders_may_have_any_letters_in_their_names(tmp_path: Path, name: str):
    write_seven_scenes(tmp_path / "data" / name, 3)
    index = prepare(tmp_path / "data", tmp_path / "index", PrepareConfig(), check=True)
    assert set(index.frames["scene"].to_pylist()) == {name}
    assert index.content["quarantine"] == {}


def test_names_that_tables_cannot_hold_are_refused_by_name(tmp_path: Path):
    for name in (os.fsencode(tmp_path) + b"/caf\xe9", os.fsencode(tmp_path / ("n" * 150)) + b"/" + b"m" * 150):
        write_seven_scenes(tmp_path / "room", 2)
        os.makedirs(os.path.dirname(name), exist_ok=True)
        os.rename(tmp_path / "room", name)
    write_seven_scenes(tmp_path / "room", 2)
    records, report = scanned(tmp_path)
    assert {record.scene for record in records} == {"room"}
    assert report.counts() == {"its name is no UTF": 2, "name of its scene longer than bytes": 2}
    assert all(item.source.isprintable() for item in report.items)


def test_sens_in_capitals_is_read_and_what_is_no_file_is_one_item(tmp_path: Path):
    path = write_sens_scene(tmp_path, "scene0000_00", wall_frames(3))
    path.rename(path.with_suffix(".SENS"))
    for number, make in enumerate((Path.mkdir, os.mkfifo, Path.touch, lambda place: place.symlink_to("/dev/zero")), 1):
        place = tmp_path / f"scans/scene000{number}_00/scene000{number}_00.sens"
        place.parent.mkdir()
        make(place)
    index = prepare(tmp_path, tmp_path.with_name("index"), PrepareConfig(stride=1, quarantine_limit=0.9), check=True)
    assert index.frames.num_rows == 3
    assert index.content["quarantine"] == {"cannot be read": 3, "ends at byte , wanted from byte": 1}


def test_a_subset_of_scans_may_be_chosen_by_links(tmp_path: Path):
    for number in range(3):
        write_seven_scenes(tmp_path / "store" / f"room{number}", 2)
    (tmp_path / "subset").mkdir()
    for number in (0, 2):
        os.symlink(tmp_path / "store" / f"room{number}", tmp_path / "subset" / f"room{number}")
    records, report = scanned(tmp_path / "subset")
    assert sorted({record.scene for record in records}) == ["room0", "room2"]
    assert not len(report) + len(report.notes)


def test_system_folders_and_hidden_files_change_nothing(tmp_path: Path):
    write_seven_scenes(tmp_path / "room", 2)
    before = file_states(tmp_path)
    for place in (tmp_path / "__MACOSX" / "room", tmp_path / "lost+found"):
        write_seven_scenes(place, 2)
    for path in list((tmp_path / "room").iterdir()):
        path.with_name(f"._{path.name}").write_bytes(b"\0\5\26\7")
    (tmp_path / ".DS_Store").write_bytes(b"\0")
    records, report = scanned(tmp_path)
    assert len(records) == 2
    assert not len(report)
    assert file_states(tmp_path) == before


def test_an_unreadable_folder_or_pose_is_one_item_and_the_rest_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_seven_scenes(tmp_path / "room", 3)
    (tmp_path / "private").mkdir()
    forbidden = {tmp_path / "private", tmp_path / "room/frame-000001.pose.txt"}
    listing, reading = Path.iterdir, Path.read_bytes

    def refuse(real):
        def checked(path: Path):
            if path in forbidden:
                raise PermissionError(13, "Permission denied", str(path))
            return real(path)

        return checked

    monkeypatch.setattr(Path, "iterdir", refuse(listing))
    monkeypatch.setattr(Path, "read_bytes", refuse(reading))
    records, report = scanned(tmp_path)
    assert [record.frame for record in records] == [0, 2]
    assert [(Path(item.source).name, item.reason) for item in report.items] == [
        ("private", "unreadable folder: Permission denied"),
        ("frame-000001.pose.txt", "cannot be read: Permission denied"),
    ]


@pytest.mark.parametrize("kind", ["directory", "loop", "pipe"])
def test_other_things_in_the_place_of_a_pose_are_bad_samples(tmp_path: Path, kind: str):
    write_seven_scenes(tmp_path / "room", 2)
    pose = tmp_path / "room/frame-000000.pose.txt"
    pose.unlink()
    {"directory": pose.mkdir, "loop": lambda: pose.symlink_to(pose.name), "pipe": lambda: os.mkfifo(pose)}[kind]()
    records, report = scanned(tmp_path)
    assert len(records) == 1
    assert len(report) == 1
    assert Path(report.items[0].source).name == pose.name


def copied_frames(folder: Path, copy: Path, numbers) -> None:
    copy.mkdir()
    for path in folder.iterdir():
        if not path.name.startswith("frame-") or int(path.name[6:12]) in numbers:
            (copy / path.name).write_bytes(path.read_bytes())


@pytest.mark.parametrize("numbers", [range(3), range(3, 6), (0, 1, 2, 4, 5), (2,)])
def test_a_part_of_a_scan_beside_the_whole_one_is_left_out_whatever_its_name(tmp_path: Path, numbers):
    for name in ("a", "b"):
        write_seven_scenes(tmp_path / "m", 6)
        copied_frames(tmp_path / "m", tmp_path / name, numbers)
    write_seven_scenes(tmp_path / "z", 6)
    records, report = scanned(tmp_path)
    assert [record.color for record in records if record.scene == "m"] == [
        f"m/frame-{n:06d}.color.jpg" for n in range(6)
    ]
    assert {record.scene for record in records} == {"m", "z"}
    part = f"{len(numbers)} of its {len(numbers)} frames"
    assert [note.reason for note in report.notes] == [f"a copy of a scan: {part} are those of m; taken once"] * 2


@pytest.mark.parametrize("layout", ["seven_scenes", "scannet_export"])
@pytest.mark.parametrize("copy", ["a", "z"])
def test_a_copy_without_its_first_frame_is_left_out_though_a_stride_takes_other_frames_of_it(
    tmp_path: Path, layout: str, copy: str
):
    for scene in ("m", "y"):
        if layout == "seven_scenes":
            write_seven_scenes(tmp_path / scene, 11)
        else:
            write_export(tmp_path, scene, 11, step=1)
    shutil.copytree(tmp_path / "m", tmp_path / copy)
    for scene in ("y", copy):
        for path in [path for path in (tmp_path / scene).rglob("*") if re.match(r"(frame-00000)?0\.", path.name)]:
            path.unlink()
    records, report = scan(tmp_path, layout, PrepareConfig(stride=5))
    assert [(record.scene, record.frame) for record in records if record.scene == "y"] == [("y", 1), ("y", 6)]
    kept = {record.scene for record in records} - {"y"}
    assert len(kept) == 1
    reason = f"a copy of a scan: its frames are among those of {kept.pop()} that the stride left out"
    assert [note.reason for note in report.notes] == [reason]


def test_a_copy_of_a_sens_file_that_was_cut_is_left_out_and_a_scan_that_shares_a_few_frames_is_not(tmp_path: Path):
    whole = write_sens_scene(tmp_path, "scene0001_00", wall_frames(7)).read_bytes()
    write_sens_scene(tmp_path, "scene0000_00", wall_frames(1)).write_bytes(whole[: len(whole) * 2 // 3])
    write_seven_scenes(tmp_path / "clips" / "a", 6)
    copied_frames(tmp_path / "clips" / "a", tmp_path / "clips" / "b", (0, 1))
    rest = [f"frame-{number:06d}" for number in range(2, 6)]
    for path in list((tmp_path / "clips" / "a").iterdir()):
        if path.name.partition(".")[0] in rest:
            path.rename(path.with_name(path.name.replace("frame-0", "frame-1")))
    write_seven_scenes(tmp_path / "c", 4)
    for path in list((tmp_path / "c").glob("frame-*")):
        path.rename(tmp_path / "clips" / "b" / path.name.replace("frame-0", "frame-2"))
    records, report = scan(tmp_path, "scannet_sens", PrepareConfig(stride=1))
    assert {record.scene for record in records} == {"scene0001_00"}
    assert [note.reason for note in report.notes] == [
        "a copy of a scan: 4 of its 4 frames are those of scene0001_00; taken once"
    ]
    records, report = scanned(tmp_path / "clips")
    assert [record.scene for record in records] == ["a"] * 6 + ["b"] * 6
    assert not report.notes


@pytest.mark.parametrize("name", ["{}.PNG", "{:06d}.png", "{:03d}.Png"])
def test_labels_and_instances_beside_a_sens_file_are_found_by_their_number(tmp_path: Path, name: str):
    scene = write_sens_scene(tmp_path, "scene0000_00", wall_frames(3)).parent
    for number in range(2):
        for kind in ("label-filt", "instance-filt"):
            write_image(scene / kind / f"{number}.png", np.full(COLOR_SIZE, 5, np.uint8))
            (scene / kind / f"{number}.png").rename(scene / kind / name.format(number))
    records, report = scan(tmp_path, "scannet_sens", PrepareConfig(stride=1))
    for kind, found in (("label-filt", [r.label for r in records]), ("instance-filt", [r.instance for r in records])):
        assert found == [f"scans/scene0000_00/{kind}/{name.format(number)}" for number in range(2)] + [""]
    assert not len(report)


def broken_link(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.symlink_to("/nowhere/0.png")


def whole_folder(path: Path) -> None:
    path.mkdir(parents=True)


@pytest.mark.parametrize("make", [broken_link, whole_folder])
@pytest.mark.parametrize("layout", ["scannet_sens", "scannet_export"])
@pytest.mark.parametrize("kind", ["label-filt", "instance-filt"])
def test_what_has_the_name_of_a_label_and_is_none_costs_its_frame(tmp_path: Path, layout: str, kind: str, make):
    if layout == "scannet_sens":
        scene = write_sens_scene(tmp_path, "scene0000_00", wall_frames(2)).parent
    else:
        scene = write_export(tmp_path, "scene0000_00", 2, 1)
    make(scene / kind / "0.png")
    records, report = scan(tmp_path, layout, PrepareConfig(stride=1))
    assert [record.frame for record in records] == [1]
    (item,) = report.items
    assert Path(item.source).name == "0.png"
    assert item.reason in ("cannot be read: No such file or directory", "no regular file")


@pytest.mark.parametrize("make", [broken_link, Path.touch])
def test_what_has_the_name_of_the_folder_of_labels_and_is_none_costs_its_scan(tmp_path: Path, make):
    scene = write_sens_scene(tmp_path, "scene0000_00", wall_frames(3)).parent
    write_sens_scene(tmp_path, "scene0001_00", wall_frames(3))
    make(scene / "label-filt")
    records, report = scan(tmp_path, "scannet_sens", PrepareConfig(stride=1))
    assert {record.scene for record in records} == {"scene0001_00"}
    assert [(Path(item.source).name, item.scene, item.lost) for item in report.items] == [
        ("label-filt", "scene0000_00", 3)
    ]


def test_labels_that_may_not_be_looked_at_end_no_other_scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    scenes = [write_sens_scene(tmp_path, f"scene000{n}_00", wall_frames(2)).parent for n in range(3)]
    for scene in scenes:
        write_image(scene / "label-filt" / "0.png", np.full(COLOR_SIZE, 5, np.uint8))
    forbidden = {scenes[0] / "label-filt", scenes[1] / "label-filt" / "0.png"}
    listing, looking = Path.iterdir, Path.stat

    def refuse(real):
        def checked(path: Path, **options):
            if path in forbidden:
                raise PermissionError(13, "Permission denied", str(path))
            return real(path, **options)

        return checked

    monkeypatch.setattr(Path, "iterdir", refuse(listing))
    monkeypatch.setattr(Path, "stat", refuse(looking))
    records, report = scan(tmp_path, "scannet_sens", PrepareConfig(stride=1))
    assert [(record.scene, record.frame) for record in records] == [
        ("scene0001_00", 1),
        ("scene0002_00", 0),
        ("scene0002_00", 1),
    ]
    assert [(item.scene, item.reason, item.lost) for item in report.items] == [
        ("scene0000_00", "unreadable folder: Permission denied", 2),
        ("scene0001_00", "cannot be read: Permission denied", 1),
    ]


def test_several_sens_files_in_a_folder_share_no_mesh_and_no_labels(tmp_path: Path):
    folder = tmp_path / "scans" / "flat"
    folder.mkdir(parents=True)
    for number in range(2):
        path = write_sens_scene(tmp_path, f"scene000{number}_00", wall_frames(2))
        path.rename(folder / path.name)
    for name in ("flat", "scene0001_00"):
        (folder / f"{name}_vh_clean_2.ply").touch()
    records, report = scan(tmp_path, "scannet_sens", PrepareConfig(stride=1))
    assert [record.mesh for record in records[::2]] == ["", "scans/flat/scene0001_00_vh_clean_2.ply"]
    write_image(folder / "label-filt" / "0.png", np.full(COLOR_SIZE, 5, np.uint8))
    records, report = scan(tmp_path, "scannet_sens", PrepareConfig(stride=1))
    assert not records
    assert report.counts() == {"images beside several .sens files": 4}
    (folder / "scene0001_00.sens").unlink()
    records, _ = scan(tmp_path, "scannet_sens", PrepareConfig(stride=1))
    assert [(record.mesh, record.label) for record in records[:1]] == [
        ("scans/flat/flat_vh_clean_2.ply", "scans/flat/label-filt/0.png")
    ]


@pytest.mark.parametrize("layout", ["scannet_sens", "scannet_export"])
@pytest.mark.parametrize("kind", ["", ".labels"])
def test_a_mesh_that_is_a_broken_link_is_named_and_the_surface_is_fused(tmp_path: Path, layout: str, kind: str):
    scene = tmp_path / "data" / "scene0000_00"
    if layout == "scannet_sens":
        scene = write_sens_scene(tmp_path / "data", "scene0000_00", wall_frames(4)).parent
    else:
        write_export(tmp_path / "data", "scene0000_00", 4)
    if kind:
        corners = np.array([[x, y, 2.0] for x in (-0.4, 0.4) for y in (-0.3, 0.3)], np.float32)
        faces = np.array([[0, 1, 2], [1, 3, 2]])
        write_ply(scene / "scene0000_00_vh_clean_2.ply", corners, np.full((4, 3), 9, np.uint8), faces, None)
    (scene / f"scene0000_00_vh_clean_2{kind}.ply").symlink_to("/nowhere/mesh.ply")
    index = prepare(tmp_path / "data", tmp_path / "index", PrepareConfig(stride=1), check=True)
    assert index.content["quarantine"] == {"missing file": 1}
    points = len(read_surface(index.surface_path("scene0000_00"))[0])
    assert points == 4 if kind else points > 500
