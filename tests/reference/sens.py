"""A ``.sens`` reader the plain way: the whole file in memory, every frame unpacked value by value, then decoded when asked."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image


class WholeSensFile:
    def __init__(self, path: str | Path):
        with open(path, "rb") as file:
            self.version = struct.unpack("<I", file.read(4))[0]
            name_length = struct.unpack("<Q", file.read(8))[0]
            self.sensor = b"".join(struct.unpack("<" + "c" * name_length, file.read(name_length))).decode()
            matrices = [np.array(struct.unpack("<16f", file.read(64))).reshape(4, 4) for _ in range(4)]
            self.intrinsics_color, self.extrinsics_color, self.intrinsics_depth, self.extrinsics_depth = matrices
            self.color_compression, self.depth_compression = struct.unpack("<ii", file.read(8))
            self.color_width, self.color_height, self.depth_width, self.depth_height = struct.unpack(
                "<4I", file.read(16)
            )
            self.depth_scale = struct.unpack("<f", file.read(4))[0]
            frames = struct.unpack("<Q", file.read(8))[0]
            self.poses, self.color_payloads, self.depth_payloads = [], [], []
            for _ in range(frames):
                self.poses.append(np.array(struct.unpack("<16f", file.read(64))).reshape(4, 4))
                file.read(16)
                color_bytes, depth_bytes = struct.unpack("<QQ", file.read(16))
                colors = struct.unpack("<" + "c" * color_bytes, file.read(color_bytes))
                self.color_payloads.append(b"".join(colors))
                depths = struct.unpack("<" + "c" * depth_bytes, file.read(depth_bytes))
                self.depth_payloads.append(b"".join(depths))

    def color(self, frame: int) -> np.ndarray:
        payload = self.color_payloads[frame]
        if self.color_compression == 0:
            return np.frombuffer(payload, np.uint8).reshape(self.color_height, self.color_width, 3)
        return np.array(Image.open(io.BytesIO(payload)).convert("RGB"))

    def depth(self, frame: int) -> np.ndarray:
        payload = self.depth_payloads[frame]
        payload = zlib.decompress(payload) if self.depth_compression == 1 else payload
        return np.frombuffer(payload, np.uint16).reshape(self.depth_height, self.depth_width)
