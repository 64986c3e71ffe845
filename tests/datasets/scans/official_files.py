"""Writers of the official structures, small: the tests' own idea of them, not the project's writers."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

COLOR_SIZE = (121, 162)  # an eighth of ScanNet's 968 x 1296
DEPTH_SIZE = (60, 80)  # an eighth of 480 x 640
INTRINSICS_COLOR = np.array([[146.0, 0.0, 80.5], [0.0, 146.5, 60.25], [0.0, 0.0, 1.0]])
INTRINSICS_DEPTH = np.array([[72.0, 0.0, 39.5], [0.0, 72.25, 29.75], [0.0, 0.0, 1.0]])
IDENTITY = np.eye(4)
LOST = np.full((4, 4), -np.inf)


def pose(x: float, y: float = 0.0, z: float = 0.0) -> np.ndarray:
    world_from_camera = np.eye(4)
    world_from_camera[:3, 3] = x, y, z
    return world_from_camera


def wall_depth(size: tuple[int, int] = DEPTH_SIZE) -> np.ndarray:
    """Raw millimetres of a wall at 2 m, with both marks of invalid depth in the first row."""
    depth = np.full(size, 2000, np.uint16)
    depth[0, : size[1] // 2] = 0
    depth[0, size[1] // 2 :] = 65535
    return depth


def wall_color(seed: int = 0, size: tuple[int, int] = COLOR_SIZE) -> np.ndarray:
    """A smooth picture, other for each seed."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    return np.stack([rows + seed, columns, rows + columns], axis=2).astype(np.uint8)


def own_seed(name: str) -> int:
    """A number of each scene's own, so that no two scans have the same pictures."""
    return zlib.crc32(name.encode()) % 200


def jpeg(color: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(color).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def write_text_matrix(path: Path, matrix: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(" ".join(f"{value:.8g}" for value in row) for row in matrix) + "\n")


def write_image(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def sens_bytes(
    frames: list[tuple[np.ndarray, bytes, bytes]],
    *,
    announced: int | None = None,
    version: int = 4,
    color_size: tuple[int, int] = COLOR_SIZE,
    compression: tuple[int, int] = (2, 1),
    extrinsics: np.ndarray = IDENTITY,
    began: int = 0,
) -> bytes:
    """A ``.sens`` file of (pose, colour payload, depth payload), field by field."""
    out = struct.pack("<I", version) + struct.pack("<Q", 15) + b"StructureSensor"
    for intrinsics in (INTRINSICS_COLOR, INTRINSICS_DEPTH):
        whole = np.eye(4)
        whole[:3, :3] = intrinsics
        out += whole.astype("<f4").tobytes() + extrinsics.astype("<f4").tobytes()
    out += struct.pack("<ii", *compression)
    out += struct.pack("<II", color_size[1], color_size[0]) + struct.pack("<II", DEPTH_SIZE[1], DEPTH_SIZE[0])
    out += struct.pack("<f", 1000.0) + struct.pack("<Q", len(frames) if announced is None else announced)
    for number, (world_from_camera, color, depth) in enumerate(frames):
        out += world_from_camera.astype("<f4").tobytes() + struct.pack("<QQ", began + number, began + number)
        out += struct.pack("<QQ", len(color), len(depth)) + color + depth
    return out + struct.pack("<Q", 0)


def wall_frames(count: int) -> list[tuple[np.ndarray, bytes, bytes]]:
    """Frames of a camera that moves 5 cm a frame along the wall."""
    depth = zlib.compress(wall_depth().tobytes())
    return [(pose(0.05 * number), jpeg(wall_color(number)), depth) for number in range(count)]


def write_sens_scene(root: Path, scene: str, frames: list[tuple[np.ndarray, bytes, bytes]]) -> Path:
    """``scans/<scene>/<scene>.sens``."""
    path = root / "scans" / scene / f"{scene}.sens"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(sens_bytes(frames, began=own_seed(scene)))
    return path


def write_seven_scenes(folder: Path, count: int) -> None:
    """7-Scenes' files with colour and depth of one size."""
    write_text_matrix(folder / "camera-intrinsics.txt", INTRINSICS_DEPTH)
    for number in range(count):
        stem = f"frame-{number:06d}"
        (folder / f"{stem}.color.jpg").write_bytes(jpeg(wall_color(number + own_seed(folder.name), DEPTH_SIZE)))
        write_image(folder / f"{stem}.depth.png", wall_depth())
        write_text_matrix(folder / f"{stem}.pose.txt", pose(0.05 * number))


def write_export(root: Path, scene: str, count: int, step: int = 25) -> Path:
    """What SensReader exports."""
    folder = root / scene
    for kind, matrix in (("color", INTRINSICS_COLOR), ("depth", INTRINSICS_DEPTH)):
        whole = np.eye(4)
        whole[:3, :3] = matrix
        write_text_matrix(folder / "intrinsic" / f"intrinsic_{kind}.txt", whole)
        write_text_matrix(folder / "intrinsic" / f"extrinsic_{kind}.txt", np.eye(4))
    for place in range(count):
        write_image(folder / "color" / f"{place * step}.jpg", wall_color(place + own_seed(scene)))
        write_image(folder / "depth" / f"{place * step}.png", wall_depth())
        write_text_matrix(folder / "pose" / f"{place * step}.txt", pose(0.05 * place))
    return folder


def write_frames_25k(root: Path, scene: str, count: int) -> Path:
    """A scene of scannet_frames_25k, labels 8 bit and instances 16 bit."""
    folder = root / scene
    for kind, matrix in (("color", INTRINSICS_COLOR), ("depth", INTRINSICS_DEPTH)):
        whole = np.eye(4)
        whole[:3, :3] = matrix
        write_text_matrix(folder / f"intrinsics_{kind}.txt", whole)
    for place in range(count):
        name = f"{100 * place:06d}"
        label = np.full(COLOR_SIZE, 5, np.uint8)
        write_image(folder / "color" / f"{name}.jpg", wall_color(place + own_seed(scene)))
        write_image(folder / "depth" / f"{name}.png", wall_depth())
        write_image(folder / "label" / f"{name}.png", label)
        write_image(folder / "instance" / f"{name}.png", label.astype(np.uint16) * 1000 + 1)
        write_text_matrix(folder / "pose" / f"{name}.txt", pose(0.05 * place))
    return folder


def write_ply(path: Path, points: np.ndarray, colors: np.ndarray, faces: np.ndarray, labels: np.ndarray | None) -> None:
    """``_vh_clean_2.ply``, or with labels ``_vh_clean_2.labels.ply``."""
    fields = ["float x", "float y", "float z", "uchar red", "uchar green", "uchar blue", "uchar alpha"]
    fields += [] if labels is None else ["ushort label"]
    header = ["ply", "format binary_little_endian 1.0", "comment VCGLIB generated", f"element vertex {len(points)}"]
    header += [f"property {field}" for field in fields]
    header += [f"element face {len(faces)}", "property list uchar int vertex_indices", "end_header"]
    body = b""
    for number, point in enumerate(points):
        body += struct.pack("<3f4B", *point, *colors[number], 255)
        body += b"" if labels is None else struct.pack("<H", labels[number])
    body += b"".join(struct.pack("<B3i", 3, *face) for face in faces)
    path.write_bytes(("\n".join(header) + "\n").encode() + body)
