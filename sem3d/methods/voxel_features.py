"""Features of the voxels of a scene, which methods share that have a 3D network of them."""

from jaxtyping import Float, Int, UInt8
from torch import Tensor

from sem3d.config import Experiment
from sem3d.networks.sparse_unet import SparseUNet, voxel_tensor


class VoxelFeatures:
    """A mix-in for methods whose 3D network sees the voxels of points in metres, z up."""

    experiment: Experiment
    sparse_unet: SparseUNet

    def features_of_voxels(
        self, voxel: Int[Tensor, "voxel 4"], color: UInt8[Tensor, "voxel 3"]
    ) -> Float[Tensor, "voxel dim"]:
        """Return what the 3D network gives each voxel, before any layer of a loss or of classes; a voxel is item and place."""
        dtype = next(self.sparse_unet.parameters()).dtype
        return self.sparse_unet(voxel_tensor(voxel, color, self.experiment.method.voxel_input, dtype))
