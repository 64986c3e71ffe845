"""Surfaces against true meshes: the truth itself scores full marks, its mirror image does not."""

from pathlib import Path

import numpy as np
import pytest
import torch

from sem3d.config import override
from sem3d.datasets.objects.mesh_files import find_meshes
from sem3d.errors import UserError
from sem3d.methods.method import scored
from sem3d.methods.ssr.method import SSR
from sem3d.pipelines.surfaces import compare_surfaces, true_mesh
from sem3d.worlds.shapes.write import ShapesConfig, write_shapes
from tests.datasets.objects.tiny_renders import CHAIR, write_tiny_renders
from tests.methods.tiny import tiny_experiment


@pytest.fixture(scope="module")
def meshes(tmp_path_factory) -> Path:
    return write_shapes(tmp_path_factory.mktemp("shapes") / "meshes", ShapesConfig(kinds=("chair",), objects=1))


def oracle(meshes: Path, tmp_path: Path, turn: tuple[float, float, float]) -> SSR:
    """A method that always answers the one chair there is, stretched by ``turn`` along the axes."""
    (file,) = find_meshes(meshes)[0]
    renders = write_tiny_renders(tmp_path / "renders", {"train": 2, "val": 1, "test": 1})
    (renders / f"{CHAIR}_test_objects.txt").write_text(f"{file.identity}\n")
    method = SSR(override(tiny_experiment("ssr", renders, tmp_path), {"data.labelled": 2}))
    vertices, faces = true_mesh(meshes, file)
    answer = torch.tensor(vertices * np.array(turn))
    method.decoder.faces = torch.tensor(faces)
    method.meshes = lambda image: answer.expand(len(image), -1, -1)
    return method


def compared(method: SSR, experiment, meshes: Path):
    return compare_surfaces(method, experiment, scored(SSR.sources(experiment)), meshes)


@pytest.mark.parametrize(("turn", "right"), [((1.0, 1.0, 1.0), True), ((1.0, 1.0, -1.0), False)])
def test_the_truth_scores_full_marks_and_its_mirror_image_does_not(meshes, tmp_path, turn, right):
    method = oracle(meshes, tmp_path, turn)
    found = compared(method, method.experiment, meshes)
    assert (found.metrics["f_score_5_percent"] > 0.999) == right
    assert (found.metrics["chamfer"] < 0.015) == right
    assert found.picture.std() > 5


def test_renders_without_names_say_which_list_they_need(meshes, tmp_path):
    method = oracle(meshes, tmp_path, (1.0, 1.0, 1.0))
    (tmp_path / "renders" / f"{CHAIR}_test_objects.txt").unlink()
    with pytest.raises(UserError, match=rf"no mesh of 00000 .* one a line .* in {CHAIR}_test_objects\.txt beside"):
        compared(method, override(method.experiment, {"run.storage": str(tmp_path / "again")}), meshes)


def test_an_object_without_its_mesh_is_named(meshes, tmp_path):
    method = oracle(meshes, tmp_path, (1.0, 1.0, 1.0))
    (tmp_path / "renders" / f"{CHAIR}_test_objects.txt").write_text("nobody\n")
    with pytest.raises(UserError, match="no mesh of nobody"):
        compared(method, override(method.experiment, {"run.storage": str(tmp_path / "again")}), meshes)
