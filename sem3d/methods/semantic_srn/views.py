"""Views of objects as they are rendered."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from sem3d.geometry.rays import Rays
from sem3d.networks.srn.scene_network import Rendered


class Views(NamedTuple):
    """All rays of an object one after the other, view after view."""

    latents: Float[Tensor, "object latent"]
    rays: Rays
    rendered: Rendered
    logits: Float[Tensor, "object ray class"] | None
    """Scores of part classes, where there is a segmentation renderer."""
