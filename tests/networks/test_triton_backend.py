"""Sparse convolution by Triton: in its interpreter on a CPU, and on a GPU where there is one."""

import sys

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

from sem3d.errors import UserError
from sem3d.networks.sparse import SparseConvolution, SparseTensor, SparseTransposedConvolution, triton_backend
from sem3d.networks.sparse import convolution as convolution_module
from sem3d.networks.sparse.coordinates import coarsen, coarsen_indexed, index_voxels
from sem3d.networks.sparse.gather_table import TILE, GatherTable, strided_tables, submanifold_table
from sem3d.networks.sparse.kernel_map import neighbour_table
from tests.networks.test_sparse_convolution import random_voxels
from tests.networks.test_sparse_coordinates import VOXELS
from tests.reference import sparse_convolution as reference

KERNELS = "sem3d.networks.sparse.triton_kernels"
KINDS = ["k3", "k5", "down", "up"]


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    """A CPU with Triton's interpreter, or a GPU."""
    if request.param == "cuda":
        if not torch.cuda.is_available():
            pytest.skip("no CUDA device")
        yield "cuda"
        return
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    monkeypatch.delitem(sys.modules, KERNELS, raising=False)
    triton_backend.engine.cache_clear()
    yield "cpu"
    triton_backend.engine.cache_clear()
    sys.modules.pop(KERNELS, None)


def layer(kind: str, backend: str, inputs: int, outputs: int) -> SparseConvolution:
    torch.manual_seed(7)
    made = {
        "k3": lambda: SparseConvolution(inputs, outputs, 3, bias=True, backend=backend),
        "k5": lambda: SparseConvolution(inputs, outputs, 5, backend=backend),
        "down": lambda: SparseConvolution(inputs, outputs, 2, stride=2, backend=backend),
        "up": lambda: SparseTransposedConvolution(inputs, outputs, backend=backend),
    }
    return made[kind]()


def convolved(
    kind: str, backend: str, coordinates: Tensor, dims: tuple[int, int], dtype: torch.dtype, device: str = "cpu"
) -> list[Tensor]:
    """Output, and gradients of the features and of the weight, of random numbers that bfloat16 holds."""
    module = layer(kind, backend, *dims)
    with torch.no_grad():
        module.kernel.copy_(module.kernel.bfloat16())
    module = module.to(device, torch.promote_types(dtype, torch.float32))
    whole = SparseTensor(coordinates.to(device), torch.zeros(len(coordinates), 1, device=device))
    stride = 2 if kind == "up" else 1
    generator = torch.Generator().manual_seed(3)
    numbers = torch.randn(len(whole.pyramid.coordinates(stride)), dims[0], generator=generator).bfloat16()
    features = numbers.to(device, dtype).requires_grad_()
    with torch.autocast(device, dtype if dtype.itemsize == 2 else None, enabled=dtype.itemsize == 2):
        output = module(whole.with_features(features, stride)).features
    slopes = torch.randn(output.shape, generator=generator).bfloat16()
    output.backward(slopes.to(device, output.dtype))
    return [value.detach().cpu().double() for value in (output, features.grad, module.kernel.grad)]


def assert_close(found: list[Tensor], exact: list[Tensor], error: float):
    """Each result is as far from the exact one as rounding allows, counted in the exact one's root mean square."""
    for own, other in zip(found, exact, strict=True):
        assert own.shape == other.shape
        assert bool(own.isfinite().all())
        if own.numel():
            assert float((own - other).abs().max()) <= error * (float(other.square().mean().sqrt()) + 1e-30)


@pytest.mark.parametrize(
    ("kind", "dims"),
    [("k3", (3, 20)), ("k3", (33, 4)), ("k5", (1, 3)), ("down", (4, 33)), ("up", (33, 3))],
    ids=str,
)
def test_values_and_gradients_are_those_of_double_precision(kind: str, dims: tuple[int, int], device: str):
    voxels = random_voxels(40 if kind == "k5" else 150)
    found = convolved(kind, "triton", voxels, dims, torch.float32, device)
    assert_close(found, convolved(kind, "torch", voxels, dims, torch.float64), 5e-5)


def test_half_precision_multiplies_rounded_numbers_and_adds_in_float32(device: str):
    dtype = torch.bfloat16 if device == "cuda" else torch.float16  # the interpreter multiplies bits of bfloat16
    found = convolved("k3", "triton", random_voxels(), (20, 17), dtype, device)
    exact = convolved("k3", "torch", random_voxels(), (20, 17), torch.float64)
    assert_close(found[:2], exact[:2], 0.03)
    assert_close(found[2:], exact[2:], 5e-5)


def test_a_convolution_is_the_sum_over_existing_neighbours(device: str):
    coordinates = random_voxels()
    module = SparseConvolution(2, 3, 3, backend="triton").to(device)
    features = torch.randn(len(coordinates), 2, generator=torch.Generator().manual_seed(0))
    expected = reference.convolution(
        coordinates.numpy(),
        features.numpy(),
        module.kernel.detach().cpu().numpy(),
        3,
        1,
        [tuple(row) for row in coordinates.tolist()],
    )
    output = module(SparseTensor(coordinates.to(device), features.to(device))).features
    torch.testing.assert_close(output.cpu(), torch.from_numpy(expected).float(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["k3", "down", "up"])
@pytest.mark.parametrize("count", [1, 4])
def test_voxels_without_neighbours_meet_themselves_only(kind: str, count: int, device: str):
    coordinates = torch.tensor([[0, 10 * row, -7 * row, 4 * row] for row in range(count)], dtype=torch.int32)
    found = convolved(kind, "triton", coordinates, (3, 4), torch.float32, device)
    assert_close(found, convolved(kind, "torch", coordinates, (3, 4), torch.float64), 5e-5)


def test_no_voxels_give_no_rows(device: str):
    empty = SparseTensor(torch.zeros(0, 4, dtype=torch.int32, device=device), torch.zeros(0, 3, device=device))
    assert layer("down", "triton", 3, 4).to(device)(empty).features.shape == (0, 4)


def test_what_is_not_a_number_stays_with_its_neighbours(device: str):
    coordinates = torch.tensor([[0, 0, 0, 0], [0, 0, 0, 1], [0, 9, 9, 9]], dtype=torch.int32, device=device)
    features = torch.tensor([[float("nan")], [1.0], [1.0]], device=device).requires_grad_()
    output = layer("k3", "triton", 1, 1).to(device)(SparseTensor(coordinates, features)).features
    assert output.isnan().squeeze(1).tolist() == [True, True, False]


def test_the_same_input_gives_the_same_bits(device: str):
    first, second = (convolved("k3", "triton", random_voxels(), (3, 4), torch.float32, device) for _ in range(2))
    assert all(torch.equal(own, other) for own, other in zip(first, second, strict=True))


def by_row(table: GatherTable, inputs: int) -> Tensor:
    """The table with output rows in their own order, its missing neighbours as in a neighbour table."""
    filled = table.rows < table.outputs
    rows = torch.full((len(table.sources), table.outputs), -2, dtype=torch.int32)
    rows[:, table.rows[filled].long()] = table.sources[:, filled]
    assert bool((table.sources[:, ~filled] == -1).all())
    return torch.where(rows == -1, inputs, rows)


def assert_lists_are_right(table: GatherTable):
    has = (table.sources.view(len(table.sources), -1, TILE) >= 0).any(2)
    for tile, count in enumerate(table.tile_counts.tolist()):
        assert table.tile_offsets[tile, :count].tolist() == has[:, tile].nonzero().squeeze(1).tolist()
    for offset, count in enumerate(table.offset_counts.tolist()):
        assert table.offset_tiles[offset, :count].tolist() == has[offset].nonzero().squeeze(1).tolist()


@settings(max_examples=15, deadline=None)
@given(coordinates=VOXELS)
def test_gather_tables_hold_the_neighbour_table(coordinates: Tensor):
    index = index_voxels(coordinates, 1)
    voxels = len(coordinates)
    for kernel_size in (3, 5):
        table = submanifold_table(index, kernel_size)
        expected = neighbour_table(index, kernel_size)
        expected[kernel_size**3 // 2] = torch.arange(voxels)
        assert torch.equal(by_row(table, voxels), expected)
        assert_lists_are_right(table)


def test_gather_tables_of_strided_kernels_are_each_others_reverse():
    coordinates = random_voxels(300)
    coarse, parents = coarsen(coordinates, 2)
    down, up = strided_tables(coordinates, 1, parents, len(coarse))
    assert down.reverse is up
    assert up.reverse is down
    for table in (down, up):
        assert_lists_are_right(table)
    children, holders = by_row(down, len(coordinates)), by_row(up, len(coarse))
    for row, (voxel, parent) in enumerate(zip(coordinates.tolist(), parents.tolist(), strict=True)):
        offset = sum(2**axis * (voxel[1 + axis] % 2) for axis in range(3))
        assert int(children[offset, parent]) == row
        assert holders[:, row].tolist() == [parent if k == offset else len(coarse) for k in range(8)]
    assert int((children < len(coordinates)).sum()) == len(coordinates)


def test_offsets_searched_in_pieces_are_the_same(monkeypatch: pytest.MonkeyPatch):
    index = index_voxels(random_voxels(), 1)
    whole = submanifold_table(index, 3)
    monkeypatch.setattr("sem3d.networks.sparse.gather_table.SEARCHED_AT_ONCE", 1000)
    assert torch.equal(submanifold_table(index, 3).sources, whole.sources)


@settings(max_examples=25, deadline=None)
@given(coordinates=VOXELS)
def test_voxels_coarsened_with_one_wait_are_the_same(coordinates: Tensor):
    box = index_voxels(coordinates, 1).box
    given_voxels = coordinates
    for stride in (2, 4):
        box = box.coarser()
        coarse, parents, index = coarsen_indexed(given_voxels, stride, box)
        expected, expected_parents = coarsen(given_voxels, stride)
        assert torch.equal(coarse, expected)
        assert torch.equal(parents, expected_parents)
        plain = index_voxels(coarse, stride)
        assert index.rows is None
        assert torch.equal(index.keys.argsort(), plain.keys.argsort())
        assert torch.equal(
            by_row(submanifold_table(index, 3), len(coarse)), by_row(submanifold_table(plain, 3), len(coarse))
        )
        given_voxels = coarse


def test_a_cpu_and_double_precision_are_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    module = layer("k3", "triton", 3, 4)
    tensor = SparseTensor(random_voxels(), torch.zeros(150, 3))
    with pytest.raises(UserError, match="backend 'triton': the input is not on a GPU; use backend 'auto'"):
        module(tensor)
    with pytest.raises(UserError, match="no products in float64"):
        module.double()(tensor.with_features(tensor.features.double()))


def test_float32_is_multiplied_as_torch_says():
    matmul = torch.backends.cuda.matmul
    before = matmul.allow_tf32
    try:
        matmul.allow_tf32 = True
        assert triton_backend._precision(torch.float32) == "tf32"
        matmul.allow_tf32 = False
        assert triton_backend._precision(torch.float32) == "tf32x3"
    finally:
        matmul.allow_tf32 = before


@pytest.mark.gpu
class TestOnAGPU:
    """Sizes that an interpreter is too slow for."""

    @pytest.fixture(autouse=True)
    def _gpu(self):
        if not torch.cuda.is_available():
            pytest.skip("no CUDA device")

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("dims", [(3, 32), (96, 128), (33, 200)], ids=str)
    @pytest.mark.parametrize(("dtype", "error"), [(torch.float32, 1e-4), (torch.bfloat16, 0.04)], ids=str)
    def test_all_shapes_agree_with_double_precision(
        self, kind: str, dims: tuple[int, int], dtype: torch.dtype, error: float
    ):
        generator = torch.Generator().manual_seed(1)
        coordinates = torch.unique(torch.randint(-20, 20, (30_000, 4), generator=generator, dtype=torch.int32), dim=0)
        coordinates[:, 0] = coordinates[:, 0] % 2
        coordinates = torch.unique(coordinates, dim=0)
        coordinates = coordinates[torch.randperm(len(coordinates), generator=generator)]
        found = convolved(kind, "triton", coordinates, dims, dtype, "cuda")
        assert_close(found, convolved(kind, "torch", coordinates, dims, torch.float64, "cuda"), error)

    def test_auto_takes_it_and_says_so(self, caplog: pytest.LogCaptureFixture):
        convolution_module._announce.cache_clear()
        tensor = SparseTensor(random_voxels().cuda(), torch.zeros(150, 3, device="cuda"))
        with caplog.at_level("INFO", logger=convolution_module.__name__):
            assert convolution_module.choose_backend("auto", tensor) == "triton"
            double = tensor.with_features(tensor.features.double())
            assert convolution_module.choose_backend("auto", double) == "torch"
        assert [record.message for record in caplog.records] == [
            "sparse convolution by triton: Triton is installed and the input is on a GPU",
            "sparse convolution by torch: the input is on cuda, and not by Triton: it has no products in float64",
        ]
