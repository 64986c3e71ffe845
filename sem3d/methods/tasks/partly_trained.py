"""Tasks above the sparse 3D network of pretraining, of which a part may stay as it starts."""

from typing import ClassVar

from torch import nn

from sem3d.methods.initial_parts import start_point_network
from sem3d.methods.method import Method
from sem3d.methods.voxel_features import VoxelFeatures


class PointTask(VoxelFeatures, Method):
    """A task whose ``sparse_unet`` may come from pretraining; ``method.trained`` says what of it is trained."""

    handed_on: ClassVar = ("method.sparse_unet.", "method.voxel_input")

    def initialise(self, source: str, without: tuple[str, ...] = ()) -> str:
        """Start the 3D network from nothing, or from every part that a sem3d checkpoint and this method share."""
        return start_point_network(self, source, without)

    def kept(self) -> list[nn.Module]:
        """Return the modules that stay as they start: none, the encoder, or the 3D network whole."""
        parts = {"all": [], "decoder": self.sparse_unet.encoder()}
        return parts.get(self.experiment.method.trained, [self.sparse_unet])

    def keep_parts(self) -> None:
        """Take the gradients of what is kept away."""
        for module in self.kept():
            module.requires_grad_(False)

    def train(self, mode: bool = True) -> "PointTask":
        """Set training or evaluation of what is trained; what is kept always evaluates, its BatchNorm included."""
        super().train(mode)
        for module in self.kept():
            module.eval()
        return self
