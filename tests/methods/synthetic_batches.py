"""A batch of fixed random numbers for each method, made without data on disk."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import torch
from torch import Tensor
from torch.nn import functional as F

from sem3d.datasets.posed_rays import CollateRays, LoadRays
from sem3d.datasets.stream import Samples
from sem3d.methods.method import HELD_OUT, TESTED, TRAIN, Sources
from sem3d.methods.semantic_srn.sources import KNOWN


def voxels_of(items: int, random: torch.Generator) -> Tensor:
    """About 300 voxels of so many items, each once."""
    voxel = torch.randint(0, 12, (300, 4), generator=random, dtype=torch.int32)
    voxel[:, 0] %= items
    return torch.unique(voxel, dim=0)


def pri3d() -> dict[str, Tensor]:
    """Two pairs of 32 x 40 images with 16 matches, and 300 voxels."""
    random = torch.Generator().manual_seed(1)
    voxel = voxels_of(4, random)
    count = len(voxel)
    cells = torch.tensor([20, 16])
    return {
        "image": torch.randint(0, 256, (2, 2, 3, 32, 40), generator=random, dtype=torch.uint8),
        "depth": 1 + 2 * torch.rand(2, 2, 32, 40, generator=random),
        "cell": (torch.rand(2, 16, 2, 2, generator=random) * cells).long(),
        "usable": torch.ones(2, dtype=torch.uint8),
        "view_valid": torch.ones(2, dtype=torch.uint8),
        "voxel": voxel,
        "voxel_color": torch.randint(0, 256, (count, 3), generator=random, dtype=torch.uint8),
        "geo_voxel": torch.randint(0, count, (2, 2, 16), generator=random),
        "geo_cell": (torch.rand(2, 2, 16, 2, generator=random) * cells).long(),
        "geo_valid": torch.ones(2, 2, dtype=torch.uint8),
    }


def ppkt() -> dict[str, Tensor]:
    """Three 33 x 44 images with 16 pairs, and 300 voxels."""
    random = torch.Generator().manual_seed(1)
    voxel = voxels_of(3, random)
    count = len(voxel)
    return {
        "image": torch.randint(0, 256, (3, 3, 33, 44), generator=random, dtype=torch.uint8),
        "voxel": voxel,
        "voxel_color": torch.randint(0, 256, (count, 3), generator=random, dtype=torch.uint8),
        "pair_voxel": torch.randint(0, count, (3, 16), generator=random),
        "pair_pixel": (torch.rand(3, 16, 2, generator=random) * torch.tensor([44, 33])).long(),
        "pair_valid": torch.ones(3, dtype=torch.uint8),
        "usable": torch.ones(3, dtype=torch.uint8),
    }


def ppkt_pointcontrast() -> dict[str, Tensor]:
    """Two pairs of 33 x 44 images with 16 pairs of a voxel and a pixel each, about 75 voxels a frame, and 16 matches a pair."""
    random = torch.Generator().manual_seed(1)
    voxel = voxels_of(4, random)
    rows = [torch.nonzero(voxel[:, 0] == frame)[:, 0] for frame in range(4)]
    drawn = torch.stack([own[torch.randint(0, len(own), (16,), generator=random)] for own in rows])
    return {
        "image": torch.randint(0, 256, (4, 3, 33, 44), generator=random, dtype=torch.uint8),
        "voxel": voxel,
        "voxel_color": torch.randint(0, 256, (len(voxel), 3), generator=random, dtype=torch.uint8),
        "pair_voxel": drawn,
        "pair_pixel": (torch.rand(4, 16, 2, generator=random) * torch.tensor([44, 33])).long(),
        "pair_valid": torch.ones(4, dtype=torch.uint8),
        "usable": torch.ones(4, dtype=torch.uint8),
        "match_voxel": drawn.unflatten(0, (2, 2)).transpose(1, 2),
        "match_valid": torch.ones(2, dtype=torch.uint8),
    }


def pointcontrast() -> dict[str, Tensor]:
    """Three pairs of frames of about 50 voxels each, with 16 matches a pair."""
    random = torch.Generator().manual_seed(1)
    voxel = voxels_of(6, random)
    rows = [torch.nonzero(voxel[:, 0] == frame)[:, 0] for frame in range(6)]
    drawn = [own[torch.randint(0, len(own), (16,), generator=random)] for own in rows]
    return {
        "voxel": voxel,
        "voxel_color": torch.randint(0, 256, (len(voxel), 3), generator=random, dtype=torch.uint8),
        "match_voxel": torch.stack(drawn).unflatten(0, (3, 2)).transpose(1, 2),
        "match_valid": torch.ones(3, dtype=torch.uint8),
        "usable": torch.ones(3, dtype=torch.uint8),
    }


def semantic_segmentation_2d() -> dict[str, Tensor]:
    """Three 32 x 40 images with random labels."""
    random = torch.Generator().manual_seed(1)
    return {
        "image": torch.randint(0, 256, (3, 3, 32, 40), generator=random, dtype=torch.uint8),
        "label": torch.randint(0, 21, (3, 32, 40), generator=random, dtype=torch.uint8),
    }


def semantic_segmentation_3d() -> dict[str, Tensor]:
    """Three scenes of about 100 voxels each, and 900 points with random labels."""
    random = torch.Generator().manual_seed(1)
    voxel = voxels_of(3, random)
    count = len(voxel)
    return {
        "voxel": voxel,
        "voxel_color": torch.randint(0, 256, (count, 3), generator=random, dtype=torch.uint8),
        "point_voxel": torch.randint(0, count, (900, 1), generator=random),
        "point_label": torch.randint(0, 21, (900,), generator=random, dtype=torch.uint8),
        "scene": torch.arange(3),
    }


def object_detection_3d() -> dict[str, Tensor]:
    """Three scenes of about 100 voxels each, with 40 seeds and up to four boxes."""
    random = torch.Generator().manual_seed(1)
    voxel = voxels_of(3, random)
    count = len(voxel)
    own = [torch.nonzero(voxel[:, 0] == item)[:, 0] for item in range(3)]
    seeds = torch.stack([rows[torch.randperm(len(rows), generator=random)[:40]] for rows in own])
    centers = voxel[seeds[:, ::10], 1:] * 0.2 + 0.2 * torch.rand(3, 4, 3, generator=random)
    sizes = 0.2 + torch.rand(3, 4, 3, generator=random)
    named = torch.randint(0, 18, (3, 4), generator=random)
    named[1, 2:] = -1
    within = torch.rand(count, 3, generator=torch.Generator().manual_seed(2))
    return {
        "voxel": voxel,
        "voxel_color": torch.randint(0, 256, (count, 3), generator=random, dtype=torch.uint8),
        "voxel_point": (voxel[:, 1:] + within) * 0.2,
        "seed_voxel": seeds,
        "seed_point": voxel[seeds, 1:] * 0.2 + 0.1,
        "seed_box": torch.randint(-1, 2, (3, 40, 1), generator=random),
        "box": torch.cat([centers, sizes, torch.zeros(3, 4, 1)], 2),
        "box_class": named,
        "scene": torch.arange(3),
    }


def ssr() -> dict[str, Tensor]:
    """Four objects, two of them labelled, two views each."""
    random = torch.Generator().manual_seed(1)
    return {
        "image": torch.randint(0, 256, (4, 2, 4, 64, 64), generator=random, dtype=torch.uint8),
        "viewpoint": torch.tensor([[3, 8], [3, 20], [0, 1], [8, 3]]),
        "object": torch.arange(4),
        "labelled": torch.tensor([1, 1, 0, 1], dtype=torch.uint8),
        "usable": torch.ones(4, dtype=torch.uint8),
    }


def keypoint_embedding() -> dict[str, Tensor]:
    """Four clouds of 64 points, three to six of which are keypoints."""
    random = torch.Generator().manual_seed(1)
    keypoint, meaning = torch.full((4, 24), -1), torch.full((4, 24), -1)
    for item, count in enumerate((6, 3, 5, 4)):
        keypoint[item, :count] = torch.randperm(64, generator=random)[:count]
        meaning[item, :count] = torch.randperm(8, generator=random)[:count]
    return {
        "point": torch.rand(4, 64, 3, generator=random) - 0.5,
        "keypoint": keypoint,
        "meaning": meaning,
        "usable": torch.ones(4, dtype=torch.uint8),
    }


def seen_objects() -> dict[str, Tensor]:
    """Four pictures with sketches, viewpoints and shapes of 8 voxels a side."""
    random = torch.Generator().manual_seed(1)
    silhouette = (torch.rand(4, 1, 32, 32, generator=random) > 0.4).float()
    normals = F.normalize(torch.randn(4, 3, 32, 32, generator=random), dim=1)
    return {
        "image": torch.randint(0, 256, (4, 3, 32, 32), generator=random, dtype=torch.uint8),
        "sketch": silhouette * torch.cat([torch.rand(4, 1, 32, 32, generator=random), normals, silhouette], 1),
        "angles": torch.rand(4, 2, generator=random) * torch.tensor([6.28, 3.14]),
        "middle": torch.rand(4, 3, generator=random),
        "voxel": torch.randint(0, 2, (4, 8, 8, 8), generator=random, dtype=torch.uint8),
        "latent": torch.randn(4, 4, generator=random),
        "mix": torch.rand(4, generator=random),
        "usable": torch.ones(4, dtype=torch.uint8),
    }


def columns_of(*names: str) -> Callable[[], dict[str, Tensor]]:
    """Some columns of :func:`seen_objects`."""
    return lambda: {name: seen_objects()[name] for name in (*names, "usable")}


def beside() -> dict[str, Tensor]:
    """Columns of two labelled images beside each of the four objects of :func:`ssr`."""
    random = torch.Generator().manual_seed(2)
    return {
        "beside_image": torch.randint(0, 256, (4, 2, 4, 64, 64), generator=random, dtype=torch.uint8),
        "beside_viewpoint": torch.tensor([[3, 8], [3, 20], [0, 8], [8, 3]]),
        "beside_object": torch.tensor([[1, 0], [0, 1], [3, 3], [1, 0]]),
    }


def posed_views() -> dict[str, Tensor]:
    """Four objects seen from two cameras each along 20 rays, some of them labelled."""
    random = torch.Generator().manual_seed(1)
    poses = torch.eye(4).repeat(4, 2, 1, 1)
    poses[:, 1, :3, :3] = torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
    poses[..., :3, 3] = 0.1 * torch.randn(4, 2, 3, generator=random)
    return {
        "instance": torch.arange(4),
        "intrinsics": torch.tensor([[12.0, 0.0, 6.0], [0.0, 12.0, 6.0], [0.0, 0.0, 1.0]]).repeat(4, 1, 1),
        "world_from_camera": poses,
        "pixels": 12 * torch.rand(4, 2, 20, 2, generator=random),
        "color": 2 * torch.rand(4, 2, 20, 3, generator=random) - 1,
        "alpha": torch.rand(4, 2, 20, generator=random),
        "label": torch.randint(-1, 3, (4, 2, 20), generator=random),
    }


def posed_pictures(views: int = 1, side: int = 4) -> dict[str, Tensor]:
    """Four objects, some whole pictures of each."""
    random = torch.Generator().manual_seed(1)
    cameras = posed_views()
    return {
        "instance": torch.arange(4),
        "intrinsics": cameras["intrinsics"],
        "world_from_camera": cameras["world_from_camera"][:, :views],
        "pixels": side * torch.rand(4, views, side**2, 2, generator=random),
        "color": 2 * torch.rand(4, views, side**2, 3, generator=random) - 1,
        "alpha": torch.rand(4, views, side**2, generator=random),
        "label": torch.randint(-1, 3, (4, views, side**2), generator=random),
    }


def posed_pairs() -> dict[str, Tensor]:
    """Four objects, two pictures of 8 x 8 pixels each."""
    return posed_pictures(2, 8)


def posed_objects() -> Sources:
    """Four training objects, and four to be told apart by new latents; nothing is on disk."""
    table = pa.table({"instance": pa.array(range(4), pa.int64()), "identity": pa.array(range(1, 5), pa.int64())})
    load = LoadRays(Path("nowhere"), 12, "white", ("background", "back", "seat"), 2, 20)
    objects = Samples(table, load, CollateRays(12, 2, 20), "posed objects")
    return dict.fromkeys((TRAIN, HELD_OUT, TESTED, KNOWN), objects)


BATCHES = {
    "pri3d": pri3d,
    "ppkt": ppkt,
    "ppkt_pointcontrast": ppkt_pointcontrast,
    "pointcontrast": pointcontrast,
    "semantic_segmentation_2d": semantic_segmentation_2d,
    "semantic_segmentation_3d": semantic_segmentation_3d,
    "object_detection_3d": object_detection_3d,
    "ssr": ssr,
    "semantic_srn": posed_views,
    "semantic_srn_instances": posed_views,
    "semantic_srn_parts": posed_views,
    "semantic_srn_rendered_unet": posed_pictures,
    "semantic_srn_autoencoder": posed_pairs,
    "semantic_srn_autoencoder_parts": posed_pairs,
    "semantic_srn_unet": posed_pictures,
    "keypoint_embedding": keypoint_embedding,
    "viewpoint": columns_of("image", "angles", "middle"),
    "reconstruction_sketches": columns_of("image", "sketch"),
    "reconstruction_naturalness": columns_of("voxel", "latent", "mix"),
    "reconstruction": columns_of("image", "sketch", "voxel"),
}
SOURCES = {name: posed_objects() for name in BATCHES if name.startswith("semantic_srn")}
"""What methods whose size follows from the data are built with."""
