"""``.sens`` files: against a plain reader, every kind of damage, and memory."""

import os
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest

from sem3d.datasets.scans.sens import SensFile, SensWriter
from sem3d.errors import BadSample
from tests.datasets.scans.official_files import (
    COLOR_SIZE,
    DEPTH_SIZE,
    INTRINSICS_COLOR,
    INTRINSICS_DEPTH,
    LOST,
    jpeg,
    pose,
    sens_bytes,
    wall_color,
    wall_depth,
    wall_frames,
)
from tests.reference.sens import WholeSensFile


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def first_frame(content: bytes) -> int:
    """Byte of the first frame's header: 12 + 15 of name + 4 matrices + 28 + 8."""
    return 27 + 256 + 28 + 8


def test_reader_agrees_with_the_plain_reader_on_official_bytes(tmp_path: Path):
    path = written(tmp_path / "a.sens", sens_bytes(wall_frames(5)))
    ours, plain = SensFile(path), WholeSensFile(path)
    assert len(ours) == 5
    assert ours.fault == ""
    assert ours.header.color_size == COLOR_SIZE
    assert ours.header.depth_size == DEPTH_SIZE
    assert ours.header.depth_scale == 1000.0
    np.testing.assert_array_equal(ours.header.intrinsics_color, plain.intrinsics_color[:3, :3])
    np.testing.assert_array_equal(ours.header.intrinsics_depth, plain.intrinsics_depth[:3, :3])
    for frame in (4, 0, 2):
        np.testing.assert_array_equal(ours.pose(frame), plain.poses[frame])
        np.testing.assert_array_equal(ours.color(frame), plain.color(frame))
        np.testing.assert_array_equal(ours.depth(frame), plain.depth(frame))


@pytest.mark.parametrize("color_compression", ["raw", "png", "jpeg"])
@pytest.mark.parametrize("depth_compression", ["raw", "zlib"])
def test_writer_is_read_by_both_readers(tmp_path: Path, color_compression: str, depth_compression: str):
    path = tmp_path / "a.sens"
    with SensWriter(
        path,
        color_size=COLOR_SIZE,
        depth_size=DEPTH_SIZE,
        intrinsics_color=INTRINSICS_COLOR,
        intrinsics_depth=INTRINSICS_DEPTH,
        color_compression=color_compression,
        depth_compression=depth_compression,
    ) as writer:
        for number in range(3):
            writer.write(pose(number), wall_color(number), wall_depth())
    ours, plain = SensFile(path), WholeSensFile(path)
    assert len(ours) == len(plain.poses) == 3
    assert ours.header.color_compression == color_compression
    for frame in range(3):
        np.testing.assert_array_equal(ours.pose(frame), pose(frame))
        np.testing.assert_array_equal(ours.depth(frame), wall_depth())
        np.testing.assert_array_equal(plain.depth(frame), wall_depth())
        np.testing.assert_array_equal(ours.color(frame), plain.color(frame))
        if color_compression != "jpeg":
            np.testing.assert_array_equal(ours.color(frame), wall_color(frame))


def test_lost_poses_are_read_as_they_stand(tmp_path: Path):
    path = written(tmp_path / "a.sens", sens_bytes([(LOST, b"", b""), (np.zeros((4, 4)), b"", b"")]))
    assert np.isneginf(SensFile(path).pose(0)).all()
    assert not SensFile(path).pose(1).any()


def test_truncated_file_keeps_its_whole_frames_and_names_the_place(tmp_path: Path):
    content = sens_bytes(wall_frames(4))
    scan = SensFile(written(tmp_path / "a.sens", content[:-100]))
    assert len(scan) == 3
    assert scan.fault.startswith("truncated: holds 3 of 4 frames, frame 3 at byte ")
    np.testing.assert_array_equal(scan.depth(2), wall_depth())


def test_file_cut_at_any_byte_never_yields_half_a_frame(tmp_path: Path):
    content = sens_bytes(wall_frames(2))
    for size in range(0, len(content), 211):
        path = written(tmp_path / "a.sens", content[:size])
        try:
            scan = SensFile(path)
        except BadSample:
            continue
        assert len(scan) in (0, 1, 2)
        assert bool(scan.fault) == (size < len(content) - 8)
        if len(scan):
            scan.color(len(scan) - 1)
            scan.depth(len(scan) - 1)


def test_a_file_whose_writer_was_killed_announces_no_frame_and_says_so(tmp_path: Path):
    scan = SensFile(written(tmp_path / "a.sens", sens_bytes(wall_frames(3), announced=0)))
    assert len(scan) == 0
    assert scan.fault.startswith(f"holds no frame: 0 announced at byte {first_frame(b'') - 8}")


def test_corrupt_payload_size_stops_the_index_with_its_offset(tmp_path: Path):
    content = bytearray(sens_bytes(wall_frames(3)))
    start = first_frame(content)
    color_bytes, depth_bytes = struct.unpack_from("<QQ", content, start + 80)
    second = start + 96 + color_bytes + depth_bytes
    struct.pack_into("<Q", content, second + 80, 1 << 50)
    scan = SensFile(written(tmp_path / "a.sens", bytes(content)))
    assert len(scan) == 1
    assert f"byte {second}" in scan.fault
    struct.pack_into("<Q", content, start + 88, (1 << 64) - 1)
    scan = SensFile(written(tmp_path / "b.sens", bytes(content)))
    assert len(scan) == 0
    assert f"byte {start} announces" in scan.fault


def test_corrupt_headers_are_refused_with_their_offset(tmp_path: Path):
    good = sens_bytes(wall_frames(1))
    damages = {
        "version": (0, struct.pack("<I", 3), "byte 0 holds version 3"),
        "name": (4, struct.pack("<Q", 1 << 40), "byte 4 announces a sensor name"),
        "compression": (27 + 256, struct.pack("<i", 9), "unsupported compression .* at byte 283"),
        "size": (27 + 264, struct.pack("<I", 0), "image sizes .* at byte 291"),
        "pixels": (27 + 264, struct.pack("<4I", *[16384] * 4), "image sizes .* at byte 291, too large to use"),
        "scale": (27 + 280, struct.pack("<f", 0.0), "depth units a metre at byte 307"),
        "count": (27 + 284, struct.pack("<Q", 1 << 60), "frames announced at byte 311"),
    }
    for name, (offset, value, message) in damages.items():
        content = good[:offset] + value + good[offset + len(value) :]
        with pytest.raises(BadSample, match=message):
            SensFile(written(tmp_path / f"{name}.sens", content))
    with pytest.raises(BadSample, match="missing file"):
        SensFile(tmp_path / "none.sens")


def test_undecodable_payloads_name_their_frame(tmp_path: Path):
    _, color, depth = wall_frames(1)[0]
    bomb = zlib.compress(bytes(50_000_000))
    small = zlib.compress(b"1234")
    frames = [
        (pose(0), color[:200], depth[:20]),
        (pose(0), b"no jpeg", b"no zlib"),
        (pose(0), color, bomb),
        (pose(0), color, small),
    ]
    scan = SensFile(written(tmp_path / "a.sens", sens_bytes(frames)))
    for frame in (0, 1):
        with pytest.raises(BadSample, match=f"a.sens#{frame}: undecodable colour"):
            scan.color(frame)
    with pytest.raises(BadSample, match="depth size differs"):
        scan.depth(0)
    with pytest.raises(BadSample, match="undecodable depth"):
        scan.depth(1)
    with pytest.raises(BadSample, match="depth size differs: 4 bytes"):
        scan.depth(3)
    tracemalloc.start()
    with pytest.raises(BadSample, match="depth size differs: more than"):
        scan.depth(2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


def test_memory_does_not_grow_with_the_file(tmp_path: Path):
    size = (480, 640)
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    depth = np.full(size, 1500, np.uint16)
    path = tmp_path / "a.sens"
    with SensWriter(
        path,
        color_size=size,
        depth_size=size,
        intrinsics_color=INTRINSICS_COLOR,
        intrinsics_depth=INTRINSICS_DEPTH,
        color_compression="raw",
    ) as writer:
        for number in range(70):
            writer.write(pose(number), noise, depth)
    assert path.stat().st_size > 60_000_000
    tracemalloc.start()
    with SensFile(path) as scan:
        for frame in range(0, len(scan), 25):
            scan.color(frame)
            scan.depth(frame)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_depth_whose_checksum_is_cut_off_is_refused(tmp_path: Path):
    packed = zlib.compress(wall_depth().tobytes())
    path = written(tmp_path / "a.sens", sens_bytes([(pose(0), jpeg(wall_color()), packed[:-4])]))
    with pytest.raises(BadSample, match="its checksum is cut off"):
        SensFile(path).depth(0)


def test_a_pipe_and_frames_without_end_are_refused_at_once(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.sens")
    with pytest.raises(BadSample, match="no regular file"):
        SensFile(tmp_path / "pipe.sens")
    path = written(tmp_path / "a.sens", sens_bytes([], announced=4_000_000))
    with open(path, "ab") as file:
        file.truncate(400_000_000)
    scan = SensFile(path)
    assert "10001 frames without a byte" in scan.fault
    assert len(scan) == 10_000
