"""Writers of captures as other tools leave them, of the frames of any other layout: the tests' own idea of these structures."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.spatial.transform import Rotation

from sem3d.datasets.scans.layouts import FrameRecord
from sem3d.geometry.cameras import orthonormalise

STEP = 0.1
"""Seconds between two frames."""
BEGIN = 1305031102.175304


def copied(root: Path, records: Sequence[FrameRecord], folder: Path, names: tuple[str, str], factor: int = 1) -> list:
    """Copies colour and depth, whose numbers are multiplied; returns name of colour, name of depth and pose of each frame."""
    found = []
    for number, record in enumerate(records):
        color, depth = (
            name.format(number=number, time=BEGIN + STEP * number, ending=Path(record.color).suffix) for name in names
        )
        for name in (color, depth):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / record.color, folder / color)
        raw = np.array(Image.open(root / record.depth)).astype(np.int64)
        raw[raw == 65535] = 0
        Image.fromarray((raw * factor).astype(np.uint16)).save(folder / depth)
        found.append((color, depth, orthonormalise(record.world_from_camera)))
    return found


def write_tum(root: Path, records: Sequence[FrameRecord], folder: Path) -> None:
    """A sequence of TUM RGB-D: depth is 4 ms after colour, and a pose is given 1 ms before it."""
    frames = copied(root, records, folder, ("rgb/{time:.6f}{ending}", "depth/{time:.6f}.png"), 5)
    lines = {
        "rgb.txt": ["# color images"],
        "depth.txt": ["# depth maps"],
        "groundtruth.txt": ["# timestamp tx ty tz q"],
    }
    for number, (color, depth, pose) in enumerate(frames):
        time = BEGIN + STEP * number
        lines["rgb.txt"].append(f"{time:.6f} {color}")
        lines["depth.txt"].append(f"{time + 0.004:.6f} {depth}")
        numbers = [*pose[:3, 3], *Rotation.from_matrix(pose[:3, :3]).as_quat()]
        lines["groundtruth.txt"].append(" ".join([f"{time - 0.001:.6f}", *map(repr, map(float, numbers))]))
    for name, content in lines.items():
        (folder / name).write_text("\n".join(content) + "\n")
    camera = "\n".join(" ".join(map(repr, map(float, row))) for row in records[0].intrinsics_depth)
    (folder / "camera-intrinsics.txt").write_text(camera + "\n")


def write_nerfstudio(root: Path, records: Sequence[FrameRecord], folder: Path, scale: float = 1.0) -> dict:
    """What ns-process-data leaves of a capture with depth; returns the content of transforms.json."""
    frames = []
    for color, depth, pose in copied(
        root, records, folder, ("images/frame_{number:05d}{ending}", "depths/{number:05d}.png")
    ):
        pose = pose @ np.diag([1.0, -1.0, -1.0, 1.0])
        pose[:3, 3] *= scale
        frames.append({"file_path": color, "depth_file_path": depth, "transform_matrix": pose.tolist()})
    (fx, _, cx), (_, fy, cy), _ = records[0].intrinsics_color.tolist()
    height, width = records[0].color_size
    content = {
        "camera_model": "OPENCV",
        "w": width,
        "h": height,
        "fl_x": fx,
        "fl_y": fy,
        "cx": cx + 0.5,
        "cy": cy + 0.5,
    }
    content |= {"k1": 0.0, "k2": 0.0, "p1": 0.0, "p2": 0.0, "applied_scale": scale, "frames": frames[::-1]}
    (folder / "transforms.json").write_text(json.dumps(content))
    return content


def write_replica(root: Path, records: Sequence[FrameRecord], folder: Path) -> None:
    """A rendered scene of Replica, with the camera's file above it."""
    frames = copied(root, records, folder, ("results/frame{number:06d}{ending}", "results/depth{number:06d}.png"), 4)
    lines = [" ".join(map(repr, pose.ravel().tolist())) for _, _, pose in frames]
    (folder / "traj.txt").write_text("\n".join(lines) + "\n")
    (fx, _, cx), (_, fy, cy), _ = records[0].intrinsics_depth.tolist()
    height, width = records[0].depth_size
    camera = {"w": width, "h": height, "fx": fx, "fy": fy, "cx": cx, "cy": cy, "scale": 4000.0}
    (folder.parent / "cam_params.json").write_text(json.dumps({"camera": camera}))


def write_arkit(root: Path, records: Sequence[FrameRecord], folder: Path) -> None:
    """A video of ARKitScenes."""
    video, lines = folder.name, []
    names = tuple(f"{kind}/{video}_{{time:.3f}}{{ending}}" for kind in ("lowres_wide", "lowres_depth"))
    frames = copied(root, records, folder, (names[0], names[1].replace("{ending}", ".png")))
    (fx, _, cx), (_, fy, cy), _ = records[0].intrinsics_depth.tolist()
    height, width = records[0].depth_size
    (folder / "lowres_wide_intrinsics").mkdir()
    for number, (color, _, pose) in enumerate(frames):
        camera = np.linalg.inv(pose)
        numbers = [*Rotation.from_matrix(camera[:3, :3]).as_rotvec(), *camera[:3, 3]]
        lines.append(" ".join([f"{BEGIN + STEP * number + 0.003:.6f}", *map(repr, map(float, numbers))]))
        words = " ".join(map(repr, (width, height, fx, fy, cx, cy)))
        (folder / "lowres_wide_intrinsics" / f"{Path(color).stem}.pincam").write_text(words)
    (folder / "lowres_wide.traj").write_text("\n".join(lines) + "\n")
