"""ScanNet's ``.sens`` files: one RGB-D scan, read frame by frame and written.

The official reader holds the whole file and unpacks every frame (ScanNet/ScanNet, SensReader/python; issues 3, 30, 60, 88).
Here one pass reads the 96-byte header of each frame, seeks past its payload and keeps 32 bytes a frame; pixels are read and
decoded when asked for, so memory does not grow with the file.

Little-endian: u32 version 4; u64 length and sensor name; colour intrinsics, colour extrinsics, depth intrinsics, depth
extrinsics, each 4x4 f32; i32 colour and depth compression; u32 colour width, height, depth width, height; f32 raw depth units
a metre; u64 frames. A frame: 4x4 f32 world_from_camera, u64 colour time, depth time, colour bytes, depth bytes, then both
payloads. The IMU block behind the frames is not read.
"""

import io
import os
import struct
import weakref
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from jaxtyping import Float, Shaped, UInt8, UInt16
from PIL import Image

from sem3d.datasets.pictures import MOST_DEPTH_PIXELS, MOST_PIXELS, read_color_picture, words_of
from sem3d.errors import BadSample
from sem3d.files import open_regular

VERSION = 4
COLOR_COMPRESSION = {0: "raw", 1: "png", 2: "jpeg"}
DEPTH_COMPRESSION = {0: "raw", 1: "zlib"}
LONGEST_NAME = 4096
LARGEST_SIDE = 16384
MOST_FRAMES = 1 << 24  # six days at 30 a second
MOST_EMPTY_FRAMES = 10_000
"""Frames in a row without colour and depth; a file with holes holds any number of them in no space."""

FIXED_PART = struct.Struct("<64f2i4If")
FRAME_HEADER = struct.Struct("<16f4Q")


@dataclass(frozen=True)
class SensHeader:
    """Facts of all frames of a scan; 3x3 intrinsics belong to the image size beside them."""

    sensor: str
    intrinsics_color: Float[np.ndarray, "3 3"]
    intrinsics_depth: Float[np.ndarray, "3 3"]
    extrinsics_color: Float[np.ndarray, "4 4"]
    extrinsics_depth: Float[np.ndarray, "4 4"]
    color_size: tuple[int, int]
    """(height, width)."""
    depth_size: tuple[int, int]
    """(height, width)."""
    depth_scale: float
    """Raw depth units a metre."""
    color_compression: str
    depth_compression: str
    frames: int
    """Frames that the file announces; a truncated file holds fewer."""


class SensFile:
    """A ``.sens`` file opened for random access.

    ``len()`` counts the frames that lie whole in the file; ``fault`` is empty, or says with its offset why there are none or
    fewer than announced. Raises :class:`BadSample` where the file cannot be opened or its header cannot be used.
    """

    def __init__(self, path: str | Path):
        self.path = str(path)
        try:
            file = open_regular(path)
        except FileNotFoundError as error:
            raise BadSample(str(path), "missing file") from error
        except OSError as error:
            raise BadSample(str(path), f"cannot be read: {error.strerror or words_of(error)}") from error
        self._descriptor = file.fileno()
        self.close = weakref.finalize(self, file.close)
        self._bytes = os.fstat(self._descriptor).st_size
        self.header, first_frame = self._read_header()
        self._index, self.fault = self._index_frames(first_frame)

    def __enter__(self) -> "SensFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._index)

    def pose(self, frame: int) -> Float[np.ndarray, "4 4"]:
        """Return ``world_from_camera`` as the file has it, metres, float64; may be infinite or zero where tracking was
        lost.
        """
        header = self._read(int(self._index[frame, 0]), FRAME_HEADER.size)
        return doubles(header, 16).reshape(4, 4)

    def stored(self, frame: int) -> bytes:
        """Return the bytes of a frame as they lie in the file: header, colour and depth."""
        offset, color_bytes, depth_bytes = map(int, self._index[frame])
        return self._read(offset, FRAME_HEADER.size + color_bytes + depth_bytes)

    def color(self, frame: int) -> UInt8[np.ndarray, "height width 3"]:
        """Return RGB image; raises :class:`BadSample` if it does not decode to the size of the header."""
        offset, color_bytes, _ = map(int, self._index[frame])
        payload = self._read(offset + FRAME_HEADER.size, color_bytes)
        height, width = self.header.color_size
        if self.header.color_compression == "raw":
            if len(payload) != height * width * 3:
                raise BadSample(f"{self.path}#{frame}", f"raw colour of {len(payload)} bytes for {width}x{height}")
            return np.frombuffer(payload, np.uint8).reshape(height, width, 3)
        try:
            color = read_color_picture(payload, f"{self.path}#{frame}", upright=False)
        except BadSample as error:
            raise BadSample(error.source, f"undecodable colour: {error.reason}") from error
        if color.shape[:2] != (height, width):
            found = (color.shape[1], color.shape[0])
            raise BadSample(f"{self.path}#{frame}", f"colour size differs: {found}, not {(width, height)}")
        return color

    def depth(self, frame: int) -> UInt16[np.ndarray, "height width"]:
        """Return depth in raw units, invalid 0; decompression stops at the expected size, so a hostile payload cannot fill
        memory.
        """
        offset, color_bytes, depth_bytes = map(int, self._index[frame])
        payload = self._read(offset + FRAME_HEADER.size + color_bytes, depth_bytes)
        expected = 2 * int(np.prod(self.header.depth_size))
        if self.header.depth_compression == "zlib":
            unpacking = zlib.decompressobj()
            try:
                payload = unpacking.decompress(payload, expected + 1)
            except zlib.error as error:
                raise BadSample(f"{self.path}#{frame}", f"undecodable depth: {error}") from error
            if len(payload) == expected and not unpacking.eof:
                raise BadSample(f"{self.path}#{frame}", "undecodable depth: its checksum is cut off")
        if len(payload) != expected:
            unpacked = f"more than {expected}" if len(payload) > expected else str(len(payload))
            raise BadSample(f"{self.path}#{frame}", f"depth size differs: {unpacked} bytes, not {expected}")
        return np.frombuffer(payload, "<u2").reshape(self.header.depth_size)

    def _read(self, offset: int, size: int) -> bytes:
        payload = os.pread(self._descriptor, size, offset)
        if len(payload) != size:
            raise BadSample(self.path, f"ends at byte {offset + len(payload)}, {size} wanted from byte {offset}")
        return payload

    def _read_header(self) -> tuple[SensHeader, int]:
        version, name_bytes = struct.unpack("<IQ", self._read(0, 12))
        if version != VERSION:
            raise BadSample(self.path, f"not a .sens file of version {VERSION}: byte 0 holds version {version}")
        if name_bytes > LONGEST_NAME:
            raise BadSample(self.path, f"corrupt header: byte 4 announces a sensor name of {name_bytes} bytes")
        sensor = self._read(12, name_bytes).decode("utf-8", "replace")
        start = 12 + name_bytes
        fixed = self._read(start, FIXED_PART.size + 8)
        matrices = doubles(fixed, 64).reshape(4, 4, 4)
        color_code, depth_code, *sizes, depth_scale = FIXED_PART.unpack(fixed[: FIXED_PART.size])[64:]
        if color_code not in COLOR_COMPRESSION or depth_code not in DEPTH_COMPRESSION:
            at = start + 256
            raise BadSample(
                self.path, f"unsupported compression (colour {color_code}, depth {depth_code}) at byte {at}"
            )
        if not all(0 < side <= LARGEST_SIDE for side in sizes):
            raise BadSample(self.path, f"corrupt header: image sizes {sizes} at byte {start + 264}")
        if sizes[0] * sizes[1] > MOST_PIXELS or sizes[2] * sizes[3] > MOST_DEPTH_PIXELS:
            raise BadSample(self.path, f"corrupt header: image sizes {sizes} at byte {start + 264}, too large to use")
        if not (np.isfinite(depth_scale) and depth_scale >= 1):
            raise BadSample(self.path, f"corrupt header: {depth_scale} depth units a metre at byte {start + 280}")
        frames = struct.unpack("<Q", fixed[FIXED_PART.size :])[0]
        if frames > MOST_FRAMES:
            raise BadSample(self.path, f"corrupt header: {frames} frames announced at byte {start + 284}")
        header = SensHeader(
            sensor=sensor,
            intrinsics_color=matrices[0, :3, :3],
            extrinsics_color=matrices[1],
            intrinsics_depth=matrices[2, :3, :3],
            extrinsics_depth=matrices[3],
            color_size=(sizes[1], sizes[0]),
            depth_size=(sizes[3], sizes[2]),
            depth_scale=float(depth_scale),
            color_compression=COLOR_COMPRESSION[color_code],
            depth_compression=DEPTH_COMPRESSION[depth_code],
            frames=frames,
        )
        return header, start + len(fixed)

    def _index_frames(self, offset: int) -> tuple[Shaped[np.ndarray, "frame 3"], str]:
        """Return offset, colour bytes and depth bytes of each whole frame, and why the pass stopped early."""
        announced = self.header.frames
        most_color = 4 * int(np.prod(self.header.color_size)) + 65536
        most_depth = 3 * int(np.prod(self.header.depth_size)) + 65536
        rows: list[tuple[int, int, int]] = []
        empty = 0
        while len(rows) < announced:
            if offset + FRAME_HEADER.size > self._bytes:
                break
            color_bytes, depth_bytes = FRAME_HEADER.unpack(self._read(offset, FRAME_HEADER.size))[18:]
            if color_bytes > most_color or depth_bytes > most_depth:
                sizes = f"{color_bytes} bytes of colour and {depth_bytes} of depth"
                fault = f"corrupt frame {len(rows)} of {announced}: byte {offset} announces {sizes}"
                return np.array(rows, np.int64).reshape(-1, 3), fault
            empty = 0 if color_bytes or depth_bytes else empty + 1
            if empty > MOST_EMPTY_FRAMES:
                fault = f"corrupt frame {len(rows)} of {announced}: {empty} frames without a byte end at byte {offset}"
                return np.array(rows, np.int64).reshape(-1, 3), fault
            after = offset + FRAME_HEADER.size + color_bytes + depth_bytes
            if after > self._bytes:
                break
            rows.append((offset, color_bytes, depth_bytes))
            offset = after
        index = np.array(rows, np.int64).reshape(-1, 3)
        if not announced:
            return index, f"holds no frame: 0 announced at byte {offset - 8}, which a writer fills in last"
        if len(rows) == announced:
            return index, ""
        where = f"frame {len(rows)} at byte {offset} passes the end of the file at byte {self._bytes}"
        return index, f"truncated: holds {len(rows)} of {announced} frames, {where}"


class SensWriter:
    """A writer of a ``.sens`` file, frame by frame, as a context manager; the frame count is filled in on leaving.

    ``color_size`` and ``depth_size`` are (height, width); intrinsics are 3x3 at those sizes.
    """

    def __init__(  # noqa: PLR0913 -- the fields of the format's header
        self,
        path: str | Path,
        *,
        color_size: tuple[int, int],
        depth_size: tuple[int, int],
        intrinsics_color: Float[np.ndarray, "3 3"],
        intrinsics_depth: Float[np.ndarray, "3 3"],
        depth_scale: float = 1000.0,
        color_compression: str = "jpeg",
        depth_compression: str = "zlib",
        jpeg_quality: int = 90,
        sensor: str = "sem3d",
    ):
        self._color_size, self._depth_size = color_size, depth_size
        self._encode_color: Callable[[np.ndarray], bytes] = {
            "raw": lambda color: color.tobytes(),
            "png": lambda color: encode_image(color, "PNG"),
            "jpeg": lambda color: encode_image(color, "JPEG", quality=jpeg_quality),
        }[color_compression]
        self._encode_depth = {"raw": bytes, "zlib": zlib.compress}[depth_compression]
        self.frames = 0
        name = sensor.encode()
        matrices = np.stack([np.eye(4)] * 4)
        matrices[0, :3, :3], matrices[2, :3, :3] = intrinsics_color, intrinsics_depth
        color_code = next(code for code, kind in COLOR_COMPRESSION.items() if kind == color_compression)
        depth_code = next(code for code, kind in DEPTH_COMPRESSION.items() if kind == depth_compression)
        sizes = (color_size[1], color_size[0], depth_size[1], depth_size[0])
        self._file = open(path, "wb")  # noqa: SIM115 -- closed by __exit__
        self._file.write(struct.pack("<IQ", VERSION, len(name)) + name)
        self._file.write(FIXED_PART.pack(*matrices.ravel(), color_code, depth_code, *sizes, depth_scale))
        self._count_at = self._file.tell()
        self._file.write(struct.pack("<Q", 0))

    def __enter__(self) -> "SensWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.write(struct.pack("<Q", 0))  # an empty IMU block
        self._file.seek(self._count_at)
        self._file.write(struct.pack("<Q", self.frames))
        self._file.close()

    def write(
        self,
        world_from_camera: Float[np.ndarray, "4 4"],
        color: UInt8[np.ndarray, "height width 3"],
        depth: UInt16[np.ndarray, "depth_height depth_width"],
    ) -> None:
        """Add a frame; depth in raw units, 0 where there is none."""
        if color.shape[:2] != self._color_size or depth.shape != self._depth_size:
            raise ValueError(
                f"frame of {color.shape[:2]} and {depth.shape}, not {self._color_size}, {self._depth_size}"
            )
        color_payload = self._encode_color(color)
        depth_payload = self._encode_depth(np.ascontiguousarray(depth, "<u2").tobytes())
        times = (self.frames * 33_333, self.frames * 33_333)
        sizes = (len(color_payload), len(depth_payload))
        self._file.write(FRAME_HEADER.pack(*world_from_camera.ravel(), *times, *sizes))
        self._file.write(color_payload)
        self._file.write(depth_payload)
        self.frames += 1


def doubles(content: bytes, count: int) -> Float[np.ndarray, " number"]:
    """Return the numbers at the start of ``content``; any bits are some number, also those of a NaN that the processor minds."""
    with np.errstate(invalid="ignore"):
        return np.frombuffer(content, "<f4", count).astype(np.float64)


def encode_image(image: Shaped[np.ndarray, "..."], kind: str, **options: int) -> bytes:
    """Return ``image`` as the bytes of a file of ``kind`` (PIL's name of the format)."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind, **options)
    return buffer.getvalue()
