"""MATLAB files of annotations (version 5, as MATLAB saves by default up to -v7): the named tables of numbers in them.

Read here because SciPy's reader ends the process on damaged files. A file is a header of 128 bytes and elements, each a tag
(type, bytes) and its data, to multiples of 8 bytes; up to 4 bytes of data lie in the tag itself. A compressed element holds
another one. A matrix holds elements in turn: flags, dimensions, name, numbers in the order of columns.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from sem3d.errors import BadSample
from sem3d.texts import read_regular

LARGEST_MAT = 4 << 20
"""Bytes, also of what is compressed; an annotation has less than 10 kB."""
HEADER = 128
ORDERS = {b"IM": "<", b"MI": ">"}
NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
"""Types of elements that hold numbers."""
MATRIX, COMPRESSED = 14, 15
NUMERIC_CLASSES = range(6, 16)
COMPLEX = 0x0800
HDF5 = b"\x89HDF"


def read_arrays(path: Path, *names: str) -> dict[str, Float64[np.ndarray, "row column"]]:
    """Return those of the named tables that a file has, as float64; raises :class:`BadSample` for what is no such file, and for
    a named variable that is no table of numbers.
    """
    content = read_regular(path, LARGEST_MAT)
    order = ORDERS.get(content[HEADER - 2 : HEADER])
    if order is None or content.startswith(HDF5) or b"HDF5" in content[:HEADER]:
        raise BadSample(str(path), "no MATLAB file of version 5: save it with -v7")
    found = {}
    for kind, data in elements(content[HEADER:], order, str(path)):
        if kind == COMPRESSED:
            ((kind, data),) = list(elements(inflated(data, str(path)), order, str(path)))[:1] or [(0, b"")]
        if kind == MATRIX:
            name, values = table_of(data, order, str(path))
            if name in names:
                if values is None:
                    raise BadSample(str(path), f"{name} is no table of numbers")
                found[name] = values
    return found


def inflated(data: bytes, where: str) -> bytes:
    """Return what a compressed element holds; raises :class:`BadSample`."""
    unpacking = zlib.decompressobj()
    try:
        content = unpacking.decompress(data, LARGEST_MAT)
    except zlib.error as error:
        raise BadSample(where, f"damaged MATLAB file: {error}") from error
    if unpacking.unconsumed_tail or not unpacking.eof:
        raise BadSample(where, "damaged MATLAB file: a compressed variable breaks off, or is too large")
    return content


def elements(content: bytes, order: str, where: str) -> Iterator[tuple[int, bytes]]:
    """Yield type and data of each element; raises :class:`BadSample` for one that breaks off."""
    place = 0
    while place + 8 <= len(content):
        kind, size = struct.unpack_from(f"{order}II", content, place)
        if kind >> 16:
            small, kind = kind >> 16, kind & 0xFFFF
            start, end, place = place + 4, place + 4 + small, place + 8
            broken = small > 4
        else:
            start, end = place + 8, place + 8 + size
            place = end if kind == COMPRESSED else end + -size % 8
            broken = end > len(content)
        if broken:
            raise BadSample(where, "damaged MATLAB file: an element breaks off")
        yield kind, content[start:end]


def table_of(data: bytes, order: str, where: str) -> tuple[str, Float64[np.ndarray, "row column"] | None]:
    """Return name and numbers of a matrix; None for what is no table of real numbers."""
    parts = list(elements(data, order, where))
    if len(parts) < 3 or len(parts[0][1]) < 4:
        raise BadSample(where, "damaged MATLAB file: a variable without flags, size or name")
    (flags,) = struct.unpack_from(f"{order}I", parts[0][1])
    name = parts[2][1].decode("latin-1")
    sizes = np.frombuffer(parts[1][1][: len(parts[1][1]) // 4 * 4], f"{order}i4").tolist()
    if flags & 0xFF not in NUMERIC_CLASSES or flags & COMPLEX or len(sizes) != 2 or len(parts) != 4:
        return name, None
    kind, numbers = parts[3]
    if kind not in NUMBERS:
        return name, None
    dtype = np.dtype(order + NUMBERS[kind])
    if min(sizes) < 0 or len(numbers) != sizes[0] * sizes[1] * dtype.itemsize:
        raise BadSample(where, f"damaged MATLAB file: {name} has not as many numbers as it says")
    return name, np.frombuffer(numbers, dtype).astype(np.float64).reshape(sizes, order="F")
