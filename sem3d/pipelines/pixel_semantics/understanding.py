"""From one picture to shape, viewpoint, an embedding of every pixel, and keypoints with their visibility."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from scipy.spatial import cKDTree
from torch import Tensor
from torch.nn import functional as F

from sem3d.datasets.keypoint_clouds import in_unit_box
from sem3d.evaluation.reconstruction import sample_surface
from sem3d.geometry.object_camera import centred_intrinsics
from sem3d.geometry.voxel_mesh import voxel_mesh
from sem3d.methods.viewpoint import ViewpointBatch
from sem3d.pipelines.pixel_semantics.networks import Networks, PipelineOptions
from sem3d.rendering.fitted_viewpoint import ObjectCamera, fit_viewpoint
from sem3d.rendering.posed_views import TracedMesh
from sem3d.rendering.sketches import points_in_sight, seen_pixels

SILHOUETTE = 4
"""Channel of sketches."""


@dataclass(frozen=True)
class Given:
    """Truths about a picture that stand in for predictions; what is ``None`` is predicted."""

    sketch: Float[np.ndarray, "5 side side"] | None = None
    voxels: Bool[np.ndarray, "x y z"] | None = None
    angles: tuple[float, float] | None = None
    """Azimuth and polar angle, radians."""


@dataclass(frozen=True, eq=False)
class Understood:
    """An object as the pipeline sees it; without a surface there are no faces and keypoints are nowhere.

    There is none where no voxel reaches the level of one, and where no pixel is taken for the object.
    """

    vertices: Float[np.ndarray, "vertex 3"]
    """In ShapeNetCore's frame, longest side about 1."""
    faces: Int[np.ndarray, "face 3"]
    sketch: Float[np.ndarray, "5 side side"]
    predicted: ObjectCamera
    """As the network sees it, level and centred."""
    camera: ObjectCamera
    """After refinement."""
    costs: list[float]
    """Of each camera that was met."""
    cloud: Float[np.ndarray, "point 3"]
    embedding: Float[np.ndarray, "point dim"]
    """Of the points of the cloud, which lie on the surface."""
    meanings: Int[np.ndarray, " meaning"]
    keypoints: Float[np.ndarray, "meaning 3"]
    """The point of the cloud whose embedding is nearest to each meaning's mean."""
    traced: TracedMesh | None = field(repr=False)

    @property
    def object_found(self) -> bool:
        """Some pixel is taken for the object: without one there is nothing to reconstruct, and no shape is an answer."""
        return bool((self.sketch[SILHOUETTE] > 0).any())

    @cached_property
    def nearest(self) -> cKDTree:
        """The cloud, to be searched."""
        return cKDTree(self.cloud)

    def located(self, side: int) -> tuple[Float[np.ndarray, "meaning 2"], Bool[np.ndarray, " meaning"]]:
        """Return (u, v) of the keypoints in a picture of ``side`` pixels, (0, 0) spanning [0, 1], and which are in sight."""
        if self.traced is None:
            return np.full((len(self.meanings), 2), np.nan), np.zeros(len(self.meanings), bool)
        return points_in_sight(self.traced, self.keypoints, self.camera.transform(), centred_intrinsics(side), side)

    def pixels(self, side: int) -> tuple[Float[np.ndarray, "dim {side} {side}"], Bool[np.ndarray, "{side} {side}"]]:
        """Return the embedding of every pixel of a picture of ``side`` pixels, NaN where the shape is not, and where it is."""
        dim = self.embedding.shape[1]
        found, seen = np.full((dim, side, side), np.nan), np.zeros((side, side), bool)
        if self.traced is None:
            return found, seen
        pose = np.linalg.inv(self.camera.transform())
        hits, row, column = seen_pixels(self.traced, pose, centred_intrinsics(side), side)
        places = np.einsum("hk,hkc->hc", hits.weights, self.traced.corners[hits.face])
        found[:, row, column] = self.embedding[self.nearest.query(places)[1]].T
        seen[row, column] = True
        return found, seen


@torch.no_grad()
def understand(
    networks: Networks, image: UInt8[Tensor, "3 side side"], options: PipelineOptions, given: Given | None = None
) -> Understood:
    """Return what the pipeline makes of a picture, with what is ``given`` in the place of its own findings.

    A silhouette without a pixel has no surface, whatever shape is given.
    """
    given = given or Given()
    shape = networks.reconstruction
    sketch = shape.sketches(at_side(image, shape.experiment.data.size)[None])
    if given.sketch is not None:
        sketch = torch.tensor(given.sketch, device=sketch.device, dtype=sketch.dtype)[None]
    known = sketch[0].float().cpu().numpy()
    occupancy = shape.occupancies(sketch)[0].float().cpu().numpy() if given.voxels is None else given.voxels
    level = 0.5 if given.voxels is not None else options.level or shape.experiment.method.threshold
    vertices, faces = voxel_mesh(np.asarray(occupancy, np.float32), level)
    if not (known[SILHOUETTE] > 0).any():
        vertices, faces = vertices[:0], faces[:0]
    azimuth, polar = given.angles or seen_angles(networks, image, sketch)
    start = ObjectCamera.at(azimuth, polar, networks.distance)
    with torch.enable_grad():
        camera, costs = fit_viewpoint(
            torch.tensor(vertices, dtype=torch.float32, device=sketch.device),
            torch.tensor(faces, device=sketch.device),
            sketch[0, SILHOUETTE].float(),
            start,
            freedom=options.refine,
            steps=options.steps,
            lr=options.rate,
        )
    cloud, embedding, keypoints = meant(networks, vertices, faces, options.points)
    traced = TracedMesh(vertices[faces]) if len(faces) else None
    return Understood(
        vertices, faces, known, start, camera, costs, cloud, embedding, networks.meanings, keypoints, traced
    )


def seen_angles(
    networks: Networks, image: UInt8[Tensor, "3 side side"], sketch: Float[Tensor, "1 5 side side"]
) -> tuple[float, float]:
    """Return azimuth and polar angle as the network of viewpoints sees them, in the picture or in its own kind of sketches."""
    view = networks.viewpoint
    kind, side = view.experiment.method.sees, view.experiment.data.size
    batch = ViewpointBatch(
        angles=torch.zeros(1, 2),
        middle=torch.zeros(1, 3),
        usable=torch.ones(1, dtype=torch.uint8),
        image=None if kind == "true_sketches" else at_side(image, side)[None],
        sketch=F.interpolate(sketch, (side, side), mode="nearest-exact") if kind == "true_sketches" else None,
    )
    azimuth, polar = view.angles(batch)
    return float(azimuth), float(polar)


def meant(
    networks: Networks, vertices: Float[np.ndarray, "vertex 3"], faces: Int[np.ndarray, "face 3"], points: int
) -> tuple[Float[np.ndarray, "point 3"], Float[np.ndarray, "point dim"], Float[np.ndarray, "meaning 3"]]:
    """Return points of a surface, their embedding, and the point that is nearest to the mean of each meaning.

    The cloud is embedded in a box of longest side 1, as the network learnt it; the released demo leaves it as reconstructed.
    """
    dim = networks.means.shape[1]
    if not len(faces):
        return np.zeros((0, 3)), np.zeros((0, dim)), np.full((len(networks.means), 3), np.nan)
    cloud = sample_surface(vertices, faces, points, np.random.default_rng(0))
    where = next(networks.embedding.parameters()).device
    seen = torch.tensor(in_unit_box(cloud), dtype=torch.float32, device=where)
    embedding = networks.embedding.embedding(seen[None])[0].double().cpu().numpy()
    return cloud, embedding, cloud[cKDTree(embedding).query(networks.means)[1]]


def at_side(image: UInt8[Tensor, "3 side side"], side: int) -> UInt8[Tensor, "3 {side} {side}"]:
    """Return a square picture at another size."""
    if image.shape[1] == side:
        return image
    resized = F.interpolate(image[None].float(), (side, side), mode="bilinear", antialias=True)
    return resized[0].round().clamp(0, 255).to(torch.uint8)
