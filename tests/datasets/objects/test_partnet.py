import json
import tarfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from sem3d.datasets.objects.archives import unpacked
from sem3d.datasets.objects.part_meshes import FURNITURE_CLASSES, furniture_classes, read_parted
from sem3d.datasets.objects.partnet import find_annotated, official_splits, read_annotated
from sem3d.errors import BadSample, UserError
from tests.datasets.objects.partnet_folders import write_parted, write_partnet


def test_parts_have_the_numbers_of_the_lines_of_the_coarsest_level_and_others_are_unknown(tmp_path: Path):
    found = read_annotated(write_partnet(tmp_path), "chair")
    heights = {int(number): found.corners[found.classes == number][..., 1] for number in set(found.classes.tolist())}
    assert sorted(heights) == [-1, 2, 4, 5]
    assert (heights[2].max(), heights[5].max(), heights[4].min()) == (0.8, 0.0, -0.6)
    assert found.model == "abc"
    assert len(found.points) == 60
    np.testing.assert_allclose(found.colors[-1], [1, 0, 1])


def test_objects_of_another_category_are_left_alone(tmp_path: Path):
    write_partnet(tmp_path, "1")
    write_partnet(tmp_path, "2")
    (tmp_path / "2/meta.json").write_text(json.dumps({"model_cat": "Table"}))
    (tmp_path / "other").mkdir()
    assert find_annotated(tmp_path, "chair") == ["1"]
    with pytest.raises(UserError, match="choose of chair, table"):
        find_annotated(tmp_path, "sofa")
    with pytest.raises(UserError, match="no <id>/result"):
        find_annotated(tmp_path / "other", "chair")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("result_after_merging.json", "{}", "no tree of parts"),
        ("result_after_merging.json", '[{"name": "chair", "objs": 3}]', "no tree of parts"),
        ("result_after_merging.json", '[{"name": "chair", "objs": ["../../x"]}]', "parts that are no names"),
        ("result_after_merging.json", '[{"name": "chair", "objs": ["new-0"]}]', "no part of a class of chair"),
        ("result_after_merging.json", '[{"name": "chair", "objs": ["new-9"], "children": []}]', "missing file"),
        ("objs/new-0.obj", "v 1 2\n", "v"),
        ("point_sample/sample-points-all-pts-nor-rgba-10000.txt", "1 2 3\n", "no coloured points"),
        ("point_sample/sample-points-all-pts-nor-rgba-10000.txt", "a b\n", "no coloured points"),
    ],
)
def test_what_is_no_object_of_partnet_is_refused(tmp_path: Path, name: str, content: str, words: str):
    folder = write_partnet(tmp_path)
    (folder / name).write_text(content)
    with pytest.raises(BadSample, match=words):
        read_annotated(folder, "chair")


def test_official_splits_go_by_the_number_of_the_annotation(tmp_path: Path):
    for split, number in (("train", "1"), ("val", "2"), ("test", "3")):
        (tmp_path / f"Chair.{split}.json").write_text(json.dumps([{"anno_id": number, "model_id": "x"}]))
    assert official_splits(tmp_path, "chair") == {"1": "train", "2": "val", "3": "test"}
    (tmp_path / "Chair.val.json").write_text("[3]")
    with pytest.raises(UserError, match="no list of objects"):
        official_splits(tmp_path, "chair")


def test_parts_of_a_table_are_told_by_where_they_are(tmp_path: Path):
    mesh = read_parted(write_parted(tmp_path))
    names = np.array(FURNITURE_CLASSES["table"])[furniture_classes(mesh, "table")]
    assert [set(names[mesh.part == part]) for part in range(4)] == [{"top"}, {"top"}, {"shelf"}, {"leg"}]


def packed(path: Path, *members: tuple[str, bytes | None]) -> Path:
    with tarfile.open(path, "w:xz") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if content is None:
                info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            else:
                info.size = len(content)
            archive.addfile(info, BytesIO(content or b""))
    return path


def test_an_archive_is_unpacked_once_into_a_folder(tmp_path: Path):
    archive = packed(tmp_path / "a.tar.xz", ("chairs/1/x.txt", b"1"))
    assert (unpacked(archive, tmp_path / "out") / "1/x.txt").read_bytes() == b"1"
    archive.write_bytes(b"damaged")
    assert unpacked(archive, tmp_path / "out").name == "chairs"


@pytest.mark.parametrize("member", [("../x", b"1"), ("/tmp/x", b"1"), ("link", None)])
def test_an_archive_that_leads_out_of_its_folder_is_refused_and_leaves_nothing(tmp_path: Path, member):
    archive = packed(tmp_path / "a.tar.xz", member)
    if member[0] == "/tmp/x":
        assert (unpacked(archive, tmp_path / "out") / "x").is_file()
        return
    with pytest.raises(UserError, match=r"a\.tar\.xz"):
        unpacked(archive, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar.xz"]


def test_a_damaged_archive_is_named(tmp_path: Path):
    archive = packed(tmp_path / "a.tar.xz", ("x", b"1" * 5000))
    archive.write_bytes(archive.read_bytes()[:60])
    with pytest.raises(UserError, match="cannot be unpacked"):
        unpacked(archive, tmp_path / "out")
