"""One linear layer a pixel: projections for a contrastive loss, depth, and class scores."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class PixelHead(nn.Module):
    """A 1x1 convolution, then bilinear interpolation where the answer is wanted at another size.

    Interpolation keeps the project's pixel rule (``u -> (u + 0.5) * s - 0.5``); the released Pri3D and SLidR align corners
    instead, which shifts the answer by half a pixel of the result at most at twice the size: scores of segmentation and depth.
    """

    def __init__(self, in_dim: int, dim: int):
        super().__init__()
        self.linear = nn.Conv2d(in_dim, dim, 1)
        self.dim = dim

    def forward(
        self, features: Float[Tensor, "batch in_dim in_height in_width"], size: tuple[int, int] | None = None
    ) -> Float[Tensor, "batch {self.dim} height width"]:
        """Return answers at ``size`` (height, width), or where ``features`` are. Not normalised."""
        answers = self.linear(features)
        return answers if size is None else F.interpolate(answers, size, mode="bilinear", align_corners=False)
