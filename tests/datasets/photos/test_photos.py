"""Photographs with keypoints: official structures are read, and what is wrong with a file is named."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from sem3d.datasets.photos.keypoint_images import KeypointPair
from sem3d.datasets.photos.keypointnet_ids import SPAIR_CHAIR
from sem3d.datasets.photos.layouts import find_pairs
from sem3d.datasets.photos.pix3d import pix3d_images
from sem3d.datasets.photos.spair import read_pair
from sem3d.datasets.quarantine import QuarantineReport
from sem3d.errors import BadSample, UserError
from tests.datasets.photos.official_photos import (
    KEYPOINTS,
    pix3d_record,
    write_pf_pascal,
    write_pf_willow,
    write_pix3d,
    write_spair,
)


def found(root: Path, limit: float = 0.0) -> tuple[str, list[KeypointPair], QuarantineReport]:
    return find_pairs(root, "test", limit)


def test_all_ordered_pairs_of_each_group_of_pf_willow_are_read(tmp_path: Path):
    write_pf_willow(tmp_path, groups=2, images=3)
    name, pairs, report = found(tmp_path)
    assert (name, len(pairs), len(report)) == ("pf_willow", 12, 0)
    assert [pair.group for pair in pairs] == ["car(0)"] * 6 + ["car(1)"] * 6
    first = pairs[0]
    assert (first.source.size, first.target.size) == ((40, 60), (40, 70))
    np.testing.assert_allclose(first.places(first.target), KEYPOINTS.T + 1)
    assert first.target.box == (6.5, 7.0, 51.25, 36.0)
    assert first.target.box_of == "keypoints"


def test_the_inner_folder_of_pf_willow_may_be_named_too(tmp_path: Path):
    write_pf_willow(tmp_path)
    assert len(found(tmp_path / "PF-dataset-WILLOW")[1]) == 2


@pytest.mark.parametrize("boxes", [True, False])
def test_a_pair_of_pf_pascal_has_the_keypoints_of_both_and_the_objects_box_where_there_is_one(tmp_path: Path, boxes):
    write_pf_pascal(tmp_path, boxes)
    name, (pair,), _ = found(tmp_path)
    assert (name, pair.group, pair.names) == ("pf_pascal", "chair", ("0", "2"))
    np.testing.assert_allclose(pair.places(pair.source), KEYPOINTS.T[[0, 2]])
    np.testing.assert_allclose(pair.places(pair.target), [[1, 4], [3, 6]])
    assert pair.target.box == ((1, 2, 51, 33) if boxes else (1, 4, 3, 6))
    assert pair.target.box_of == ("object" if boxes else "keypoints")


def test_a_pair_of_spair_is_read_and_its_chairs_are_mapped_to_keypointnet(tmp_path: Path):
    write_spair(tmp_path)
    name, (pair,), _ = found(tmp_path)
    assert (name, pair.group, pair.names) == ("spair", "chair", ("0", "12"))
    np.testing.assert_allclose(pair.places(pair.target), [[8, 9], [40, 11]])
    assert pair.target.box == (1, 2, 41, 32)
    assert [name for name in pair.names if name in SPAIR_CHAIR] == ["0"]


def test_pix3d_has_the_keypoints_that_most_annotators_marked_and_its_list_chooses(tmp_path: Path):
    write_pix3d(tmp_path)
    images, faults = pix3d_images(tmp_path)
    assert (len(images), faults) == (3, [])
    assert images[0].image.keypoints == {"0": (6.0, 7.0)}
    assert [one.unobstructed for one in images] == [True, False, True]
    listed, _ = pix3d_images(tmp_path, tmp_path / "input.txt")
    assert [one.image.path for one in listed] == ["img/chair/0002.png", "img/chair/0001.png"]
    name, pairs, report = found(tmp_path)
    assert (name, len(report)) == ("pix3d", 0)
    paths = [(pair.source.path[-8:], pair.target.path[-8:], pair.group, pair.names) for pair in pairs]
    assert paths == [("0001.png", "0003.png", "chair", ("0",)), ("0003.png", "0001.png", "chair", ("0",))]
    (tmp_path / "other.txt").write_text("../img/sofa/0002.png\n")
    with pytest.raises(UserError, match="lists none"):
        pix3d_images(tmp_path, tmp_path / "other.txt")


def test_photographs_of_different_shapes_of_pix3d_make_no_pair(tmp_path: Path):
    records = [pix3d_record(number, model=f"model/chair/{number}/model.obj") for number in (1, 3)]
    (tmp_path / "pix3d.json").write_text(json.dumps(records))
    with pytest.raises(UserError, match="no test pairs of pix3d"):
        found(tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"2d_keypoints": [[[1, 2]], []]}, "annotators differ"),
        ({"2d_keypoints": []}, "no 2d_keypoints"),
        ({"bbox": [5, 5, 5, 5]}, "no box"),
        ({"img_size": [0, 40]}, "no size"),
        ({"img": None}, "lacks img"),
        ({"2d_keypoints": [[[True, 2]]]}, "no coordinate"),
    ],
)
def test_a_bad_record_of_pix3d_is_named_and_the_others_are_used(tmp_path: Path, change, words):
    path = write_pix3d(tmp_path)
    path.write_text(json.dumps([pix3d_record(1), pix3d_record(2, **change)]))
    images, (fault,) = pix3d_images(tmp_path)
    assert len(images) == 1
    assert words in fault.reason
    assert "[1]" in fault.source


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kps_ids": ["0"]}, "differ in number"),
        ({"trg_kps": [[1, 2], [3, None]]}, "no coordinate"),
        ({"trg_kps": [[1, 2], [3, 1e9]]}, "no coordinate"),
        ({"trg_bndbox": [9, 9, 3, 3]}, "no box"),
        ({"trg_bndbox": [9, 9]}, "no 4 coordinates"),
        ({"category": None}, "no category"),
        ({"trg_imname": "../../b.jpg"}, "leads out"),
        ({"trg_imname": "c.jpg"}, "missing file"),
        ({"kps_ids": [], "src_kps": [], "trg_kps": []}, "no common keypoint"),
    ],
)
def test_a_bad_pair_of_spair_is_named(tmp_path: Path, change, words):
    path = write_spair(tmp_path, **change)
    with pytest.raises(BadSample, match=words):
        read_pair(tmp_path, path.relative_to(tmp_path).as_posix())


def test_too_many_bad_pairs_end_the_reading_with_their_reasons(tmp_path: Path):
    write_pf_willow(tmp_path, images=4)
    folder = tmp_path / "PF-dataset-WILLOW" / "car(0)"
    savemat(folder / "car_1.mat", {"pts_coord": KEYPOINTS.T})
    (folder / "car_2.png").unlink()
    (folder / "car_3.mat").write_bytes(b"no annotation")
    with pytest.raises(
        UserError, match=r"3 of 3 items cannot be used.*no pts_coord of 2 rows.*no photograph.*no MATLAB file"
    ):
        found(tmp_path, 0.5)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a.jpg,b.jpg,0,1,1,1,1", "no class"),
        ("a.jpg,b.jpg,9,1;2,1,1,1", "differ in number"),
        ("a.jpg,b.jpg,9,x,1,1,1", "no coordinate"),
        ("a.jpg,b.jpg,9,1,1,1", "no pair"),
        ("a.jpg,b.jpg,9,1,1,1,1,1", "no pair"),
        ("/a.jpg,b.jpg,9,1,1,1,1", "leads out"),
    ],
)
def test_a_bad_line_of_pf_pascal_is_named_by_its_number(tmp_path: Path, line, words):
    table = write_pf_pascal(tmp_path)
    table.write_text(table.read_text() + line + "\n")
    _, pairs, report = found(tmp_path, 0.5)
    assert len(pairs) == 1
    assert report.items[0].source in ("test_pairs.csv line 3", "/a.jpg")
    assert words in report.items[0].reason


def test_a_folder_of_no_known_data_set_says_what_is_looked_for(tmp_path: Path):
    with pytest.raises(UserError, match=r"no pairs of photographs.*PF-WILLOW.*PF-PASCAL.*SPair-71k"):
        found(tmp_path)
    write_spair(tmp_path)
    shutil.rmtree(tmp_path / "Layout")
    with pytest.raises(UserError, match="no list of test pairs"):
        found(tmp_path)


def test_the_real_annotations_are_read(shared_data: Path):
    _, pairs, report = found(shared_data / "pf_willow")
    assert (len(pairs), len(report), len({pair.group for pair in pairs})) == (630, 0, 7)
    assert all(len(pair.names) == 10 for pair in pairs)
    with pytest.raises(UserError, match=r"299 of 299 items cannot be used.*missing file"):
        found(shared_data / "pf_pascal_csv", 0.5)
    with pytest.raises(UserError, match=r"no list of test pairs"):
        found(shared_data / "spair71k_annotations", 0.5)
