"""From a point's feature to what is seen there: colour, or scores of part classes (equation 3 of 2003.12673)."""

from jaxtyping import Float
from torch import Tensor, nn

from sem3d.networks.srn.hyper_network import start_linear_layers


class PointRenderer(nn.Sequential):
    """Layers of a linear map, LayerNorm and ReLU, and a linear one at the end, each point by itself.

    One layer alone is the linear classifier of the paper's section 3.3.
    """

    def __init__(self, width: int, layers: int, answers: int):
        """Build ``layers`` linear maps, the last to ``answers`` numbers."""
        hidden = [
            module for _ in range(layers - 1) for module in (nn.Linear(width, width), nn.LayerNorm(width), nn.ReLU())
        ]
        super().__init__(*hidden, nn.Linear(width, answers))
        if layers > 1:
            start_linear_layers(self)

    def forward(self, features: Float[Tensor, "*point width"]) -> Float[Tensor, "*point answer"]:
        """Return the answers for features."""
        return super().forward(features)

    @property
    def answers(self) -> int:
        """Return the numbers of an answer."""
        last = self[-1]
        assert isinstance(last, nn.Linear)
        return last.out_features

    def answer(self, answers: int) -> None:
        """Answer with so many numbers, by a new last layer if that is another number."""
        last = self[-1]
        assert isinstance(last, nn.Linear)
        if answers != self.answers:
            self[-1] = nn.Linear(last.in_features, answers).to(last.weight)
