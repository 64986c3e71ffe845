"""Generated data that jobs work on where none is named: rooms, or renders of shapes."""

from pathlib import Path

from sem3d.config import digest
from sem3d.datasets.objects.render import RendersConfig, write_renders
from sem3d.worlds.rooms.config import RoomsConfig
from sem3d.worlds.rooms.write import write_rooms
from sem3d.worlds.shapes.write import ShapesConfig, write_shapes


def small_rooms() -> RoomsConfig:
    """Rooms at little more than the size that the laptop presets see."""
    return RoomsConfig(color_height=120, color_width=160, depth_height=120, depth_width=160)


def one_family() -> ShapesConfig:
    """A hundred chairs."""
    return ShapesConfig(kinds=("chair",))


def data_folder(storage: Path, config: RoomsConfig | ShapesConfig) -> Path:
    """Where data of this configuration is, or would be."""
    if isinstance(config, RoomsConfig):
        return storage / f"rooms-{digest(config)}"
    return storage / f"shapes-{digest(config)}" / "renders"


def make_data(folder: Path, config: RoomsConfig | ShapesConfig) -> None:
    """Renders rooms or shapes into ``folder`` unless they are there, and says which; Ray must be connected."""
    if isinstance(config, RoomsConfig):
        rooms = write_rooms(folder, config)
        counts, reused = f"{rooms.rooms} rooms, {rooms.frames} frames", rooms.reused
    else:
        # PyTorch3D takes seconds to import, which rooms need not wait for.
        from sem3d.rendering.shaded_views import shaded_views

        renders = write_renders(write_shapes(folder.parent / "meshes", config), folder, RendersConfig(), shaded_views)
        counts = f"{sum(sum(splits.values()) for splits in renders.objects.values())} objects"
        reused = renders.reused
    print(f"{'found' if reused else 'rendered'} {counts}: {folder}", flush=True)
