"""Sparse 3D convolution: features at voxels, kernel maps, and three interchangeable backends."""

from sem3d.networks.sparse.convolution import Backend, SparseConvolution, SparseTransposedConvolution
from sem3d.networks.sparse.tensor import CoordinatePyramid, SparseTensor, concatenate

__all__ = [
    "Backend",
    "CoordinatePyramid",
    "SparseConvolution",
    "SparseTensor",
    "SparseTransposedConvolution",
    "concatenate",
]
