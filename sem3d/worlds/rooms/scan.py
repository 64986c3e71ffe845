"""One generated room filmed and written as a ScanNet scan folder."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sem3d.datasets.objects.sweet_home import read_catalogue
from sem3d.datasets.scans.sens import SensWriter
from sem3d.errors import UserError
from sem3d.files import read_json, whole_folder, write_json
from sem3d.worlds.rooms.cameras import camera_path
from sem3d.worlds.rooms.config import RoomsConfig, intrinsics
from sem3d.worlds.rooms.render import TracedRoom, render_view
from sem3d.worlds.rooms.room import Room, build_room
from sem3d.worlds.rooms.scan_mesh import sample_surface, write_instances, write_points
from sem3d.worlds.rooms.sensor import observed_color, observed_depth
from sem3d.worlds.rooms.supply import SPLITS, CatalogueSupply, ParametricSupply


def write_room(building: Path, config: RoomsConfig, row: dict[str, Any]) -> dict[str, Any]:
    """Build, film and write one room unless an earlier call has; returns its entry of rooms.json. One Ray task."""
    number, split, kind = int(row["number"]), str(row["split"]), str(row["kind"])
    scene = f"scene{number:04d}_00"
    folder = building / "scans" / scene
    if folder.is_dir():
        entry = read_json(folder / "room.json")
        if not isinstance(entry, dict):
            raise UserError(f"{folder / 'room.json'} is damaged: remove {folder} and make the rooms again")
        return entry
    if config.furniture == "parametric":
        supply = ParametricSupply(config.seed, split, number)
    else:
        supply = CatalogueSupply(read_catalogue(config.furniture), config.seed, split, number)
    seed = (config.seed, SPLITS.index(split), number)
    room = build_room(kind, seed, supply)
    traced = TracedRoom(room)
    pending = building / f".{scene}"
    shutil.rmtree(pending, ignore_errors=True)  # half a scene of an earlier call
    with whole_folder(folder, pending) as place:
        pixels = film(place, scene, config, traced, seed)
        points = sample_surface(traced, config.point_spacing, (*seed, 2))
        write_points(place / f"{scene}_vh_clean_2", points)
        write_instances(place / scene, points)
        entry = describe(room, number, scene, split)
        entry |= {
            "pixels": pixels,
            "quarantine": getattr(supply, "quarantine", {}),
            "notes": getattr(supply, "notes", {}),
        }
        write_json(place / "room.json", entry)
    return entry


def film(folder: Path, scene: str, config: RoomsConfig, traced: TracedRoom, seed: tuple[int, ...]) -> dict[str, int]:
    """Write the frames of one room; returns how many pixels each label has."""
    color_size = (config.color_height, config.color_width)
    depth_size = (config.depth_height, config.depth_width)
    lens_color, lens_depth = intrinsics(config, color_size), intrinsics(config, depth_size)
    poses = camera_path(traced.room, config.frames_per_room, (*seed, 0))
    rng = np.random.default_rng((*seed, 1))
    count = np.zeros(256, np.int64)
    for name in ("label-filt", "instance-filt"):
        (folder / name).mkdir()
    with SensWriter(
        folder / f"{scene}.sens",
        color_size=color_size,
        depth_size=depth_size,
        intrinsics_color=lens_color,
        intrinsics_depth=lens_depth,
    ) as scan:
        for frame, pose in enumerate(poses):
            pose = pose.astype(np.float32).astype(np.float64)
            view = render_view(traced, pose, lens_color, color_size)
            ranged = view if depth_size == color_size else render_view(traced, pose, lens_depth, depth_size)
            scan.write(pose, observed_color(view, config.noise, rng), observed_depth(ranged, config.noise, rng))
            Image.fromarray(view.label).save(folder / "label-filt" / f"{frame}.png")
            Image.fromarray(view.instance).save(folder / "instance-filt" / f"{frame}.png")
            count += np.bincount(view.label.ravel(), minlength=256)
    return {str(label): int(count[label]) for label in np.flatnonzero(count)}


def describe(room: Room, number: int, scene: str, split: str) -> dict[str, Any]:
    """Return a room's entry of rooms.json."""
    pieces = [one.piece for one in room.furniture]
    return {
        "number": number,
        "scene": scene,
        "split": split,
        "kind": room.kind,
        "size": room.size,
        "attempt": room.attempt,
        "furniture": [{"kind": piece.kind, "label": piece.label, "identity": piece.identity} for piece in pieces],
        "credits": sorted({piece.credit for piece in pieces if piece.credit}),
    }
