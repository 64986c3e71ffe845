"""Renders of generated shapes as the world of methods that learn from single objects."""

from dataclasses import asdict
from pathlib import Path

from sem3d.config import digest
from sem3d.datasets.objects.render import RendersConfig, write_renders
from sem3d.worlds.register import World, begun_so_far
from sem3d.worlds.shapes.write import FORMAT, ShapesConfig, write_shapes

SECONDS_PER_OBJECT = 1.4
"""Of its 24 renders and its voxels, on one CPU."""


def one_family() -> ShapesConfig:
    """Return a hundred chairs."""
    return ShapesConfig(kinds=("chair",))


def renders_folder(storage: Path, config: ShapesConfig) -> Path:
    """Return the place of the renders of these shapes."""
    return storage / f"shapes-{digest([FORMAT, asdict(config)])}" / "renders"


def make_renders(folder: Path, config: ShapesConfig) -> str:
    """Generate and render the shapes unless they are there."""
    # PyTorch3D takes seconds to import, which rooms need not wait for.
    from sem3d.rendering.shaded_views import shaded_views

    renders = write_renders(write_shapes(folder.parent / "meshes", config), folder, RendersConfig(), shaded_views)
    objects = sum(sum(splits.values()) for splits in renders.objects.values())
    return f"{'found' if renders.reused else 'rendered'} {objects} objects: {folder}"


def ahead(folder: Path, config: ShapesConfig, cpus: float) -> str:
    """Return what rendering will take."""
    if folder.exists():
        return ""
    objects = len(config.kinds) * config.objects
    seconds = objects * SECONDS_PER_OBJECT / max(cpus, 1)
    return f"rendering {objects} objects from 24 sides: about {max(seconds, 1):.0f} s on {cpus:g} CPUs"


def so_far(folder: Path) -> str:
    """Return how many objects are rendered."""
    return begun_so_far(folder, "parts/*.note", "objects")


SHAPES = World(small=one_family, folder=renders_folder, make=make_renders, ahead=ahead, so_far=so_far)
