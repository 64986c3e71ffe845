"""The decoder's up-projection block (Pri3D's released ``resunet.py``, after Laina et al., 3DV 2016)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class UpProjection(nn.Module):
    """Bilinear upsampling, then the rectified sum of a long branch (5x5, 3x3) and a short one (5x5)."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.long = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 5, padding=2, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.short = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 5, padding=2, bias=False),
            nn.BatchNorm2d(out_channels),
        )

    def forward(
        self, features: Float[Tensor, "batch in_channels in_height in_width"], size: tuple[int, int]
    ) -> Float[Tensor, "batch out_channels height width"]:
        """Return ``features`` at ``size`` (height, width), which need not be exactly twice theirs; corners are aligned."""
        features = F.interpolate(features, size, mode="bilinear", align_corners=True)
        return torch.relu(self.long(features) + self.short(features))
