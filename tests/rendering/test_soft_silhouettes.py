"""The fast silhouettes against a naive rasteriser, PyTorch3D, finite differences and closed forms."""

import math

import pytest
import torch

import sem3d.rendering.strips as strips
from sem3d.errors import UserError
from sem3d.geometry.object_views import eyes_of_views, to_device_coordinates
from sem3d.rendering import soft_silhouettes
from tests.reference.soft_silhouettes import soft_silhouettes as naive

SIZE, SIGMA = 16, 2e-3


def scene(seed: int, batch: int = 2, points: int = 9, count: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    """A soup of triangles, some beyond the image, one without area, one that reaches behind the camera."""
    random = torch.Generator().manual_seed(seed)
    vertices = torch.rand(batch, points, 3, generator=random, dtype=torch.float64) * 2.8 - 1.4
    vertices[..., 2] = vertices[..., 2].abs() + 0.1
    vertices[:, 0, 2] = -1.0
    faces = torch.stack([torch.randperm(points - 1, generator=random)[:3] + 1 for _ in range(count)])
    return vertices, torch.cat([faces, torch.tensor([[0, 1, 2], [3, 3, 4]])])


def sphere(views: list[int], dtype=torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    """A bumpy grid sphere of 240 faces in NDC, once for each view."""
    rows, columns = 9, 15
    polar, turn = torch.meshgrid(
        torch.linspace(0.05, 3.09, rows), torch.arange(columns) * (math.tau / columns), indexing="ij"
    )
    radius = 0.35 + 0.08 * torch.sin(5 * turn + 3 * polar)
    points = torch.stack([polar.sin() * turn.cos(), polar.cos(), polar.sin() * turn.sin()], -1) * radius[..., None]
    row, column = torch.meshgrid(torch.arange(rows - 1), torch.arange(columns), indexing="ij")
    corner = [((row + i) * columns + (column + j) % columns).flatten() for i in (0, 1) for j in (0, 1)]
    faces = torch.cat([torch.stack(corner[:3], 1), torch.stack([corner[3], corner[2], corner[1]], 1)])
    vertices = points.reshape(1, -1, 3).to(dtype).expand(len(views), -1, -1)
    return to_device_coordinates(vertices, eyes_of_views(torch.tensor(views), dtype=dtype)), faces


def gradient(draw, vertices, weights) -> tuple[torch.Tensor, torch.Tensor]:
    leaf = vertices.clone().requires_grad_()
    image = draw(leaf)
    (image * weights).sum().backward()
    return image.detach(), leaf.grad


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("size", [SIZE, 13])
def test_image_and_gradient_equal_the_naive_rasteriser(seed, size):
    vertices, faces = scene(seed)
    weights = torch.rand(2, size, size, dtype=torch.float64)
    image, grad = gradient(lambda v: soft_silhouettes(v, faces, size=size, sigma=SIGMA), vertices, weights)
    expected, expected_grad = gradient(lambda v: naive(v, faces, size, SIGMA), vertices, weights)
    torch.testing.assert_close(image, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(grad, expected_grad, rtol=1e-9, atol=1e-9)


def test_gradients_pass_gradcheck():
    vertices, faces = scene(7, batch=1, points=6, count=4)

    def image(plane: torch.Tensor) -> torch.Tensor:
        return soft_silhouettes(torch.cat([plane, vertices[..., 2:]], -1), faces, size=8, sigma=0.02)

    assert torch.autograd.gradcheck(image, vertices[..., :2].clone().requires_grad_(), fast_mode=True)
    small, small_faces = scene(3, batch=1, points=5, count=1)
    assert torch.autograd.gradcheck(
        lambda v: soft_silhouettes(v, small_faces, size=6, sigma=0.02), small.clone().requires_grad_()
    )


def test_image_and_gradient_equal_pytorch3d_at_the_paper_s_sigma():
    vertices, faces = sphere([0, 7])
    weights = torch.rand(2, 64, 64)
    image, grad = gradient(lambda v: soft_silhouettes(v, faces), vertices, weights)
    expected, expected_grad = gradient(lambda v: soft_silhouettes(v, faces, backend="pytorch3d"), vertices, weights)
    assert 0.05 < image.mean() < 0.5
    torch.testing.assert_close(image, expected, rtol=0, atol=1e-4)
    torch.testing.assert_close(grad, expected_grad, rtol=0, atol=1e-4 * float(expected_grad.abs().max()))


@pytest.mark.parametrize("backend", ["fast", "pytorch3d"])
def test_x_points_right_and_y_up(backend):
    vertices = torch.tensor([[[0.5, 0.5, 1.0], [1.0, 0.5, 1.0], [0.5, 1.0, 1.0]]])
    image = soft_silhouettes(vertices, torch.tensor([[0, 1, 2]]), size=32, backend=backend)[0]
    rows, columns = torch.nonzero(image > 0.5, as_tuple=True)
    assert rows.max() < 8
    assert columns.min() >= 24


def test_coverage_of_a_half_plane_is_a_sigmoid_of_the_squared_distance():
    vertices = torch.tensor([[[0.0, -50.0, 1.0], [0.0, 50.0, 1.0], [-90.0, 0.0, 1.0]]], dtype=torch.float64)
    image = soft_silhouettes(vertices, torch.tensor([[0, 1, 2]]), size=10, sigma=0.05)[0, 5]
    x = (torch.arange(10, dtype=torch.float64) * 2 + 1) / 10 - 1
    torch.testing.assert_close(image, torch.sigmoid(-x * x.abs() / 0.05))


def test_either_winding_covers_alike():
    vertices, faces = scene(1)
    both = [soft_silhouettes(vertices, order, size=SIZE, sigma=SIGMA) for order in (faces, faces.flip(1))]
    torch.testing.assert_close(*both, rtol=0, atol=1e-14)


def test_chunks_of_any_size_give_the_same(monkeypatch):
    vertices, faces = scene(2)
    weights = torch.rand(2, SIZE, SIZE, dtype=torch.float64)
    whole = gradient(lambda v: soft_silhouettes(v, faces, size=SIZE, sigma=SIGMA), vertices, weights)
    monkeypatch.setattr(strips, "STRIPS_AT_A_TIME", {"cpu": 3})
    cut = gradient(lambda v: soft_silhouettes(v, faces, size=SIZE, sigma=SIGMA), vertices, weights)
    torch.testing.assert_close(whole, cut)


@pytest.mark.parametrize("backend", ["fast", "pytorch3d"])
@pytest.mark.parametrize("depth", [1.0, -1.0])
def test_faces_without_area_or_behind_the_camera_leave_no_trace(backend, depth):
    flat = [[0.0, 0.0, depth], [0.5, 0.5, depth], [-0.5, -0.5, depth]]
    behind = [[0.1, 0.0, -1.0], [0.5, 0.9, 1.0], [-0.5, -0.5, 1.0]]
    vertices = torch.tensor([flat + behind])
    weights = torch.ones(1, 8, 8)
    faces = torch.tensor([[0, 1, 2], [0, 0, 0], [3, 4, 5]])
    image, grad = gradient(lambda v: soft_silhouettes(v, faces, size=8, backend=backend), vertices, weights)
    assert not image.any()
    assert not grad.any()


@pytest.mark.parametrize("backend", ["fast", "pytorch3d"])
def test_only_the_image_whose_vertices_are_not_finite_is_nan(backend):
    vertices, faces = sphere([0, 1])
    vertices[1, 3, 0] = math.inf
    image = soft_silhouettes(vertices, faces, size=8, backend=backend)
    assert image[0].isfinite().all()
    assert image[1].isnan().all()


def test_no_faces_and_no_images_are_empty():
    vertices, faces = scene(0)
    leaf = vertices.requires_grad_()
    image = soft_silhouettes(leaf, faces[:0], size=4)
    image.sum().backward()
    assert not image.any()
    assert not leaf.grad.any()
    assert soft_silhouettes(vertices[:0], faces, size=4).shape == (0, 4, 4)


def test_saturated_pixels_are_exactly_one_and_huge_triangles_stay_finite():
    corners = torch.tensor([[[-1e6, -1e6, 1.0], [1e6, -1e6, 1.0], [0.0, 1e6, 1.0]]])
    image, grad = gradient(lambda v: soft_silhouettes(v, torch.tensor([[0, 1, 2]])), corners, torch.ones(1, 64, 64))
    assert (image == 1).all()
    assert not grad.any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    vertices, faces = sphere([4])
    image = soft_silhouettes(vertices.to(dtype), faces, size=16)
    assert image.dtype == torch.float32
    torch.testing.assert_close(image, soft_silhouettes(vertices.to(dtype).float(), faces, size=16))


@pytest.mark.parametrize(
    ("wrong", "reason"), [({"backend": "opengl"}, "fast"), ({"size": 0}, "positive"), ({"sigma": 0.0}, "positive")]
)
def test_settings_that_cannot_be_drawn_are_refused(wrong, reason):
    vertices, faces = scene(0)
    with pytest.raises(UserError, match=reason):
        soft_silhouettes(vertices, faces, **wrong)


def test_a_face_that_names_no_vertex_of_its_own_image_is_refused():
    vertices, faces = scene(0)
    with pytest.raises(UserError, match="outside 0 to 8"):
        soft_silhouettes(vertices, faces + 3)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_gpu_gives_the_cpu_s_image_and_gradient():
    vertices, faces = sphere([0, 5])
    weights = torch.rand(2, 64, 64)
    here = gradient(lambda v: soft_silhouettes(v, faces), vertices, weights)
    there = gradient(lambda v: soft_silhouettes(v, faces.cuda()), vertices.cuda(), weights.cuda())
    torch.testing.assert_close(here[0], there[0].cpu(), rtol=0, atol=1e-5)
    torch.testing.assert_close(here[1], there[1].cpu(), rtol=1e-3, atol=1e-3)
