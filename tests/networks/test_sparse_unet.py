import pytest
import torch

from sem3d.networks.sparse import SparseTensor
from sem3d.networks.sparse_unet import SparseUNet, SparseUNetConfig


def tiny(backend: str) -> SparseUNet:
    torch.manual_seed(1)
    planes = (4, 4, 6, 6, 6, 4, 4, 5)
    config = SparseUNetConfig(init_dim=4, planes=planes, blocks=(1, 2, 1, 1, 1, 1, 1, 1), backend=backend)
    return SparseUNet(config).double()


def shell(seed: int = 0) -> SparseTensor:
    """Two spherical shells of voxels around the origin, rows in random order."""
    grid = torch.cartesian_prod(torch.arange(2), *[torch.arange(-11, 12)] * 3)
    radius = grid[:, 1:].double().norm(dim=1)
    voxels = grid[(radius > 8 - grid[:, 0]) & (radius < 9 - grid[:, 0])]
    generator = torch.Generator().manual_seed(seed)
    voxels = voxels[torch.randperm(len(voxels), generator=generator)]
    features = torch.rand(len(voxels), 3, generator=generator, dtype=torch.float64)
    return SparseTensor(voxels.to(torch.int32), features.requires_grad_())


def test_both_backends_train_the_same_network():
    ours, theirs = tiny("torch"), tiny("minkowski")
    theirs.load_state_dict(ours.state_dict())
    results = []
    for network in (ours, theirs):
        tensor = shell()
        output = network(tensor)
        (output * torch.linspace(-1, 1, output.numel(), dtype=torch.float64).view_as(output)).sum().backward()
        gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
        results.append((output, tensor.features.grad, gradients, dict(network.named_buffers())))
    torch.testing.assert_close(results[0], results[1])


def test_rows_come_back_in_the_order_of_the_input():
    network, tensor = tiny("torch"), shell()
    order = torch.randperm(len(tensor.features), generator=torch.Generator().manual_seed(2))
    permuted = SparseTensor(tensor.coordinates[order], tensor.features[order])
    torch.testing.assert_close(network(permuted), network(tensor)[order])


def test_a_shift_by_the_coarsest_stride_changes_nothing():
    network, tensor = tiny("torch").eval(), shell()
    moved = SparseTensor(tensor.coordinates + torch.tensor([0, 16, -32, 48], dtype=torch.int32), tensor.features)
    torch.testing.assert_close(network(moved), network(tensor))


@pytest.mark.parametrize("backend", ["torch", "minkowski"])
def test_no_voxels_and_one_voxel_give_gradients(backend: str):
    for rows in (0, 1):
        network = tiny(backend)
        coordinates = torch.zeros(rows, 4, dtype=torch.int32)
        output = network(SparseTensor(coordinates, torch.ones(rows, 3, dtype=torch.float64)))
        assert output.shape == (rows, 5)
        output.sum().backward()
        assert all(bool(parameter.grad.isfinite().all()) for parameter in network.parameters())
        assert all(bool(buffer.isfinite().all()) for buffer in network.buffers())


def test_the_default_is_minkunet34c():
    network = SparseUNet()
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert shapes["conv0p1s1.kernel"] == (125, 3, 32)
    assert shapes["conv4p8s2.kernel"] == (8, 128, 128)
    assert shapes["convtr4p16s2.kernel"] == (8, 256, 256)
    assert shapes["block5.0.conv1.kernel"] == (27, 256 + 128, 256)
    assert shapes["block8.0.downsample.0.kernel"] == (1, 96 + 32, 96)
    assert [len(network.get_submodule(f"block{stage}")) for stage in range(1, 9)] == [2, 3, 4, 6, 2, 2, 2, 2]
    assert network.out_channels == 96
