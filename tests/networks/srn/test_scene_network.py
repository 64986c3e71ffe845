"""Hypernetwork, field, ray marcher and renderers: against naive float64, in closed form, and their gradients."""

import numpy as np
import torch
from torch import nn
from torch.testing import assert_close

from sem3d.config import OptimizerConfig
from sem3d.geometry.rays import Rays, rays_of_pixels
from sem3d.methods.optimizers import build_optimizer
from sem3d.networks.srn.hyper_network import FieldConfig, HyperNetwork, LinearMaps, field_features
from sem3d.networks.srn.latent_table import LatentTable
from sem3d.networks.srn.point_renderer import PointRenderer
from sem3d.networks.srn.ray_marcher import RayMarcher, RayMarcherConfig
from sem3d.networks.srn.scene_network import SceneConfig, SceneNetwork
from tests.reference.srn import maps_of, ray_of_pixel, render_ray

SMALL = SceneConfig(
    field=FieldConfig(latent=5, width=6, layers=3),
    marcher=RayMarcherConfig(steps=3, hidden=4),
    color_layers=2,
    alpha=True,
)


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def network(config: SceneConfig = SMALL) -> SceneNetwork:
    torch.manual_seed(0)
    made = SceneNetwork(config).double()
    with torch.no_grad():  # LayerNorm's weights start at 1 and 0, where their order could not be seen
        for name, value in made.named_parameters():
            if value.dim() == 1:
                value.add_(0.1 * random(len(value), seed=len(name)))
    return made


def rays_of(objects: int, rays: int, seed: int = 1) -> Rays:
    direction = nn.functional.normalize(random(objects, rays, 3, seed=seed), dim=-1)
    cosine = 0.5 + 0.5 * torch.rand(objects, rays, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return Rays(random(objects, rays, 3, seed=seed + 1), direction, cosine)


def weights_of(module: nn.Module) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in module.state_dict().items()}


def test_rendering_is_that_of_the_naive_reference():
    scene, latents, rays = network(), random(3, 5, seed=3), rays_of(3, 4)
    found = scene(latents, rays)
    weights = weights_of(scene)
    for owner in range(3):
        maps = maps_of(weights, latents[owner].numpy())
        for ray in range(4):
            given = (part[owner, ray].numpy() for part in rays)
            expected = render_ray(weights, maps, *given, steps=3, start=0.05)
            ours = (found.features, found.distance, found.color)
            for value, wanted in zip(ours, expected, strict=True):
                assert_close(value[owner, ray].detach().numpy(), np.asarray(wanted), rtol=1e-10, atol=1e-12)


def test_gradients_of_latents_cameras_and_weights_are_right():
    scene, rays = network(), rays_of(2, 2)
    names = ("hyper.heads.1.6.weight", "marcher.cell.weight_hh", "color.0.weight")
    held = [dict(scene.named_parameters())[name] for name in names]

    def rendered(latents, origin, *weights):
        moved = Rays(origin, rays.direction, rays.cosine)
        found = torch.func.functional_call(scene, dict(zip(names, weights, strict=True)), (latents, moved))
        return found.color, found.distance

    given = [random(2, 5, seed=4), rays.origin, *(value.detach().clone() for value in held)]
    assert torch.autograd.gradcheck(rendered, [value.requires_grad_() for value in given], atol=1e-6)


def test_objects_rendered_together_are_those_rendered_alone():
    scene, latents, rays = network(), random(3, 5, seed=3), rays_of(3, 4)
    together = scene(latents, rays)
    for owner in (2, 0, 1):
        alone = scene(latents[owner : owner + 1], Rays(*(part[owner : owner + 1] for part in rays)))
        for whole, part in zip(together, alone, strict=True):
            assert_close(whole[owner], part[0])


def test_a_picture_in_tiles_is_the_picture():
    scene, latents, rays = network(), random(2, 5, seed=3), rays_of(2, 7)
    whole, tiles = scene(latents, rays), scene.picture(latents, rays, at_once=3)
    for one, other in zip(whole, tiles, strict=True):
        assert_close(one, other)
        assert not other.requires_grad


def test_a_field_of_two_features_tells_the_sides_of_a_plane():
    """LayerNorm of two numbers is +1 and -1, whichever is larger: the field shows on which side of x = 0.25 a point is."""
    weight = torch.tensor([[[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]], dtype=torch.float64)
    maps = [LinearMaps(weight, torch.tensor([[[0.0, 0.25]]], dtype=torch.float64))]
    points = torch.tensor([[[2.0, 9.0, 9.0], [-1.0, 9.0, 9.0]]], dtype=torch.float64)
    assert_close(field_features(maps, points), torch.tensor([[[1.0, 0.0], [0.0, 1.0]]]).double(), rtol=0, atol=1e-4)


def test_steps_of_equal_length_end_at_their_sum():
    marcher = RayMarcher(RayMarcherConfig(steps=10, hidden=4, start=0.05), width=2).double()
    with torch.no_grad():
        marcher.step_length.weight.zero_()
        marcher.step_length.bias.fill_(0.13)
    rays = rays_of(2, 3)
    distance = marcher(lambda points: points[..., :2], rays)
    assert_close(distance, 0.05 / rays.cosine + 1.3)


def test_a_march_reaches_a_sphere():
    """Features that hold the signed distance to a sphere, and an LSTM that opens its gates and answers with a share of it."""
    marcher = RayMarcher(RayMarcherConfig(steps=40, hidden=1), width=1).double()
    scale, much = 1e-3, 30.0
    with torch.no_grad():
        for value in marcher.parameters():
            value.zero_()
        marcher.cell.bias_ih.copy_(torch.tensor([much, -much, 0.0, much]))  # admit all, forget all, show all
        marcher.cell.weight_ih[2] = scale  # tanh is the identity there
        marcher.step_length.weight.fill_(1 / scale)
    direction = nn.functional.normalize(
        torch.tensor([[[0.0, 0.0, 1.0], [0.1, 0.0, 1.0], [0.0, -0.2, 1.0]]]).double(), dim=-1
    )
    origin = torch.tensor([0.0, 0.0, -2.0]).double().expand(1, 3, 3)
    distance = marcher(
        lambda points: points.norm(dim=-1, keepdim=True) - 0.5, Rays(origin, direction, direction[..., 2])
    )
    along = -(origin * direction).sum(-1)
    expected = along - (along.square() - 4 + 0.25).sqrt()
    assert_close(distance, expected, rtol=0, atol=1e-3)


def test_rays_are_those_of_the_naive_reference_and_meet_their_pixels():
    intrinsics = torch.tensor([[30.0, 0.0, 7.5], [0.0, 28.0, 9.0], [0.0, 0.0, 1.0]]).double().expand(2, 3, 3)
    turns, _ = torch.linalg.qr(random(2, 2, 3, 3, seed=5))
    poses = torch.eye(4).double().repeat(2, 2, 1, 1)
    poses[..., :3, :3], poses[..., :3, 3] = turns, random(2, 2, 3, seed=6)
    pixels = 16 * torch.rand(2, 2, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(7))
    rays = rays_of_pixels(pixels, intrinsics, poses)
    for owner, view, ray in np.ndindex(2, 2, 3):
        given = (pixels[owner, view, ray], intrinsics[owner], poses[owner, view])
        for part, wanted in zip(rays, ray_of_pixel(*(value.numpy() for value in given)), strict=True):
            assert_close(part[owner, 3 * view + ray].numpy(), np.asarray(wanted))
    points = rays.points(torch.full((2, 6), 1.7).double()).view(2, 2, 3, 3)
    camera = torch.einsum("ovji,ovrj->ovri", poses[..., :3, :3], points - poses[:, :, None, :3, 3])
    assert_close(camera[..., 2], 1.7 * rays.cosine.view(2, 2, 3))
    seen = torch.einsum("oij,ovrj->ovri", intrinsics, camera)
    assert_close(seen[..., :2] / seen[..., 2:], pixels)


def test_the_ray_of_a_pixel_right_and_below_goes_right_and_down():
    intrinsics = torch.tensor([[[10.0, 0.0, 4.0], [0.0, 10.0, 4.0], [0.0, 0.0, 1.0]]])
    rays = rays_of_pixels(torch.tensor([[[[9.0, 4.0], [4.0, 9.0]]]]), intrinsics, torch.eye(4)[None, None])
    right, below = rays.direction[0]
    assert right[0] > 0
    assert right[1] == 0
    assert below[1] > 0
    assert below[0] == 0


def test_sizes_are_those_of_the_paper():
    with torch.device("meta"):
        scene = SceneNetwork(SceneConfig())
    shapes = {name: tuple(value.shape) for name, value in scene.named_parameters() if value.dim() > 1}
    assert [shapes[f"hyper.heads.{layer}.6.weight"] for layer in range(4)] == [(1024, 256), *[(65792, 256)] * 3]
    assert shapes["marcher.cell.weight_ih"] == (1024, 256)
    assert [shapes[f"color.{place}.weight"] for place in (0, 3, 6, 9)] == [(256, 256)] * 3 + [(3, 256)]
    assert scene.marcher.steps == 10


def test_first_features_differ_between_points_and_objects():
    torch.manual_seed(0)
    hyper = HyperNetwork(FieldConfig(latent=16, width=16))
    features = field_features(hyper(torch.randn(2, 16)), torch.randn(1, 50, 3).expand(2, 50, 3))
    assert features.std(1).mean() > 0.1
    assert (features[0] - features[1]).abs().mean() > 0.1


def test_a_linear_classifier_is_one_linear_map():
    classifier = PointRenderer(6, 1, 4)
    assert [tuple(value.shape) for value in classifier.parameters()] == [(4, 6), (4,)]
    classifier.answer(7)
    assert classifier(torch.zeros(2, 5, 6)).shape == (2, 5, 7)


def test_only_latents_of_the_batch_move():
    torch.manual_seed(0)
    table = LatentTable(5, 3)
    before = table.weight.detach().clone()
    optimizer = build_optimizer(table.parameters(), OptimizerConfig(kind="sparse_adam", lr=0.1))
    for instance in ([3, 3], [3, 1]):
        table.weight.grad = None
        table(torch.tensor(instance)).sum().backward()
        optimizer.step()
    way = (before - table.weight).detach()
    assert way[3].min() > 0.15
    assert way[1].min() > 0.01
    assert not way[[0, 2, 4]].any()


def test_a_table_has_room_for_what_comes():
    table = LatentTable(0, 3)
    table.requires_grad_(False)
    table.fit(4)
    assert table.weight.shape == (4, 3)
    assert not table.weight.requires_grad
    kept = table.weight
    table.fit(4)
    assert table.weight is kept
    assert_close(table(torch.tensor([-1, 2])), table.weight[[0, 2]])
