"""Losses of SSR: meshes against masks, and the labelling network on labelled images."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from sem3d.geometry.image_rotation import rotate_images
from sem3d.geometry.object_views import eyes_of_views, to_device_coordinates
from sem3d.losses.global_rows import evenly, global_rows
from sem3d.losses.mesh_smoothness import flattening_loss, laplacian_loss
from sem3d.losses.segmentation import global_mean
from sem3d.losses.silhouette_iou import silhouette_iou_loss
from sem3d.losses.viewpoint_pairs import mean_share, viewpoint_pair_counts, viewpoint_pair_loss
from sem3d.methods.ssr.batch import SSRBatch
from sem3d.methods.ssr.config import SSRConfig
from sem3d.networks.siamese_viewpoint import SiameseViewpoint, ViewpointClassifier
from sem3d.rendering import soft_silhouettes


@dataclass(frozen=True)
class Connectivity:
    """Triangles of the meshes that the decoder makes, and their neighbourhoods."""

    faces: Int[Tensor, "face 3"]
    edges: Tensor
    """Of :func:`sem3d.losses.mesh_smoothness.neighbours`."""
    hinges: Tensor
    """Of :func:`sem3d.losses.mesh_smoothness.hinges`."""


def reconstruction_losses(
    vertices: Float[Tensor, "batch view vertex 3"],
    images: Float[Tensor, "batch view 4 64 64"],
    viewpoint: Int[Tensor, "batch view"],
    usable: Bool[Tensor, " batch"],
    mesh: Connectivity,
    config: SSRConfig,
    step: int,
) -> dict[str, Tensor]:
    """Compare the mesh of each view with the masks of both (SoftRas, Eq. 11), Laplacian and flattening; means over objects."""
    rows = usable.nonzero()[:, 0]
    kept = vertices[rows]
    masks = F.adaptive_avg_pool2d(images[rows][:, :, 3], config.silhouette_size)
    views = kept.shape[1]
    eyes = eyes_of_views(viewpoint[rows], dtype=kept.dtype)
    shapes = kept[:, :, None].expand(-1, -1, views, -1, -1).flatten(0, 2)
    seen_from = eyes[:, None].expand(-1, views, -1, -1).flatten(0, 2)
    silhouettes = soft_silhouettes(
        to_device_coordinates(shapes, seen_from),
        mesh.faces,
        size=config.silhouette_size,
        sigma=config.sigma * config.sigma_factor ** (step // config.sigma_every),
        backend=config.silhouette_backend,
        trusted=True,
    )
    wanted = masks[:, None].expand(-1, views, -1, -1, -1).flatten(0, 2)
    each = kept.flatten(0, 1)
    means = {
        "silhouette": silhouette_iou_loss(silhouettes, wanted),
        "laplacian": config.laplacian * laplacian_loss(each, mesh.edges),
        "flattening": config.flattening * flattening_loss(each, mesh.hinges),
    }
    count = usable.sum().to(kept.dtype)
    return {name: config.reconstruction * global_mean(mean * count, count) for name, mean in means.items()}


@dataclass(frozen=True)
class LabelledImages:
    """Labelled images of this worker, and how those of all workers are labelled, in the rows of the global batch."""

    images: Float[Tensor, "image 4 64 64"]
    places: Int[Tensor, " image"]
    """Of those among the rows of this worker that may hold a labelled image."""
    rows: int
    """Their number."""
    labelled: Int[Tensor, " labelled"]
    """Rows of the global batch that hold a labelled image."""
    viewpoints: Int[Tensor, " labelled"]
    objects: Int[Tensor, " labelled"]


def labelled_images(images: Float[Tensor, "batch view 4 64 64"], batch: SSRBatch) -> LabelledImages:
    """Return the first view of every labelled object, with the labels of the global batch; ``images`` are the batch's."""
    mine = (batch.labelled & batch.usable).bool()
    return _of_rows(images[:, 0], mine, batch.viewpoint[:, 0], batch.object)


def images_beside(
    images: Float[Tensor, "batch beside 4 64 64"], batch: SSRBatch, wanted: int, batch_size: int
) -> LabelledImages:
    """Return the labelled views that were drawn beside the pairs, ``wanted`` for every ``batch_size`` rows of the global batch.

    ``images`` are the batch's.
    """
    assert batch.beside_viewpoint is not None
    assert batch.beside_object is not None
    rows, beside = images.shape[:2]
    usable = batch.usable.bool()[:, None].expand(-1, beside).flatten()
    mine = usable & evenly(wanted, batch_size * beside, rows * beside).to(usable.device, non_blocking=True)
    return _of_rows(images.flatten(0, 1), mine, batch.beside_viewpoint.flatten(), batch.beside_object.flatten())


def _of_rows(
    images: Float[Tensor, "row 4 64 64"],
    mine: Bool[Tensor, " row"],
    viewpoints: Int[Tensor, " row"],
    objects: Int[Tensor, " row"],
) -> LabelledImages:
    """Return the rows that hold a labelled image, with what every worker knows of those of the global batch."""
    places = mine.nonzero()[:, 0]
    labelled = global_rows(mine.to(torch.uint8)).nonzero()[:, 0]
    seen_from, shown = (global_rows(values)[labelled] for values in (viewpoints, objects))
    return LabelledImages(images[places], places, len(mine), labelled, seen_from, shown)


def viewpoint_losses(
    network: SiameseViewpoint | ViewpointClassifier, batch: LabelledImages, config: SSRConfig, seed: int
) -> tuple[dict[str, Tensor], Float[Tensor, ""]]:
    """Return losses of the labelling network on every labelled object of the global batch, plain and turned, and its accuracy.

    Alike on every worker; the accuracy is NaN where there is nothing to tell. Pairs and the angle are drawn from ``seed``.
    """
    draws = torch.Generator().manual_seed(seed)
    plain, accuracy = _viewpoint_loss(network, batch, batch.images, config, draws)
    losses = {"viewpoint": plain}
    if config.rotation_augmentation:
        degrees = int(torch.randint(360, (), generator=draws))
        losses["viewpoint_turned"] = _viewpoint_loss(
            network, batch, rotate_images(batch.images, degrees), config, draws
        )[0]
    return losses, accuracy


def _viewpoint_loss(
    network: SiameseViewpoint | ViewpointClassifier,
    batch: LabelledImages,
    images: Float[Tensor, "image 4 64 64"],
    config: SSRConfig,
    draws: torch.Generator,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    own = network(images)
    spread = own.new_zeros(batch.rows, own.shape[1]).index_add(0, batch.places, own)
    features = global_rows(spread)[batch.labelled]
    if isinstance(network, ViewpointClassifier):
        logits = network.logits(features)
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        loss = F.cross_entropy(logits, batch.viewpoints, reduction="sum") / max(len(features), 1)
        return loss, (logits.argmax(1) == batch.viewpoints).double().mean()
    logits = network.similarity(features, features)
    loss = viewpoint_pair_loss(
        logits, batch.viewpoints, batch.objects, draws, choice=config.pairs, draws=config.pair_draws
    )
    return loss, mean_share(viewpoint_pair_counts(logits, batch.viewpoints, batch.objects, config.pairs))
