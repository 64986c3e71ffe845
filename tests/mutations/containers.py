"""Containers of content whose checksums would hide everything behind them: opened, and closed again around changed content."""

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from sem3d.runs.checkpoint_files import FORMAT_VERSION, _sha256

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png_chunks(content: bytes) -> list[tuple[bytes, bytes]]:
    chunks, at = [], len(SIGNATURE)
    while at + 8 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        chunks.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + length]))
        at += 12 + length
    return chunks


def take_png(path: Path) -> bytes:
    """The chunks of a PNG but for their checksums: name, length and content of each; pixels are unpacked."""
    chunks = png_chunks(path.read_bytes())
    pixels = zlib.decompress(b"".join(inside for name, inside in chunks if name == b"IDAT"))
    return dict(chunks)[b"IHDR"] + pixels


def put_png(path: Path, content: bytes) -> None:
    """Write a PNG of a header and pixels, every checksum right."""

    def chunk(name: bytes, inside: bytes) -> bytes:
        return struct.pack(">I", len(inside)) + name + inside + struct.pack(">I", zlib.crc32(name + inside))

    parts = ((b"IHDR", content[:13]), (b"IDAT", zlib.compress(content[13:], 1)), (b"IEND", b""))
    path.write_bytes(SIGNATURE + b"".join(chunk(*part) for part in parts))


def member_of_zip(member: str) -> tuple[Callable[[Path], bytes], Callable[[Path, bytes], None]]:
    """Taking and putting a member of a zip; the others stay."""

    def take(path: Path) -> bytes:
        with zipfile.ZipFile(path) as archive:
            return archive.read(member)

    def put(path: Path, content: bytes) -> None:
        with zipfile.ZipFile(path) as archive:
            others = {name: archive.read(name) for name in archive.namelist() if name != member}
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, inside in {**others, member: content}.items():
                archive.writestr(name, inside)
        path.write_bytes(packed.getvalue())

    return take, put


def put_in_checkpoint(path: Path, content: bytes) -> None:
    """Write a file of a checkpoint, and a manifest that agrees with it, as whoever makes a checkpoint can."""
    path.write_bytes(content)
    files = [file for file in sorted(path.parent.iterdir()) if file.name != "manifest.json"]
    listed = {file.name: {"size": file.stat().st_size, "sha256": _sha256(file)} for file in files}
    (path.parent / "manifest.json").write_text(json.dumps({"format": FORMAT_VERSION, "files": listed}))
