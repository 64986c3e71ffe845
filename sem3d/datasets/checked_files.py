"""Files of an index, written with what tells whether they are still the same, and compared with it when they are opened.

Tables are compared whole, by SHA-256 and by the checksums of their pages. A shard of arrays is mapped and read here and there, so
each of its items has a checksum of its own, in a file beside it.
"""

import hashlib
import zlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sem3d.errors import UserError
from sem3d.files import read_regular

LARGEST_TABLE = 64 << 30
CHECKSUMS = ".crc32.npy"
"""Ending of the file beside a shard that holds the CRC-32 of each of its items."""


def write_rows(path: Path, table: pa.Table) -> str:
    """Write a Parquet file; return its SHA-256."""
    pq.write_table(table, path, write_page_checksum=True)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_rows(path: Path, schema: pa.Schema, written: str = "", remedy: str = "prepare the index again") -> pa.Table:
    """Return a Parquet file with exactly the columns of ``schema``, whose SHA-256 is ``written`` where that is known.

    Raises :class:`UserError`, which ends with ``remedy``, otherwise.
    """
    try:
        content = read_regular(path, LARGEST_TABLE)
        if written and hashlib.sha256(content).hexdigest() != written:
            raise UserError(f"{path} is not what was written: {remedy}")
        with pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True) as file:
            table = file.read()
    except (OSError, pa.ArrowException, MemoryError) as error:
        raise UserError(
            f"cannot read {path}: {' '.join(str(error).split())}. {remedy[0].upper()}{remedy[1:]}"
        ) from error
    if not table.schema.equals(schema):
        raise UserError(f"{path} has other columns than this version writes: {remedy}")
    return table


def write_shard(path: Path, items: np.ndarray, levels: int) -> None:
    """Write an array as plain .npy, with a checksum for each entry along its first ``levels`` axes."""
    np.save(path, items, allow_pickle=False)
    places = np.ndindex(items.shape[:levels])
    sums = np.array([zlib.crc32(items[place].tobytes()) for place in places], np.uint32)
    np.save(path.with_suffix(CHECKSUMS), sums.reshape(items.shape[:levels]), allow_pickle=False)


def read_item(path: Path, place: Sequence[int]) -> np.ndarray:
    """Return a copy of one entry of a shard; raises :class:`OSError`, :class:`ValueError` or :class:`IndexError` where it is
    gone or not what was written.
    """
    shard, sums = mapped(path), checksums(path)
    item = np.array(shard[tuple(place)])
    if sums is not None and zlib.crc32(item.tobytes()) != sums[tuple(place)]:
        raise ValueError("it is not what was written: prepare it again")
    return item


@lru_cache(maxsize=256)
def mapped(path: Path) -> np.ndarray:
    """Return a shard as a memory map, opened once a process."""
    return np.load(path, mmap_mode="r", allow_pickle=False)


@lru_cache(maxsize=256)
def checksums(path: Path) -> np.ndarray | None:
    """Return the checksums of a shard's items, read once a process; None where an older version wrote the shard."""
    beside = path.with_suffix(CHECKSUMS)
    return np.load(beside, allow_pickle=False) if beside.exists() else None
