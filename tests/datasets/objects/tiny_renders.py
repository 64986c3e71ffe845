"""Small renders in NMR's layout: boxes of many shapes with soft masks, drawn in a moment."""

from pathlib import Path

import numpy as np
import torch

from sem3d.datasets.objects.npz_stream import write_npz
from sem3d.geometry.nmr_views import VIEWS
from sem3d.geometry.object_views import eyes_of_views, to_device_coordinates
from sem3d.geometry.solid_voxels import solid_voxels, to_dataset_axes
from sem3d.rendering import soft_silhouettes

CHAIR = "03001627"
OBJECTS = {"train": 9, "val": 3, "test": 3}


def box(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and faces of a box whose longest side is 1, in the object frame."""
    sides = rng.uniform(0.3, 0.9, 3)
    sides[rng.integers(3)] = 1.0
    corners = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
    squares = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
    return corners * sides, np.array([face for a, b, c, d in squares for face in ((a, b, c), (a, c, d))])


def views_of_a_box(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """24 images whose colour tells the viewpoint."""
    views = torch.arange(VIEWS)
    seen = to_device_coordinates(
        torch.tensor(vertices, dtype=torch.float32).expand(VIEWS, -1, -1), eyes_of_views(views)
    )
    masks = soft_silhouettes(seen, torch.tensor(faces))
    turn = views / VIEWS
    color = torch.stack([turn, 1 - turn, (2 * turn - 1).abs()], 1)[:, :, None, None] * masks[:, None]
    return (torch.cat([color, masks[:, None]], 1) * 255).round().to(torch.uint8).numpy()


def write_tiny_renders(root: Path, objects: dict[str, int] = OBJECTS) -> Path:
    """Renders of one class, "chair", in ``root``."""
    root.mkdir(parents=True, exist_ok=True)
    for number, (split, count) in enumerate(objects.items()):
        boxes = [box(np.random.default_rng([number, item])) for item in range(count)]
        images = [views_of_a_box(*shape) for shape in boxes]
        voxels = [np.ascontiguousarray(to_dataset_axes(solid_voxels(*shape))) for shape in boxes]
        write_npz(root / f"{CHAIR}_{split}_images.npz", images, (count, VIEWS, 4, 64, 64), np.dtype(np.uint8))
        write_npz(root / f"{CHAIR}_{split}_voxels.npz", voxels, (count, 32, 32, 32), np.dtype(np.bool_))
    return root
