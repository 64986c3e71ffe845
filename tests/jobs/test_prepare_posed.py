from pathlib import Path

import pytest

from jobs.prepare_posed import srn, srn_renders
from sem3d.errors import UserError
from sem3d.worlds.posed.meshes import MeshViewsConfig
from tests.datasets.objects.partnet_folders import write_partnet
from tests.datasets.objects.srn_folders import write_srn


def test_instances_are_counted_and_those_with_a_fault_named(tmp_path: Path, capsys):
    root = write_srn(tmp_path / "data", {"train": 3, "test": 1})
    (root / "train/object1/pose/000001.txt").write_text("0 " * 16)
    srn(root, storage=tmp_path / "runs", quarantine_limit=0.5)
    said = capsys.readouterr().out
    assert "instances   train 3 of 8 views, test 1 of 3 views" in said
    assert "classes     background, back, seat" in said
    assert "train/object1/pose/000001.txt: pose is all zero" in said
    srn(root, storage=tmp_path / "runs", quarantine_limit=0.5)
    assert "the index was reused" in capsys.readouterr().out
    with pytest.raises(UserError, match="1 of 12 items cannot be used"):
        srn(root, storage=tmp_path / "other", quarantine_limit=0.05, check=True)


def test_meshes_that_cannot_be_read_are_named(tmp_path: Path, capsys):
    write_partnet(tmp_path / "parts", "1")
    write_partnet(tmp_path / "parts", "2")
    (tmp_path / "parts/2/objs/new-0.obj").write_text("x")
    srn_renders(tmp_path / "parts", MeshViewsConfig(), out=tmp_path / "out", check=True)
    said = capsys.readouterr().out
    assert "quarantine  1" in said
    assert "new-0.obj" in said
