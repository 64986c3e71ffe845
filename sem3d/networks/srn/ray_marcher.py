"""Differentiable ray marcher (SRN, section 3.2, algorithm 1): an LSTM reads features and answers with the next step."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sem3d.bounds import AtLeastOne, Positive, Width
from sem3d.geometry.rays import Rays


@dataclass(frozen=True, kw_only=True)
class RayMarcherConfig:
    """Length of the march and memory of the marcher."""

    steps: AtLeastOne = 10
    """Steps along each ray."""
    hidden: Width = 256
    """Units of the LSTM. The paper says 256, the released code has 16."""
    start: Positive = 0.05
    """Camera depth at which rays start, in the world's unit."""


class RayMarcher(nn.Module):
    """Distances along rays at which these meet the scene; nothing keeps a step from going back."""

    def __init__(self, config: RayMarcherConfig, width: int):
        super().__init__()
        self.steps, self.start = config.steps, config.start
        self.cell = nn.LSTMCell(width, config.hidden)
        self.step_length = nn.Linear(config.hidden, 1)
        with torch.no_grad():  # the released start: both bias vectors open the forget gate
            for bias in (self.cell.bias_ih, self.cell.bias_hh):
                bias[config.hidden : 2 * config.hidden] = 1

    def forward(
        self,
        field: Callable[[Float[Tensor, "object ray 3"]], Float[Tensor, "object ray width"]],
        rays: Rays,
    ) -> Float[Tensor, "object ray"]:
        """Return distances; ``field`` gives the features of points of the world."""
        distance = self.start / rays.cosine
        state = None
        for _ in range(self.steps):
            features = field(rays.points(distance))
            state = self.cell(features.flatten(0, 1), state)
            distance = distance + self.step_length(state[0]).view_as(distance).to(distance.dtype)
        return distance
