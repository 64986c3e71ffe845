"""Reading a ``.sens`` scan, against the official way (all of it in memory, every frame unpacked) and against scenezoo's index.

Seconds are CPU time of one thread. scenezoo (``pip install scenezoo``) is measured where it is installed; as sem3d it seeks past
what is not asked for, so that both decode the same bytes.
"""

import importlib
import io
import math
import statistics
import struct
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from sem3d.datasets.scans.sens import SensFile, SensWriter

SIZE = (480, 640)
FRAMES = 200
EVERY = 25
ROUNDS = 3
Reader = Callable[[Path, range], None]


def run() -> list[tuple[str, float, float, str]]:
    """Return rows (what, ours per second, rival per second, unit); a frame is its colour and its depth decoded."""
    rivals: dict[str, Reader | None] = {"the official reader": read_official_way, "scenezoo": scenezoo_reader()}
    readers = [read_ours, *filter(None, rivals.values())]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scan.sens"
        write_scan(path)
        rows = []
        for what, frames in (
            (f"every {EVERY}th of {FRAMES} frames", range(0, FRAMES, EVERY)),
            (f"all {FRAMES} frames", range(FRAMES)),
        ):
            seconds: dict[Reader, list[float]] = {read: [] for read in readers}
            for _ in range(ROUNDS):
                for read, times in seconds.items():
                    start = time.process_time()
                    read(path, frames)
                    times.append(time.process_time() - start)
            speed = {read: len(frames) / statistics.median(times) for read, times in seconds.items()}
            for rival, read in rivals.items():
                against = f"against {rival}" if read else f"{rival} is not installed"
                other = speed[read] if read else math.nan
                rows.append((f".sens, {what}, {against}", speed[read_ours], other, "frames"))
    return rows


def write_scan(path: Path) -> None:
    """Write a scan whose images compress about as real ones do: smooth shapes with a little noise."""
    generator = np.random.default_rng(0)
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]] / SIZE[0]
    intrinsics = np.array([[577.9, 0.0, 319.5], [0.0, 577.9, 239.5], [0.0, 0.0, 1.0]])
    noise = generator.normal(0, 6, (*SIZE, 3))
    with SensWriter(
        path, color_size=SIZE, depth_size=SIZE, intrinsics_color=intrinsics, intrinsics_depth=intrinsics
    ) as writer:
        for number in range(FRAMES):
            waves = [np.sin(7 * rows + number / 9), np.cos(9 * columns - number / 7), np.sin(5 * (rows + columns))]
            color = np.clip(127 + 90 * np.stack(waves, axis=2) + noise, 0, 255).astype(np.uint8)
            depth = (2000 + 800 * waves[0] + 500 * waves[1] + noise[..., 0]).astype(np.uint16)
            writer.write(np.eye(4), color, depth)


def read_ours(path: Path, frames: range) -> None:
    """Seek past what is not asked for."""
    with SensFile(path) as scan:
        for frame in frames:
            scan.pose(frame)
            scan.color(frame)
            scan.depth(frame)


def read_official_way(path: Path, frames: range) -> None:
    """Read as ScanNet's Python reader does: every payload is unpacked byte by byte and joined, and all stay in memory."""
    with open(path, "rb") as file:
        file.read(4)
        file.read(struct.unpack("<Q", file.read(8))[0])
        file.read(4 * 64 + 8 + 16 + 4)
        count = struct.unpack("<Q", file.read(8))[0]
        poses, colors, depths = [], [], []
        for _ in range(count):
            poses.append(np.array(struct.unpack("<16f", file.read(64)), np.float32).reshape(4, 4))
            file.read(16)
            color_bytes, depth_bytes = struct.unpack("<QQ", file.read(16))
            colors.append(b"".join(struct.unpack(f"<{color_bytes}c", file.read(color_bytes))))
            depths.append(b"".join(struct.unpack(f"<{depth_bytes}c", file.read(depth_bytes))))
    for frame in frames:
        np.asarray(Image.open(io.BytesIO(colors[frame])))
        np.frombuffer(zlib.decompress(depths[frame]), np.uint16).reshape(SIZE)


def scenezoo_reader() -> Reader | None:
    """Return scenezoo's reader, which indexes a scan and decodes the frames asked for; None where it is not installed."""
    try:
        sens = importlib.import_module("scenezoo.io.sens")
    except ImportError:
        return None

    def read(path: Path, frames: range) -> None:
        index = sens.read_sens_index(path)
        for frame in frames:
            sens.read_sens_frames(index, [frame], rgb=True, depth=True)

    return read
