"""The one reader of pictures: formats by content, bounds, bits, rotation, checksums."""

import os
import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sem3d.datasets.objects.object_image import read_object_image
from sem3d.datasets.pictures import (
    picture_header,
    read_color_picture,
    read_user_picture,
    read_value_picture,
)
from sem3d.datasets.scans.layouts import color_and_depth_size
from sem3d.errors import BadSample, UserError
from tests.mutations.trials import LARGEST_GROWTH, peak, reset_peak

DEPTH = (np.arange(40 * 60).reshape(40, 60) * 20).astype(np.uint16)
COLOR = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)


def saved(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png(width: int, height: int, bits: int, kind: int, rows: bytes) -> bytes:
    """A PNG written chunk by chunk, for what PIL does not write."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_formats_are_told_by_content_and_others_are_refused(tmp_path: Path):
    path = tmp_path / "called.jpg"
    path.write_bytes(saved(Image.fromarray(COLOR)))
    np.testing.assert_array_equal(read_color_picture(path, "here"), COLOR)
    for kind in ("TIFF", "EPS", "GIF", "BMP"):
        path.write_bytes(saved(Image.fromarray(COLOR), kind))
        for read in (read_color_picture, read_user_picture):
            with pytest.raises(BadSample, match=r"^here: undecodable image: no picture of a known format$"):
                read(path, "here")
        with pytest.raises(BadSample, match="no picture of a known format"):
            picture_header(path)


def test_a_pipe_and_a_folder_in_a_pictures_place_are_refused_at_once(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    for name in ("pipe.png", "folder.png"):
        with pytest.raises(BadSample, match="undecodable image"):
            read_color_picture(tmp_path / name, "here")
        with pytest.raises(BadSample, match="undecodable image"):
            picture_header(tmp_path / name)
        with pytest.raises(UserError, match="cannot be read as a picture"):
            read_object_image(tmp_path / name)


@pytest.mark.parametrize(
    ("side", "reason"),
    [
        (13000, "huge image: 13000x13000"),
        (8500, "huge image: 8500x8500"),
        (8000, "damaged image: announces 8000x8000 in a file of"),
    ],
)
def test_more_pixels_than_can_be_used_or_a_file_can_hold_are_refused_before_they_are_decoded(tmp_path, side, reason):
    path = tmp_path / "large.png"
    path.write_bytes(png(side, side, 16, 0, b"\0" * 1000))
    for read in (
        lambda: read_value_picture(path, str(path), "I;16"),
        lambda: picture_header(path),
        lambda: read_user_picture(path, str(path)),
    ):
        with pytest.raises(BadSample, match=reason):
            read()


def test_flipped_bits_of_a_png_are_found_by_its_checksums():
    whole = saved(Image.fromarray(DEPTH))
    np.testing.assert_array_equal(read_value_picture(whole, "here", "I;16"), DEPTH)
    start = whole.index(b"IDAT") + 4
    for place in range(start, len(whole) - 16, 7):
        flipped = bytearray(whole)
        flipped[place] ^= 0x10
        with pytest.raises(BadSample):
            read_value_picture(bytes(flipped), "here", "I;16")


def test_a_picture_cut_anywhere_or_mutated_is_a_bad_sample_and_nothing_else():
    rng, refused = np.random.default_rng(1), 0
    for whole in (saved(Image.fromarray(COLOR)), saved(Image.fromarray(COLOR), "JPEG"), saved(Image.fromarray(DEPTH))):
        for _ in range(60):
            changed = bytearray(whole)
            for place in rng.integers(0, len(changed), 6):
                changed[place] = rng.integers(256)
            for content in (bytes(changed), whole[: rng.integers(len(whole))]):
                for read in (read_color_picture, read_user_picture):
                    try:
                        assert np.asarray(read(content, "here")).dtype == np.uint8
                    except BadSample:
                        refused += 1
    assert refused > 3 * 60 * 2, "no more than the cut ones"


@pytest.mark.parametrize(
    ("image", "named"),
    [
        (Image.fromarray(DEPTH), "I;16 of 16 bits"),
        (Image.fromarray(COLOR).convert("RGBA"), ""),
        (Image.fromarray(COLOR).convert("L"), ""),
        (Image.fromarray(COLOR).convert("P"), ""),
        (Image.new("RGBA", (60, 40), (9, 9, 9, 100)), "transparent pixels"),
    ],
)
def test_colour_is_of_eight_bits_and_opaque(image, named):
    if named:
        with pytest.raises(BadSample, match=named):
            read_color_picture(saved(image), "here")
    else:
        np.testing.assert_array_equal(read_color_picture(saved(image), "here"), np.asarray(image.convert("RGB")))


def test_cmyk_and_sixteen_bits_a_channel_are_refused_by_name():
    with pytest.raises(BadSample, match="wrong kind of image: CMYK"):
        read_color_picture(saved(Image.fromarray(COLOR).convert("CMYK"), "JPEG"), "here")
    deep = png(2, 2, 16, 2, (b"\0" + b"\1\2" * 6) * 2)
    with pytest.raises(BadSample, match="RGB of 16 bits"):
        read_color_picture(deep, "here")


def test_labels_of_four_bits_are_refused_because_they_would_be_stretched():
    with pytest.raises(BadSample, match="L of 4 bits"):
        read_value_picture(png(2, 2, 4, 0, b"\0\x12" * 2), "here", "L")
    indexed = Image.fromarray(np.array([[1, 2], [3, 0]], np.uint8)).copy()
    indexed.putpalette([0] * 768)
    np.testing.assert_array_equal(read_value_picture(saved(indexed), "here", "L"), [[1, 2], [3, 0]])


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_exif_turns_colour_and_its_size_and_leaves_values_alone(tmp_path: Path, kind: str):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "lying"
    path.write_bytes(saved(Image.fromarray(COLOR), kind, exif=exif))
    assert picture_header(path, upright=True)[:2] == (60, 40) == read_color_picture(path, "here").shape[:2]
    assert picture_header(path)[:2] == (40, 60) == read_color_picture(path, "here", upright=False).shape[:2]
    plain = saved(Image.fromarray(DEPTH), exif=exif)
    np.testing.assert_array_equal(read_value_picture(plain, "here", "I;16"), DEPTH)


def test_a_broken_exif_block_means_nothing_and_says_nothing(tmp_path: Path):
    broken = b"Exif\0\0MM\0*\0\0\0\x08\0\xff\x01\x12\0\x03\0\0\0\x01\0\x09"
    (tmp_path / "a.jpg").write_bytes(saved(Image.fromarray(COLOR), "JPEG", exif=broken))
    assert picture_header(tmp_path / "a.jpg", upright=True)[:2] == (40, 60)
    assert read_color_picture(tmp_path / "a.jpg", "here").shape == (40, 60, 3)


@pytest.mark.slow
def test_a_users_own_picture_of_64_million_pixels_takes_less_than_a_gigabyte(tmp_path: Path):
    picture = Image.new("RGBA", (8190, 8190))
    picture.paste((9, 200, 30, 255), (100, 100, 8000, 8000))
    picture.save(tmp_path / "a.png", compress_level=1)
    del picture
    resident = reset_peak()
    assert read_object_image(tmp_path / "a.png")[3, 32, 32] == 255
    assert peak() - resident < LARGEST_GROWTH


def test_depth_of_more_pixels_than_any_camera_has_is_refused(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(png(4000, 4000, 16, 0, (b"\0" + b"\1\2" * 4000) * 4000))
    Image.fromarray(COLOR).save(tmp_path / "a.jpg")
    with pytest.raises(BadSample, match="huge depth image: 4000x4000"):
        color_and_depth_size(tmp_path / "a.jpg", tmp_path / "a.png")


def test_a_users_own_picture_that_lies_on_its_side_is_seen_upright(tmp_path: Path):
    picture = np.zeros((300, 200, 4), np.uint8)
    picture[20:280, 40:70] = picture[150:180, 40:160] = [150, 90, 40, 255]
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(picture).save(tmp_path / "upright.png")
    Image.fromarray(picture).transpose(Image.Transpose.ROTATE_90).save(tmp_path / "lying.png", exif=exif)
    np.testing.assert_array_equal(
        read_object_image(tmp_path / "lying.png"), read_object_image(tmp_path / "upright.png")
    )
