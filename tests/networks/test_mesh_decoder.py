"""Shape encoder and mesh decoder: sizes, the vertex formula, its seams, and gradients."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sem3d.geometry.icosphere import icosphere
from sem3d.networks.batch_norm import GlobalBatchNorm
from sem3d.networks.mesh_decoder import MeshDecoder, MeshDecoderConfig
from sem3d.networks.shape_encoder import ShapeEncoder, ShapeEncoderConfig
from tests.reference.mesh_decoder import deform

SMALL = MeshDecoderConfig(subdivisions=1, hidden=6)


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_sizes_are_the_released_ones():
    with torch.device("meta"):
        encoder = ShapeEncoder(ShapeEncoderConfig())
    assert [tuple(p.shape) for p in encoder.parameters() if p.dim() > 1] == [
        (64, 4, 5, 5),
        (128, 64, 5, 5),
        (256, 128, 5, 5),
        (1024, 16384),
        (1024, 1024),
        (512, 1024),
    ]
    decoder = MeshDecoder(MeshDecoderConfig())
    assert [tuple(p.shape) for p in decoder.parameters() if p.dim() > 1] == [
        (1024, 512),
        (2048, 1024),
        (3, 2048),
        (1926, 2048),
    ]
    assert decoder.faces.shape == (1280, 3)
    assert set(decoder.state_dict()) == {name for name, _ in decoder.named_parameters()}


@pytest.mark.parametrize("batch_norm", [False, True])
def test_an_image_becomes_a_mesh_within_the_unit_cube_and_gradients_reach_every_parameter(batch_norm):
    torch.manual_seed(0)
    encoder = ShapeEncoder(ShapeEncoderConfig(width=4, hidden=32, dim=16, batch_norm=batch_norm))
    decoder = MeshDecoder(SMALL, 16)
    assert any(isinstance(module, GlobalBatchNorm) for module in encoder.modules()) == batch_norm
    vertices = decoder(encoder(torch.rand(3, 4, 64, 64)))
    assert vertices.shape == (3, 42, 3)
    vertices.square().sum().backward()
    for name, weight in [*encoder.named_parameters(), *decoder.named_parameters()]:
        cancelled = batch_norm and name.startswith("convolutions") and name.endswith(("0.bias", "3.bias", "6.bias"))
        assert cancelled or weight.grad.abs().sum() > 0, name


@given(seed=st.integers(0, 99), size=st.sampled_from([0.1, 1.0, 30.0]))
@settings(deadline=None, max_examples=10)
def test_vertices_equal_the_formula_with_infinite_logits_and_stay_in_the_unit_cube(seed, size):
    decoder = MeshDecoder(SMALL, 5).double()
    centroid, bias = size * random(2, 3, seed=seed), size * random(2, 42, 3, seed=seed + 1)
    vertices = decoder.deform(centroid, bias)
    expected = [deform(icosphere(1)[0].numpy(), c.numpy(), b.numpy(), 0.1) for c, b in zip(centroid, bias, strict=True)]
    torch.testing.assert_close(vertices, torch.stack([torch.from_numpy(item) for item in expected]), rtol=0, atol=1e-7)
    assert vertices.abs().max() <= 0.5


def test_zero_heads_give_the_sphere_of_a_quarter_radius():
    decoder = MeshDecoder(SMALL, 5).double()
    zero = torch.zeros(1, 42, 3, dtype=torch.float64)
    torch.testing.assert_close(decoder.deform(zero[:, 0], zero)[0], icosphere(1)[0] / 4, rtol=0, atol=1e-7)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
@pytest.mark.parametrize("bias", [0.0, 3.0, -200.0, 1e4])
def test_seams_follow_the_centroid_only_without_nan_in_value_or_gradient(bias, kind):
    decoder = MeshDecoder(SMALL, 5).to(kind)
    heads = torch.full((1, 42, 3), bias, dtype=kind, requires_grad=True)
    centroid = torch.tensor([[0.0, 2.0, -50.0]], dtype=kind, requires_grad=True)
    vertices = decoder.deform(centroid, heads)
    vertices.sum().backward()
    seam = icosphere(1)[0] == 0
    assert seam.any(0).all()
    centre = (torch.tanh(0.1 * centroid) / 2).expand(42, 3)
    torch.testing.assert_close(vertices[0][seam], centre[seam], rtol=0, atol=0)
    assert (vertices[0, :, 0][seam[:, 0]] == 0).all()
    assert (heads.grad[0][seam] == 0).all()
    assert heads.grad.isfinite().all()
    assert centroid.grad.isfinite().all()


def test_the_formula_passes_gradcheck():
    decoder = MeshDecoder(MeshDecoderConfig(subdivisions=0, hidden=2), 5).double()
    assert torch.autograd.gradcheck(decoder.deform, (random(2, 3).requires_grad_(), random(2, 12, 3).requires_grad_()))


def test_positions_stay_float32_under_autocast():
    decoder = MeshDecoder(SMALL, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert decoder(torch.rand(2, 16)).dtype == torch.float32
