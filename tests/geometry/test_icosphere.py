"""The decoder's sphere: counts, closedness, orientation, exact zeros, and the released template."""

from collections import Counter
from pathlib import Path

import pytest
import torch

from sem3d.geometry.icosphere import icosphere


@pytest.mark.parametrize("subdivisions", range(4))
def test_counts_are_those_of_a_subdivided_icosahedron_and_every_edge_has_two_faces_of_opposite_sense(subdivisions):
    vertices, faces = icosphere(subdivisions)
    assert vertices.shape == (10 * 4**subdivisions + 2, 3)
    assert faces.shape == (20 * 4**subdivisions, 3)
    sides = Counter(tuple(side) for face in faces.tolist() for side in zip(face, face[1:] + face[:1], strict=True))
    assert set(sides.values()) == {1}
    assert all((end, start) in sides for start, end in sides)
    assert sorted(faces.flatten().bincount().tolist())[:12] == [5] * 12


def test_three_subdivisions_give_642_vertices_and_1280_faces():
    vertices, faces = icosphere()
    assert (len(vertices), len(faces)) == (642, 1280)


def test_vertices_are_unit_and_distinct_and_faces_look_outward():
    vertices, faces = icosphere()
    torch.testing.assert_close(vertices.norm(dim=1), torch.ones(642, dtype=torch.float64), rtol=0, atol=1e-15)
    assert torch.cdist(vertices, vertices).fill_diagonal_(1).min() > 0.1
    a, b, c = vertices[faces].unbind(1)
    assert ((torch.linalg.cross(b - a, c - a) * (a + b + c)).sum(1) > 0).all()


def test_coordinates_that_should_be_zero_are_zero_and_no_others_are_near_it():
    vertices, _ = icosphere()
    assert (vertices[vertices != 0].abs() > 1e-3).all()
    assert (vertices == 0).sum(0).tolist() == [4, 40, 32]
    torch.testing.assert_close(vertices.sum(0), torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-12)


def test_the_sphere_is_always_the_same():
    for first, second in zip(icosphere(2), icosphere(2), strict=True):
        assert torch.equal(first, second)


def test_a_negative_number_of_subdivisions_is_refused():
    with pytest.raises(ValueError, match="subdivisions"):
        icosphere(-1)


def test_it_is_the_released_template_in_another_order(shared_data: Path):
    lines = [
        line.split() for line in (shared_data / "softras_templates/sphere/sphere_642.obj").read_text().splitlines()
    ]
    theirs = torch.tensor([[float(word) for word in line[1:]] for line in lines if line[:1] == ["v"]]).double()
    released = [[int(word.split("/")[0]) - 1 for word in line[1:]] for line in lines if line[:1] == ["f"]]
    vertices, faces = icosphere()
    distance, nearest = torch.cdist(theirs, vertices).min(1)
    assert distance.max() < 2e-5
    assert len(nearest.unique()) == 642
    ours = {frozenset(face) for face in faces.tolist()}
    assert {frozenset(nearest[face].tolist()) for face in released} == ours
