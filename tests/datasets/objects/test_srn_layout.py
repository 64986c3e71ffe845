from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sem3d.datasets.objects.srn_cameras import read_intrinsics, read_pose
from sem3d.datasets.objects.srn_index import index_posed_views
from sem3d.datasets.objects.srn_layout import find_instances, read_picture, squared
from sem3d.errors import BadSample, UserError
from sem3d.geometry.sphere_cameras import looking_at_origin
from tests.datasets.objects.srn_folders import write_srn

SRN = "131.25 64. 64. 0.\n0. 0. 0.\n1.\n128 128\n"
VARIANTS = {
    "srn": SRN,
    "three numbers": "131.25 64 64\n0 0 0\n1\n128 128\n",
    "flag": SRN + "0\n",
    "near plane": "131.25 64. 64. 0.\n0. 0. 0.\n0.1\n1.\n128 128\n",
    "near plane and flag": "131.25 64. 64. 0.\n0. 0. 0.\n0.1\n1.\n128 128\n0\n",
    "windows": SRN.replace("\n", "\r\n"),
    "blank lines": SRN.replace("\n", "\n\n"),
    "matrix": "131.25 0 64\n0 131.25 64\n0 0 1\n",
    "larger matrix": "131.25 0 64 0\n0 131.25 64 0\n0 0 1 0\n0 0 0 1\n",
    "matrix in a line": "131.25 0 64 0 0 131.25 64 0 0 0 1 0 0 0 0 1\n",
    "of a larger picture": "262.5 128 128 0\n0 0 0\n1\n256 256\n",
}


@pytest.mark.parametrize("name", VARIANTS)
def test_all_forms_of_intrinsics_are_the_same_camera(tmp_path: Path, name: str):
    (tmp_path / "intrinsics.txt").write_text(VARIANTS[name])
    camera = read_intrinsics(tmp_path / "intrinsics.txt")
    expected = [[131.25, 0, 64], [0, 131.25, 64], [0, 0, 1]]
    np.testing.assert_allclose(camera.of_pictures("x", (128, 128)), expected)
    assert not camera.inverse


def test_a_flag_at_the_end_says_that_poses_are_camera_from_world(tmp_path: Path):
    (tmp_path / "intrinsics.txt").write_text(SRN + "1\n")
    assert read_intrinsics(tmp_path / "intrinsics.txt").inverse
    pose = looking_at_origin(np.array([[0.3, -1.0, 0.8]]))[0]
    (tmp_path / "pose.txt").write_text(" ".join(map(str, np.linalg.inv(pose).ravel())))
    np.testing.assert_allclose(read_pose(tmp_path / "pose.txt", inverse=True), pose, atol=1e-12)


def test_a_pose_may_stand_in_one_line_or_in_four(tmp_path: Path):
    pose = looking_at_origin(np.array([[0.3, -1.0, 0.8]]))[0]
    for number, joint in enumerate((" ", "\n", "\t", ", ")):
        path = tmp_path / f"{number}.txt"
        path.write_text(joint.join(" ".join(map(str, row)) for row in pose))
        np.testing.assert_allclose(read_pose(path), pose, atol=1e-12)


def pose_of(root: Path) -> Path:
    return root / "train/object0/pose/000001.txt"


def other_pose(change):
    def apply(root: Path) -> None:
        pose = np.array(pose_of(root).read_text().split(), float).reshape(4, 4)
        pose_of(root).write_text(" ".join(map(str, change(pose).ravel())))

    return apply


def all_poses(change):
    def apply(root: Path) -> None:
        for path in sorted((root / "train/object0/pose").iterdir()):
            pose = change(np.array(path.read_text().split(), float).reshape(4, 4))
            path.write_text(" ".join(map(str, pose.ravel())))

    return apply


def save(name: str, content: np.ndarray):
    def apply(root: Path) -> None:
        path = root / "train/object0" / name
        np.save(path, content) if name.endswith("npy") else Image.fromarray(content).save(path)

    return apply


def write(name: str, content: str | bytes):
    return lambda root: (root / "train/object0" / name).write_bytes(
        content.encode() if isinstance(content, str) else content
    )


def remove(name: str):
    return lambda root: (root / "train/object0" / name).unlink()


UNCLOSED = b"\x93NUMPY\x01\x00\x0b\x00{'descr': (\n"
RGBA = np.full((6, 8, 4), 255, np.uint8)
OF_A_VIEW = {
    "not rigid": (other_pose(lambda p: p * [[2], [1], [1], [1]]), "pose is not rigid"),
    "mirrored": (other_pose(lambda p: p * [-1, 1, 1, 1]), "reflection"),
    "not finite": (write("pose/000001.txt", "nan " * 16), "not finite"),
    "no pose": (write("pose/000001.txt", "1 2 3"), "has 3 numbers"),
    "words": (write("pose/000001.txt", "a pose"), "no numbers"),
    "pose missing": (remove("pose/000001.txt"), "view without a file in pose/: there are 3 in rgb/, 2 in pose/"),
    "picture missing": (remove("rgb/000002.png"), "view without a file in rgb/: there are 2 in rgb/, 3 in pose/"),
    "labels missing": (remove("seg/000000.npy"), "3 in pose/, 2 in seg/"),
    "picture of another size": (save("rgb/000000.png", RGBA), "another size: 8x6, the object's pictures are 8x8"),
    "labels of another size": (save("seg/000001.npy", np.ones((8, 6), np.uint8)), "another size: 6x8"),
    "labels out of range": (save("seg/000001.npy", np.full((8, 8), 3, np.uint8)), "labels out of range: 3 to 3"),
    "labels below zero": (save("seg/000001.npy", np.full((8, 8), -2)), "labels out of range"),
    "labels between numbers": (save("seg/000001.npy", np.full((8, 8), 0.5)), "no whole numbers"),
    "labels of no picture": (save("seg/000001.npy", np.ones(8, np.uint8)), "shape 8"),
    "labels of text": (write("seg/000001.npy", "labels"), "unreadable array"),
    "labels whose header ends early": (write("seg/000001.npy", UNCLOSED), "unreadable array"),
    "damaged picture": (write("rgb/000001.png", "x"), "undecodable image"),
}
OF_AN_OBJECT = {
    "opengl": (all_poses(lambda p: p * [1, -1, -1, 1]), "OpenGL"),
    "inverse": (all_poses(np.linalg.inv), "camera from world"),
    "no intrinsics": (remove("intrinsics.txt"), "missing file"),
    "intrinsics of another form": (write("intrinsics.txt", "8 4 4 0\n0 0 0\n1\n8 12\n"), "intrinsics of another size"),
    "intrinsics of a crop": (write("intrinsics.txt", "8 8 8 0\n0 0 0\n1\n8 8\n"), "principal point"),
    "no intrinsics in it": (write("intrinsics.txt", "8 4 4 0\n"), "unknown intrinsics"),
    "focal length of nothing": (write("intrinsics.txt", "0 4 4 0\n0 0 0\n1\n8 8\n"), "focal length"),
    "two of a number": (write("pose/1.txt", "x"), "two files of view 1"),
}


@pytest.mark.parametrize("name", OF_A_VIEW)
def test_a_view_with_a_fault_is_left_out_and_named_and_its_object_stays(tmp_path: Path, name: str):
    root = write_srn(tmp_path / "data", {"train": 2})
    damage, words = OF_A_VIEW[name]
    damage(root)
    index = index_posed_views(root, tmp_path / "runs", quarantine_limit=0.5)
    first, second = index.table.to_pylist()
    assert [len(first[column]) for column in ("pictures", "labels", "classes", "poses")] == [2, 2, 2, 32]
    assert len(second["pictures"]) == 3
    (item,) = index.report.items
    assert words in item.reason
    assert "object0" in item.source
    number = item.source[-5]
    assert [picture[-5] for picture in first["pictures"]] == [one for one in "012" if one != number]
    assert [labels[-5] for labels in first["labels"]] == [picture[-5] for picture in first["pictures"]]
    kept = [np.loadtxt(root / f"train/object0/pose/00000{one}.txt") for one in "012" if one != number]
    np.testing.assert_allclose(np.array(first["poses"]).reshape(2, 16), kept, atol=1e-9)
    with pytest.raises(UserError, match="1 of 6 items cannot be used"):
        index_posed_views(root, tmp_path / "other", check=True, quarantine_limit=0.1)


@pytest.mark.parametrize("name", OF_AN_OBJECT)
def test_an_object_with_a_fault_is_left_out_and_named(tmp_path: Path, name: str):
    root = write_srn(tmp_path / "data", {"train": 2})
    damage, words = OF_AN_OBJECT[name]
    damage(root)
    index = index_posed_views(root, tmp_path / "runs", quarantine_limit=0.5)
    assert index.table["name"].to_pylist() == ["object1"]
    (item,) = index.report.items
    assert words in item.reason or words in item.source
    assert "object0" in item.source
    assert len(index.report) == 3
    with pytest.raises(UserError, match="3 of 6 items cannot be used"):
        index_posed_views(root, tmp_path / "other", check=True, quarantine_limit=0.1)


def test_an_object_with_more_bad_views_than_good_ones_is_left_out(tmp_path: Path):
    root = write_srn(tmp_path / "data", {"train": 2})
    for number in (0, 2):
        (root / f"train/object1/pose/00000{number}.txt").write_text("0")
    index = index_posed_views(root, tmp_path / "runs", quarantine_limit=0.5)
    assert index.table["name"].to_pylist() == ["object0"]
    (item,) = index.report.items
    assert "too few views: 2 of 3 cannot be used" in item.reason
    assert "has 1 numbers" in item.reason


def test_pictures_of_nothing_are_found_by_a_check_that_decodes_all(tmp_path: Path):
    root = write_srn(tmp_path / "data", {"train": 2})
    Image.new("RGBA", (8, 8)).save(root / "train/object1/rgb/000002.png")
    index = index_posed_views(root, tmp_path / "runs", check=True, quarantine_limit=1.0)
    assert [item.reason for item in index.report.items] == ["shows nothing: it is transparent or white everywhere"]
    assert not (tmp_path / "runs").exists()


def test_the_index_is_found_again_until_a_file_changes(tmp_path: Path):
    root = write_srn(tmp_path / "data", {"train": 1, "test": 2})
    first = index_posed_views(root, tmp_path / "runs")
    again = index_posed_views(root, tmp_path / "runs")
    assert (first.reused, again.reused) == (False, True)
    assert again.table.equals(first.table)
    assert again.table["instance"].to_pylist() == [0, 0, 1]
    assert again.table["classes"].to_pylist()[0] == [7, 7, 7]
    pose_of(root).write_text("0")
    assert index_posed_views(root, tmp_path / "runs", quarantine_limit=1.0).inputs != first.inputs


def test_folders_of_the_releases_have_class_and_split_in_their_names(tmp_path: Path):
    for name in ("Chair.train/a", "Chair.test/b", "cars_val/c", "other/d", ".cache/e"):
        (tmp_path / name).mkdir(parents=True)
    found = [(one.category, one.split, one.name) for one in find_instances(tmp_path)]
    assert found == [("Chair", "train", "a"), ("Chair", "test", "b"), ("cars", "val", "c")]
    with pytest.raises(UserError, match="split"):
        find_instances(tmp_path / "other")


def test_classes_of_the_released_data_need_no_list_and_those_of_others_do(tmp_path: Path):
    (tmp_path / "data").mkdir()
    write_srn(tmp_path / "plain", {"train": 1})
    (tmp_path / "plain/classes.txt").unlink()
    with pytest.raises(UserError, match="names of their classes"):
        index_posed_views(tmp_path / "plain", tmp_path / "runs")
    (tmp_path / "plain/train").rename(tmp_path / "data/Chair.train")
    assert len(index_posed_views(tmp_path / "data", tmp_path / "runs").classes["Chair"]) == 6


def test_white_is_background_where_a_picture_has_no_transparent_pixel(tmp_path: Path):
    picture = np.full((4, 4, 3), 255, np.uint8)
    picture[1, 2] = (250, 255, 255)
    Image.fromarray(picture).save(tmp_path / "a.png")
    assert np.argwhere(read_picture(tmp_path / "a.png")[..., 3]).tolist() == [[1, 2]]
    Image.fromarray(np.full((4, 4, 3), 255, np.uint8)).save(tmp_path / "b.png")
    with pytest.raises(BadSample, match="shows nothing"):
        read_picture(tmp_path / "b.png")


def test_halving_mixes_colours_by_their_opacity_and_takes_the_middle_square():
    picture, labels = np.zeros((4, 6, 4), np.uint8), np.arange(24).reshape(4, 6)
    picture[0, 1] = (200, 0, 0, 255)
    picture[0, 0] = (9, 9, 9, 255)
    small, nearest = squared(picture, labels, 2)
    np.testing.assert_allclose(small[0, 0], [200, 0, 0, 64], atol=4)
    assert nearest is not None
    assert nearest.tolist() == [[8, 10], [20, 22]]
