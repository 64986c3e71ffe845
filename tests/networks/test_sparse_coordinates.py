import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sem3d.networks.sparse import CoordinatePyramid, SparseTensor, concatenate
from sem3d.networks.sparse.coordinates import coarsen, index_voxels
from sem3d.networks.sparse.kernel_map import neighbour_table
from tests.reference.sparse_convolution import coarse_voxels, offsets_of

VOXELS = st.lists(st.tuples(st.integers(0, 2), *[st.integers(-4, 4)] * 3), min_size=1, max_size=60, unique=True).map(
    lambda rows: torch.tensor(rows, dtype=torch.int32)
)


@settings(max_examples=25, deadline=None)
@given(coordinates=VOXELS, kernel_size=st.sampled_from([3, 5]))
def test_the_neighbour_table_is_what_a_dictionary_finds(coordinates: torch.Tensor, kernel_size: int):
    table = neighbour_table(index_voxels(coordinates, 1), kernel_size)
    row_of = {tuple(voxel): row for row, voxel in enumerate(coordinates.tolist())}
    for offset, (dx, dy, dz) in enumerate(offsets_of(kernel_size)):
        for row, (b, x, y, z) in enumerate(coordinates.tolist()):
            expected = row_of.get((b, x + dx, y + dy, z + dz), len(coordinates))
            assert int(table[offset, row]) == (len(coordinates) if (dx, dy, dz) == (0, 0, 0) else expected)


@settings(max_examples=25, deadline=None)
@given(coordinates=VOXELS)
def test_coarse_voxels_are_sorted_rounded_down_and_hold_their_children(coordinates: torch.Tensor):
    coarse, parents = coarsen(coordinates, 2)
    assert [tuple(row) for row in coarse.tolist()] == coarse_voxels(coordinates.numpy(), 2)
    inside = coordinates - coarse[parents]
    assert bool((inside[:, 0] == 0).all())
    assert bool(((inside[:, 1:] >= 0) & (inside[:, 1:] < 2)).all())


def test_voxels_that_occur_twice_are_refused():
    coordinates = torch.tensor([[0, 1, 2, 3], [1, 1, 2, 3], [0, 1, 2, 3]], dtype=torch.int32)
    with pytest.raises(ValueError, match="1 of 3 voxel coordinates occur more than once"):
        SparseTensor(coordinates, torch.zeros(3, 2))


def test_voxels_too_far_apart_to_count_are_refused():
    coordinates = torch.tensor([[0, -(2**31), -(2**31), -(2**31)], [0] + [2**31 - 1] * 3], dtype=torch.int32)
    with pytest.raises(ValueError, match="too many for 63 bits"):
        CoordinatePyramid(coordinates)


def test_rows_and_features_must_match_in_number():
    with pytest.raises(ValueError, match="1 voxels but 2 rows"):
        SparseTensor(torch.zeros(1, 4, dtype=torch.int32), torch.zeros(2, 3))


def test_only_tensors_of_one_input_are_concatenated():
    coordinates = torch.zeros(1, 4, dtype=torch.int32)
    first, second = (SparseTensor(coordinates, torch.ones(1, 3)) for _ in range(2))
    with pytest.raises(ValueError, match="same input"):
        concatenate(first, second)
    assert concatenate(first, first).features.shape == (1, 6)


def test_a_stride_finer_than_the_input_is_refused():
    pyramid = CoordinatePyramid(torch.zeros(1, 4, dtype=torch.int32), stride=4)
    with pytest.raises(ValueError, match="no voxels of stride 2"):
        pyramid.coordinates(2)


def test_kernel_maps_are_made_once():
    pyramid = CoordinatePyramid(torch.tensor([[0, 0, 0, 0], [0, 1, 0, 0]], dtype=torch.int32))
    assert pyramid.kernel_map(3, 1, 1) is pyramid.kernel_map(3, 1, 1)
    assert pyramid.kernel_map(2, 1, 2).reverse is pyramid.kernel_map(2, 2, 1)
