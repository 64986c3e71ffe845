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
    beside_image: UInt8[Tensor, "batch beside 4 64 64"] | None = None
    """Labelled views that were drawn apart from the pairs, for the network that labels; none beside a row that is not usable."""
    beside_viewpoint: Int[Tensor, "batch beside"] | None = None
    beside_object: Int[Tensor, "batch beside"] | None = None
    voxels: Bool[Tensor, "batch 32 32 32"] | None = None
