"""A batch of SSR."""

from dataclasses import dataclass

from jaxtyping import Bool, Int, UInt8
from torch import Tensor


@dataclass(frozen=True)
class SSRBatch:
    """RGBA views of objects: two of each to learn from, one with the object's voxels to evaluate on."""

    image: UInt8[Tensor, "batch view 4 64 64"]
    viewpoint: Int[Tensor, "batch view"]
    object: Int[Tensor, " batch"]
    labelled: UInt8[Tensor, " batch"]
    """1: its viewpoints are true, 0: they are pseudo-labels."""
    usable: UInt8[Tensor, " batch"]
    voxels: Bool[Tensor, "batch 32 32 32"] | None = None
