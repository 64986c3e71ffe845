"""Settings of SSR: networks, losses, and the cycle that labels."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from sem3d.bounds import AtLeastOne, Bounds, Positive, Share, Side
from sem3d.errors import UserError
from sem3d.geometry.nmr_views import VIEWS
from sem3d.losses.viewpoint_pairs import PairChoice
from sem3d.networks.mesh_decoder import MeshDecoderConfig
from sem3d.networks.shape_encoder import ShapeEncoderConfig
from sem3d.networks.siamese_viewpoint import SiameseViewpointConfig


@dataclass(frozen=True, kw_only=True)
class SSRConfig:
    """Both networks, their losses, and the cycle that labels."""

    encoder: ShapeEncoderConfig = field(default_factory=ShapeEncoderConfig)
    """From an image to a shape."""
    decoder: MeshDecoderConfig = field(default_factory=MeshDecoderConfig)
    """From a shape to a mesh."""
    viewpoint: SiameseViewpointConfig = field(default_factory=SiameseViewpointConfig)
    """The network that labels."""
    labels_from: Literal["siamese", "classifier", "none"] = "siamese"
    """Who labels the unlabelled images. none: only labelled objects are learnt from (SoftRas)."""
    rule: Literal["paper", "released", "rotation_consistent"] = "rotation_consistent"
    """Which labels are accepted, and what images are compared with."""
    cycle: int = 400
    """Steps between two passes over the unlabelled images (the paper's z)."""
    references: Literal["by_rule", "object_per_image", "all_objects"] = "object_per_image"
    """Labelled images that one without a label is compared with. by_rule: those of the rule's table, the same for all.
    object_per_image: a random object drawn for each (the paper's pseudocode). all_objects: all, by the mean logit a viewpoint."""
    labels_kept: Literal["forever", "last_pass"] = "forever"
    """forever: a pass overwrites a label but never withdraws one (paper and released). last_pass: only what that accepted."""
    gate: Share = 1.0
    """Least accuracy on labelled images, mean over positive and negative pairs, for a pass. 1 is the paper's pseudocode;
    released: 0.99."""
    gate_on: Literal["labelled", "last_batch"] = "labelled"
    """labelled: all labelled images, just before the pass (the paper's pseudocode). last_batch: the last batch that held pairs
    of both kinds (released)."""
    cycle_views: int = 4
    """Views of each held-out object, evenly around it, whose voxel IoU is taken every cycle (Figure 4 of the paper); 0: not
    taken. The paper's preset takes 1: its test files have up to 1,700 objects, made solid at 500 cycles."""
    consistency_degrees: Annotated[int, Bounds(1, 359)] = 45
    """Angle of the rotation test."""
    rotation_augmentation: bool = True
    """Also learn viewpoints on the batch turned in its plane by one random angle (paper Table 3)."""
    pairs: PairChoice = "distinct_positives"
    """Pairs of images that the viewpoint loss counts."""
    pair_draws: AtLeastOne = 32
    """Positives, and negatives, drawn a step."""
    viewpoint_batch: int = 32
    """Labelled images that the network that labels learns from in a step, drawn apart from the pairs. The paper: 32, released:
    64, of which half or all are the images of the pairs too. 0: the pairs' labelled images, half as many once there are
    pseudo-labels."""
    viewpoint_lr: float = 1e-4
    """Peak learning rate of the network that labels."""
    sigma: Annotated[float, Bounds(1e-9, 1e3)] = 1e-4
    """Softness of silhouettes, in squared normalised device coordinates."""
    sigma_factor: Positive = 0.3
    """Factor of sigma every sigma_every steps."""
    sigma_every: AtLeastOne = 150_000
    """Steps between two factors of sigma."""
    silhouette_size: Side = 64
    """Pixels a side at which silhouettes are compared; masks are averaged down to it."""
    silhouette_backend: Literal["fast", "pytorch3d"] = "fast"
    """Who draws silhouettes."""
    laplacian: float = 0.005
    """Weight of the Laplacian loss."""
    flattening: float = 0.0005
    """Weight of the flattening loss."""
    reconstruction: float = 1.0
    """Weight of silhouettes and smoothness together; 0.5 in the released code."""

    def __post_init__(self) -> None:
        """Raise :class:`UserError` for a cycle that makes no sense."""
        if self.cycle < 1:
            raise UserError(f"method.cycle {self.cycle} must be at least 1; --method.labels_from none never labels")
        if not 0 <= self.cycle_views <= VIEWS:
            raise UserError(f"method.cycle_views {self.cycle_views} must be 0 to {VIEWS}")
        if self.viewpoint_batch < 0:
            raise UserError(f"method.viewpoint_batch {self.viewpoint_batch} must be a number of images, or 0")
