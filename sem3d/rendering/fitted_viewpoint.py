"""Viewpoints fitted to a silhouette by gradient descent through the rasteriser (2D-3D-2D, section 4.5, Eq. 7).

``V* = argmin sum over pixels (S - silhouette of the mesh seen from V)^2`` with soft silhouettes instead of the indicator. The
paper optimises the viewpoint for about 20 steps, the released code a factor of the distance alone for 30; which of the camera's
numbers move is a choice here. The best camera that is met is kept, the first one among them, so that a fit never makes it worse.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sem3d.geometry.object_camera import FOCAL_SHARE
from sem3d.rendering import soft_silhouettes

Freedom = Literal["none", "distance", "angles", "full"]
"""none: the camera stays. distance: its distance (released). angles: azimuth and elevation. full: six degrees of freedom."""

MOVED: dict[Freedom, tuple[str, ...]] = {
    "none": (),
    "distance": ("middle",),
    "angles": ("azimuth", "polar"),
    "full": ("azimuth", "polar", "roll", "middle"),
}
"""Numbers of a camera that move."""


@dataclass(frozen=True)
class ObjectCamera:
    """A camera around an object, see :mod:`sem3d.geometry.object_camera`; roll about its optical axis comes after the others."""

    azimuth: Float[Tensor, ""]
    polar: Float[Tensor, ""]
    roll: Float[Tensor, ""]
    middle: Float[Tensor, "3"]
    """The object's middle in the camera's frame: right, below, ahead."""

    @staticmethod
    def at(azimuth: float, polar: float, distance: float) -> "ObjectCamera":
        """Return a level camera that looks at the object's middle, float64."""
        kind = torch.float64
        return ObjectCamera(
            azimuth=torch.tensor(azimuth, dtype=kind),
            polar=torch.tensor(polar, dtype=kind),
            roll=torch.tensor(0.0, dtype=kind),
            middle=torch.tensor([0.0, 0.0, distance], dtype=kind),
        )

    def rotation(self) -> Float[Tensor, "3 3"]:
        """Return the rotation from the object's frame to the camera's."""
        ca, sa, cp, sp = self.azimuth.cos(), self.azimuth.sin(), self.polar.cos(), self.polar.sin()
        cr, sr, none, one = self.roll.cos(), self.roll.sin(), torch.zeros_like(self.roll), torch.ones_like(self.roll)
        level = torch.stack(
            [
                torch.stack([ca, none, -sa]),
                torch.stack([cp * sa, -sp, cp * ca]),
                torch.stack([-sp * sa, -cp, -sp * ca]),
            ]
        )
        about = torch.stack([torch.stack([cr, -sr, none]), torch.stack([sr, cr, none]), torch.stack([none, none, one])])
        return about @ level

    def transform(self) -> Float[np.ndarray, "4 4"]:
        """Return ``camera_from_object``."""
        found = np.eye(4)
        found[:3, :3] = self.rotation().detach().cpu().double().numpy()
        found[:3, 3] = self.middle.detach().cpu().double().numpy()
        return found


def to_device_coordinates(vertices: Float[Tensor, "vertex 3"], camera: ObjectCamera) -> Float[Tensor, "vertex 3"]:
    """Return (x right, y up) in NDC and depth, as :func:`sem3d.rendering.soft_silhouettes` takes them; differentiable in both.

    A vertex that is not in front of the camera keeps its depth and is not divided by it.
    """
    seen = vertices @ camera.rotation().T.to(vertices) + camera.middle.to(vertices)
    depth = seen[:, 2:]
    flat = 2 * FOCAL_SHARE * seen[:, :2] / torch.where(depth > 1e-8, depth, 1)
    return torch.cat([flat * flat.new_tensor([1.0, -1.0]), depth], 1)


def silhouette_cost(
    vertices: Float[Tensor, "vertex 3"],
    faces: Int[Tensor, "face 3"],
    target: Float[Tensor, "side side"],
    camera: ObjectCamera,
    sigma: float,
) -> Float[Tensor, ""]:
    """Return the mean over pixels of the squared difference of the target and the mesh's soft silhouette (Eq. 7)."""
    seen = soft_silhouettes(to_device_coordinates(vertices, camera)[None], faces, size=len(target), sigma=sigma)
    return (seen[0] - target.to(seen)).square().mean()


def fit_viewpoint(
    vertices: Float[Tensor, "vertex 3"],
    faces: Int[Tensor, "face 3"],
    target: Float[Tensor, "side side"],
    start: ObjectCamera,
    *,
    freedom: Freedom,
    steps: int = 20,
    lr: float = 0.02,
    sigma: float = 3e-4,
) -> tuple[ObjectCamera, list[float]]:
    """Return the camera with the least cost that is met in so many steps of Adam, and the cost of each camera from ``start`` on.

    ``lr`` is in radians and lengths of the object a step; where only the distance moves, in shares of it. Silhouettes are drawn
    where the vertices are, the few numbers of the camera stay on the CPU. An empty target moves nothing: what fits it best is an
    object out of sight.
    """
    if freedom == "none" or not len(faces) or not bool((target > 0).any()):
        return start, []
    moves = {name: torch.zeros_like(getattr(start, name), requires_grad=True) for name in MOVED[freedom]}
    optimizer = torch.optim.Adam(moves.values(), lr=lr)
    best, costs = start, []
    for step in range(steps + 1):
        camera = moved(start, moves, freedom)
        cost = silhouette_cost(vertices, faces, target, camera, sigma)
        costs.append(cost.item())
        if costs[-1] <= min(costs):
            best = ObjectCamera(
                camera.azimuth.detach(), camera.polar.detach(), camera.roll.detach(), camera.middle.detach()
            )
        if step < steps and cost.requires_grad:
            optimizer.zero_grad()
            cost.backward()
            optimizer.step()
    return best, costs


def moved(start: ObjectCamera, moves: dict[str, Tensor], freedom: Freedom) -> ObjectCamera:
    """Return the camera after moves of some of its numbers; its distance alone is multiplied, the rest added to."""
    if freedom == "distance":
        return replace(start, middle=start.middle * (1 + moves["middle"][2]))
    return replace(start, **{name: getattr(start, name) + move for name, move in moves.items()})
