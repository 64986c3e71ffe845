"""Generated rooms that jobs work on where no scans are named."""

from pathlib import Path

from sem3d.config import digest
from sem3d.datasets.synthetic.rooms_config import RoomsConfig
from sem3d.datasets.synthetic.write import write_rooms


def small_rooms() -> RoomsConfig:
    """Rooms at little more than the size that the laptop presets see."""
    return RoomsConfig(color_height=120, color_width=160, depth_height=120, depth_width=160)


def rooms_folder(storage: Path, config: RoomsConfig) -> Path:
    """Where rooms of this configuration are, or would be."""
    return storage / f"rooms-{digest(config)}"


def make_rooms(folder: Path, config: RoomsConfig) -> None:
    """Renders rooms into ``folder`` unless they are there, and says which; Ray must be connected."""
    made = write_rooms(folder, config)
    print(f"{'found' if made.reused else 'rendered'} {made.rooms} rooms, {made.frames} frames: {folder}", flush=True)
