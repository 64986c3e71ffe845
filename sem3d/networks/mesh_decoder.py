"""SoftRas's mesh decoder: a feature moves and deforms a sphere (``examples/recon/models.py``, after NMR).

The faces never change, and the object fits a cube of side 1 about the origin, whatever the feature.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from sem3d.bounds import Bounds, Width
from sem3d.geometry.icosphere import icosphere


@dataclass(frozen=True, kw_only=True)
class MeshDecoderConfig:
    """Resolution of the sphere and width of the decoder."""

    subdivisions: Annotated[int, Bounds(0, 7)] = 3
    """Times the icosahedron's faces are cut in four; 3 gives 642 vertices and 1,280 faces."""
    hidden: Width = 1024
    """Length of the first hidden layer; the second is twice as long."""
    centroid_scale: float = 0.1
    """Factor of the centroid before tanh. NMR also trains ``centroid`` at a tenth of the rate; the released SoftRas does not."""


class MeshDecoder(nn.Module):
    """Vertices of a deformed sphere in the object frame (:mod:`sem3d.geometry.object_views`).

    With b = half the sphere's vertex, centroid c = tanh(scale * head), and all operations by coordinate:
    ``p = sigmoid(logit(|b|) + bias)``, the part of b's sign shrunk toward the centroid, ``v = (c + p (sign(b) - c)) / 2``.
    Where b is 0 its logit is minus infinity, so that ``v = c / 2`` whatever the bias: seams of the sphere only follow the
    centroid (as released). Here that is written without the infinity, hence without NaN. Zero heads give b / 2.
    """

    faces: Int[Tensor, "face 3"]
    signs: Float[Tensor, "vertex 3"]
    logits: Float[Tensor, "vertex 3"]

    def __init__(self, config: MeshDecoderConfig, in_dim: int = 512):
        super().__init__()
        sphere, faces = icosphere(config.subdivisions)
        self.vertices = len(sphere)
        self.centroid_scale = config.centroid_scale
        self.hidden = nn.ModuleList([nn.Linear(in_dim, config.hidden), nn.Linear(config.hidden, 2 * config.hidden)])
        self.centroid = nn.Linear(2 * config.hidden, 3)
        self.bias = nn.Linear(2 * config.hidden, 3 * self.vertices)
        half = sphere / 2
        self.register_buffer("faces", faces, persistent=False)
        self.register_buffer("signs", half.sign().float(), persistent=False)
        self.register_buffer("logits", torch.where(half == 0, 0, half.abs().logit()).float(), persistent=False)

    def forward(self, features: Float[Tensor, "batch in_dim"]) -> Float[Tensor, "batch {self.vertices} 3"]:
        """Return vertices in [-0.5, 0.5]; the faces are ``self.faces``. Positions are float32 or wider under autocast too."""
        features = features.to(self.centroid.weight.dtype)
        for layer in self.hidden:
            features = torch.relu(layer(features))
        with torch.autocast(features.device.type, enabled=False):
            features = features.to(self.centroid.weight.dtype)
            return self.deform(self.centroid(features), self.bias(features).unflatten(1, (self.vertices, 3)))

    def deform(
        self, centroid: Float[Tensor, "batch 3"], bias: Float[Tensor, "batch {self.vertices} 3"]
    ) -> Float[Tensor, "batch {self.vertices} 3"]:
        """Apply the formula of the class: raw answers of the two heads to vertices."""
        centre = torch.tanh(centroid * self.centroid_scale)[:, None]
        share = torch.sigmoid(self.logits + bias)
        return (centre + share * (self.signs - centre * self.signs.abs())) / 2
