"""One large array in an .npz, read or written in blocks: a compressed member can be walked through but not memory-mapped."""

import lzma
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path
from typing import IO, cast

import numpy as np

from sem3d.errors import UserError
from sem3d.files import open_regular, whole_file

KEY = "arr_0"
LONGEST_HEADER = 10_000
DEFLATE = 1032
"""Bytes that one byte of a compressed member can become."""
DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, MemoryError, SyntaxError),
    *(tokenize.TokenError, ValueError, LookupError, TypeError, ArithmeticError, struct.error, lzma.LZMAError),
)
"""What reading a damaged archive raises."""


@contextmanager
def one_line_errors(path: Path) -> Iterator[None]:
    """Turn what a missing, truncated or damaged archive raises into a :class:`UserError` that names it."""
    try:
        yield
    except FileNotFoundError as error:
        raise UserError(f"no file {path}") from error
    except (PermissionError, IsADirectoryError) as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    except DAMAGE as error:
        raise UserError(f"{path} is truncated or damaged ({error}): fetch it again") from error


@contextmanager
def opened_member(path: Path) -> Iterator[IO[bytes]]:
    """Open the array ``arr_0`` of an archive for reading."""
    with open_regular(path) as file, zipfile.ZipFile(file) as archive, archive.open(f"{KEY}.npy") as member:
        yield member


def npz_header(path: Path) -> tuple[tuple[int, ...], np.dtype]:
    """Return shape and dtype of the array ``arr_0``, without its content.

    Raises :class:`UserError` for a file that is no .npz, lacks ``arr_0``, or holds pickled objects.
    """
    with one_line_errors(path), open_regular(path) as file, zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        if f"{KEY}.npy" not in names:
            raise UserError(f"{path} has no array '{KEY}' but {', '.join(names[:5]) or 'nothing'}: save it so")
        with archive.open(f"{KEY}.npy") as member:
            shape, dtype = read_header(cast(BufferedIOBase, member), path)
            stored = archive.getinfo(f"{KEY}.npy")
            announced = member.tell() + math.prod(shape) * dtype.itemsize
    held = DEFLATE * min(stored.compress_size, path.stat().st_size)
    if announced > held:
        raise UserError(f"{path} announces {announced} bytes, {shape}, and holds at most {held}: fetch it again")
    return shape, dtype


def npz_checksum(path: Path) -> tuple[int, int]:
    """Return checksum and length of the array ``arr_0`` as the archive states them, the same however it is packed; errors as
    :func:`npz_header`.
    """
    with one_line_errors(path), open_regular(path) as file, zipfile.ZipFile(file) as archive:
        stored = archive.getinfo(f"{KEY}.npy")
        return stored.CRC, stored.file_size


def read_header(member: BufferedIOBase, path: Path) -> tuple[tuple[int, ...], np.dtype]:
    """Return shape and dtype at the start of a .npy; leaves ``member`` at the first value."""
    try:
        version = np.lib.format.read_magic(member)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(member, max_header_size=LONGEST_HEADER)
    except ValueError as error:
        raise UserError(f"{path} holds no plain array ({error}): fetch it again") from error
    if any(side < 0 for side in shape):
        raise UserError(f"{path} holds no plain array: its shape is {shape}; fetch it again")
    if dtype.hasobject:
        raise UserError(f"{path} holds pickled objects, which are never loaded: save it as a plain array")
    if fortran:
        raise UserError(f"{path} is stored in Fortran order: save it as a C-ordered array")
    return shape, dtype


def npz_items(path: Path) -> Iterator[np.ndarray]:
    """Yield the entries of ``arr_0`` along its first axis, one at a time; errors as :func:`npz_header`."""
    with one_line_errors(path), opened_member(path) as member:
        shape, dtype = read_header(cast(BufferedIOBase, member), path)
        length = math.prod(shape[1:]) * dtype.itemsize
        for number in range(shape[0]):
            content = member.read(length)
            if len(content) < length:
                raise UserError(f"{path} is truncated: entry {number} of {shape[0]} is cut short, fetch it again")
            yield np.frombuffer(content, dtype).reshape(shape[1:])
        if member.read(1):
            raise UserError(f"{path} holds more bytes than its header says: fetch it again")


def write_npz(path: Path, items: Iterable[np.ndarray], shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Write ``arr_0`` of ``shape``, compressed, from its entries along the first axis; ``path`` appears whole or not at all."""
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
    with whole_file(path) as unfinished:
        with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            stamped = zipfile.ZipInfo(f"{KEY}.npy")
            stamped.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(stamped, "w", force_zip64=True) as member:
                np.lib.format.write_array_header_1_0(member, header)
                count = 0
                for item in items:
                    if item.shape != shape[1:] or item.dtype != dtype:
                        raise ValueError(f"entry {count} is {item.dtype} {item.shape}, not {dtype} {shape[1:]}")
                    member.write(np.ascontiguousarray(item).tobytes())
                    count += 1
        if count != shape[0]:
            raise ValueError(f"{count} entries for an array of {shape[0]}")
