"""Laplacian and flattening losses against plain loops, closed forms, and the released edge set."""

from pathlib import Path

import numpy as np
import pytest
import torch

from sem3d.losses.mesh_smoothness import flattening_loss, hinges, laplacian_loss, neighbours
from tests.reference import mesh_smoothness as reference

TETRAHEDRON = torch.tensor([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]])
SQUARE = torch.tensor([[0, 1, 2], [0, 2, 3]])
FAN = torch.tensor([[0, 1, 2], [1, 0, 3], [0, 1, 4], [5, 2, 1]])


def points(count: int, batch: int = 2) -> torch.Tensor:
    return torch.rand(batch, count, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(count))


def random_faces(count: int, vertices: int) -> torch.Tensor:
    rng = np.random.default_rng(count)
    faces = np.unique(np.sort([rng.choice(vertices, 3, replace=False) for _ in range(count)], axis=1), axis=0)
    return torch.from_numpy(rng.permuted(faces, axis=1))


@pytest.mark.parametrize("faces", [TETRAHEDRON, SQUARE, FAN, random_faces(25, 8)])
def test_losses_equal_plain_loops_on_closed_open_and_branching_meshes(faces):
    vertices = points(int(faces.max()) + 1)
    laplacian = laplacian_loss(vertices, neighbours(faces))
    flattening = flattening_loss(vertices, hinges(faces))
    for value, loops in ((laplacian, reference.laplacian), (flattening, reference.flattening)):
        expected = np.mean([loops(item.numpy(), faces.numpy()) for item in vertices])
        assert float(value) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("over", ["sum", "mean"])
def test_gradients_pass_gradcheck(over):
    vertices = points(6).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: laplacian_loss(v, neighbours(FAN), over), vertices)
    assert torch.autograd.gradcheck(lambda v: flattening_loss(v, hinges(FAN), over), vertices)


def test_a_flat_square_costs_nothing_a_right_angle_one_and_a_closed_book_four():
    for height, across, cost in ((0.0, 1.0, 0.0), (1.0, 0.0, 1.0), (0.0, -1.0, 4.0)):
        vertices = torch.tensor([[[0, 0, 0], [-1.0, 1, 0], [0, 2, 0], [across, 1, height]]], dtype=torch.float64)
        assert float(flattening_loss(vertices, hinges(SQUARE))) == pytest.approx(cost, abs=1e-12)


def test_mean_divides_by_vertices_and_by_hinges():
    vertices, edges, folds = points(4), neighbours(TETRAHEDRON), hinges(TETRAHEDRON)
    torch.testing.assert_close(laplacian_loss(vertices, edges, "mean") * 4, laplacian_loss(vertices, edges))
    torch.testing.assert_close(flattening_loss(vertices, folds, "mean") * 6, flattening_loss(vertices, folds))


def test_vertices_without_neighbours_and_faces_without_area_cost_nothing_and_give_no_nan():
    vertices = torch.zeros(1, 5, 3, requires_grad=True)
    faces = torch.cat([SQUARE, torch.tensor([[1, 1, 2]])])
    loss = laplacian_loss(vertices, neighbours(faces)) + flattening_loss(vertices, hinges(faces))
    loss.backward()
    assert loss.item() == 0
    assert not vertices.grad.any()


def test_a_mesh_without_shared_edges_has_no_hinges_and_a_loss_of_zero():
    assert hinges(SQUARE[:1]).shape == hinges(SQUARE[:0]).shape == (0, 4)
    assert float(flattening_loss(points(4), hinges(SQUARE[:1]), "mean")) == 0


def test_the_released_edge_set_is_whole_on_the_released_sphere(shared_data: Path):
    template = next((shared_data / "softras_templates").rglob("*642*.obj"))
    lines = [line.split() for line in template.read_text().splitlines() if line.startswith("f ")]
    faces = torch.tensor([[int(word.split("/")[0]) - 1 for word in line[1:]] for line in lines])
    released = torch.cat([faces[:, :2], faces[:, 1:]]).sort(1).values.unique(dim=0)
    assert len(neighbours(faces)) == len(hinges(faces)) == 1920
    torch.testing.assert_close(released, neighbours(faces))
