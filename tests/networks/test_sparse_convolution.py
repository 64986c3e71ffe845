import logging

import pytest
import torch
from torch import Tensor

from sem3d.errors import UserError
from sem3d.networks.sparse import SparseConvolution, SparseTensor, SparseTransposedConvolution, minkowski_backend
from sem3d.networks.sparse import convolution as convolution_module
from sem3d.networks.sparse import tensor as tensor_module
from tests.reference import sparse_convolution as reference

SUBMANIFOLD = [1, 3, 5]
BACKENDS = ["torch", "minkowski"]


def random_voxels(count: int = 150, seed: int = 0) -> Tensor:
    """Distinct voxels of three batch items, with negative coordinates, in random order."""
    generator = torch.Generator().manual_seed(seed)
    low, high = torch.tensor([0, -4, -3, -5]), torch.tensor([3, 4, 4, 3])
    cells = torch.cartesian_prod(*[torch.arange(a, b) for a, b in zip(low.tolist(), high.tolist(), strict=True)])
    return cells[torch.randperm(len(cells), generator=generator)[:count]].to(torch.int32)


def random_input(dim: int = 3, count: int = 150, seed: int = 0) -> SparseTensor:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(count, dim, generator=generator, dtype=torch.float64)
    return SparseTensor(random_voxels(count, seed), features.requires_grad_())


def layer(kind: str, backend: str = "torch", inputs: int = 3, outputs: int = 4) -> SparseConvolution:
    torch.manual_seed(7)
    made = {
        "k1": lambda: SparseConvolution(inputs, outputs, 1, bias=True, backend=backend),
        "k3": lambda: SparseConvolution(inputs, outputs, 3, backend=backend),
        "k5": lambda: SparseConvolution(inputs, outputs, 5, bias=True, backend=backend),
        "down": lambda: SparseConvolution(inputs, outputs, 2, stride=2, backend=backend),
        "up": lambda: SparseTransposedConvolution(inputs, outputs, backend=backend),
    }
    return made[kind]().double()


def coarse_input(tensor: SparseTensor) -> SparseTensor:
    """Random features on the stride-2 voxels of an input."""
    rows = len(tensor.pyramid.coordinates(2))
    generator = torch.Generator().manual_seed(3)
    features = torch.randn(rows, 3, generator=generator, dtype=torch.float64)
    return tensor.with_features(features.requires_grad_(), stride=2)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kernel_size", SUBMANIFOLD)
def test_submanifold_convolution_is_the_sum_over_existing_neighbours(kernel_size: int, backend: str):
    tensor = random_input()
    convolution = SparseConvolution(3, 4, kernel_size, backend=backend).double()
    voxels = [tuple(row) for row in tensor.coordinates.tolist()]
    expected = reference.convolution(
        tensor.coordinates.numpy(),
        tensor.features.detach().numpy(),
        convolution.kernel.detach().numpy(),
        kernel_size,
        1,
        voxels,
    )
    torch.testing.assert_close(convolution(tensor).features, torch.from_numpy(expected), check_device=False)


@pytest.mark.parametrize("backend", BACKENDS)
def test_strided_and_transposed_convolution_follow_the_definition_at_two_strides(backend: str):
    tensor = random_input()
    first, second = layer("down", backend, 3, 4), layer("down", backend, 4, 4)
    middle = first(tensor)
    coarse = second(middle)
    up = layer("up", backend, 4, 3)
    back = up(coarse)
    middle_voxels = reference.coarse_voxels(tensor.coordinates.numpy(), 2)
    coarse_voxels = reference.coarse_voxels(tensor.coordinates.numpy(), 4)
    assert [tuple(row) for row in coarse.coordinates.tolist()] == coarse_voxels
    expected_middle = reference.convolution(
        tensor.coordinates.numpy(), tensor.features.detach().numpy(), first.kernel.detach().numpy(), 2, 1, middle_voxels
    )
    torch.testing.assert_close(middle.features, torch.from_numpy(expected_middle))
    expected_coarse = reference.convolution(
        middle.coordinates.numpy(), expected_middle, second.kernel.detach().numpy(), 2, 2, coarse_voxels
    )
    torch.testing.assert_close(coarse.features, torch.from_numpy(expected_coarse))
    expected_back = reference.transposed_convolution(
        coarse.coordinates.numpy(), expected_coarse, up.kernel.detach().numpy(), 4, middle_voxels
    )
    torch.testing.assert_close(back.features, torch.from_numpy(expected_back))


@pytest.mark.parametrize("kind", ["k1", "k3", "k5", "down", "up"])
def test_both_backends_give_the_same_values_and_gradients_from_the_same_state(kind: str):
    ours, theirs = layer(kind, "torch"), layer(kind, "minkowski")
    theirs.load_state_dict(ours.state_dict())
    results = []
    for module in (ours, theirs):
        tensor = coarse_input(random_input()) if kind == "up" else random_input()
        output = module(tensor)
        weights = torch.arange(output.features.numel(), dtype=torch.float64).view_as(output.features).sin()
        (output.features * weights).sum().backward()
        results.append((output.coordinates, output.features, tensor.features.grad, module.kernel.grad))
    for own, other in zip(*results, strict=True):
        torch.testing.assert_close(own, other)


@pytest.mark.parametrize("kind", ["k3", "k5", "down", "up"])
def test_gradients_are_those_of_finite_differences(kind: str):
    module = layer(kind, "torch", 2, 2)
    fine = random_input(dim=2, count=14)
    if kind == "up":
        coarse = fine.pyramid.coordinates(2)
        fine = fine.with_features(torch.randn(len(coarse), 2, dtype=torch.float64), stride=2)

    def run(features: Tensor, kernel: Tensor) -> Tensor:
        return torch.func.functional_call(module, {"kernel": kernel}, (fine.with_features(features),)).features

    features = fine.features.detach().requires_grad_()
    assert torch.autograd.gradcheck(run, (features, module.kernel.detach().requires_grad_()))


def test_blocks_of_rows_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch):
    results = []
    for rows in (1000, 37):
        monkeypatch.setitem(tensor_module.BLOCK_ROWS, "cpu", rows)
        tensor = random_input()
        middle = layer("down", "torch", 3, 3)(layer("k3", "torch", 3, 3)(tensor))
        output = layer("up", "torch", 3, 3)(middle).features
        output.square().sum().backward()
        results.append((output, tensor.features.grad))
    torch.testing.assert_close(results[0], results[1])


@pytest.mark.parametrize("kind", ["k3", "k5"])
def test_permuted_rows_give_permuted_outputs(kind: str):
    tensor = random_input()
    order = torch.randperm(len(tensor.features), generator=torch.Generator().manual_seed(5))
    permuted = SparseTensor(tensor.coordinates[order], tensor.features[order])
    module = layer(kind)
    torch.testing.assert_close(module(permuted).features, module(tensor).features[order])


def test_translated_voxels_give_the_same_outputs():
    tensor = random_input()
    moved = SparseTensor(tensor.coordinates + torch.tensor([0, -1000, 30, 7], dtype=torch.int32), tensor.features)
    module = layer("k3")
    assert torch.equal(module(moved).features, module(tensor).features)


def test_voxels_of_different_items_never_meet():
    coordinates = torch.tensor([[0, 0, 0, 0], [1, 0, 0, 1], [2, 1, 0, 0]], dtype=torch.int32)
    features = torch.eye(3, dtype=torch.float64)
    module = layer("k3", inputs=3)
    torch.testing.assert_close(module(SparseTensor(coordinates, features)).features, module.kernel[13])


def test_the_same_input_gives_the_same_bits():
    runs = []
    for _ in range(2):
        tensor = random_input()
        module = layer("k3")
        output = module(tensor).features
        output.square().sum().backward()
        runs.append((output, tensor.features.grad, module.kernel.grad))
    assert all(torch.equal(first, second) for first, second in zip(*runs, strict=True))


@pytest.mark.parametrize("backend", ["auto", *BACKENDS])
@pytest.mark.parametrize("kind", ["k1", "k3", "k5", "down", "up"])
def test_no_voxels_give_no_rows_and_zero_gradients(kind: str, backend: str):
    empty = SparseTensor(torch.zeros(0, 4, dtype=torch.int32), torch.zeros(0, 3, dtype=torch.float64).requires_grad_())
    tensor = empty.with_features(empty.features, stride=2) if kind == "up" else empty
    module = layer(kind, backend)
    output = module(tensor)
    assert output.features.shape == (0, 4)
    output.features.sum().backward()
    assert torch.equal(module.kernel.grad, torch.zeros_like(module.kernel))
    assert empty.features.grad.shape == (0, 3)


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_item_without_voxels_changes_nothing_for_the_others(backend: str):
    tensor = random_input()
    kept = tensor.coordinates[:, 0] != 1
    module = layer("down", backend)
    alone = module(SparseTensor(tensor.coordinates[kept], tensor.features[kept]))
    together = module(tensor)
    torch.testing.assert_close(alone.features, together.features[together.coordinates[:, 0] != 1])


def test_weights_only_and_features_only_gradients():
    tensor = random_input()
    module = layer("k3")
    (to_weight,) = torch.autograd.grad(
        module(tensor.with_features(tensor.features.detach())).features.sum(), module.kernel
    )
    module.kernel.requires_grad_(False)
    (to_features,) = torch.autograd.grad(module(tensor).features.sum(), tensor.features)
    both = torch.autograd.grad(layer("k3")(tensor).features.sum(), tensor.features)
    assert to_weight.abs().sum() > 0
    torch.testing.assert_close(to_features, both[0])


@pytest.mark.parametrize("backend", BACKENDS)
def test_bfloat16_autocast_stays_close_to_full_precision(backend: str):
    tensor = random_input()
    tensor = tensor.with_features(tensor.features.detach().float().requires_grad_())
    module = layer("k3", backend).float()
    exact = module(tensor).features
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = module(tensor).features
    rough.float().square().sum().backward()
    assert module.kernel.grad.dtype == torch.float32
    torch.testing.assert_close(rough.float(), exact, rtol=0.05, atol=0.05)


def test_kernels_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match="no sparse convolution of kernel 4"):
        SparseConvolution(1, 1, 4)


def test_upsampling_beyond_the_input_is_refused():
    with pytest.raises(ValueError, match="no voxels of stride 0"):
        layer("up")(random_input())


def test_asking_for_an_engine_that_is_not_there_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(minkowski_backend, "engine", lambda: None)
    with pytest.raises(UserError, match=r"SEM3D_EXTRAS=minkowski bash -e jobs/setup\.sh") as caught:
        SparseConvolution(1, 1, 3, backend="minkowski")
    assert "\n" not in str(caught.value)


def test_auto_takes_what_is_there_and_says_so_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    convolution_module._announce.cache_clear()
    with caplog.at_level(logging.INFO, logger=convolution_module.__name__):
        assert convolution_module.choose_backend("auto", random_input()) == "minkowski"
        assert convolution_module.choose_backend("auto", random_input()) == "minkowski"
        monkeypatch.setattr(minkowski_backend, "engine", lambda: None)
        assert convolution_module.choose_backend("auto", random_input()) == "torch"
    assert [record.message for record in caplog.records] == [
        "sparse convolution by minkowski: MinkowskiEngine is installed and the input is on a CPU",
        "sparse convolution by torch: MinkowskiEngine cannot be imported",
    ]


@pytest.mark.gpu
@pytest.mark.parametrize("kind", ["k3", "k5", "down", "up"])
def test_a_gpu_gives_what_a_cpu_gives(kind: str):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    results = []
    for device in ("cpu", "cuda"):
        tensor = random_input()
        source = coarse_input(tensor) if kind == "up" else tensor
        features = source.features.detach().to(device).requires_grad_()
        moved = SparseTensor(tensor.coordinates.to(device), torch.zeros(len(tensor.coordinates), 1, device=device))
        module = layer(kind, "torch").to(device)
        output = module(moved.with_features(features, source.stride)).features
        output.square().sum().backward()
        results.append([value.cpu() for value in (output, features.grad, module.kernel.grad)])
    torch.testing.assert_close(results[0], results[1])
