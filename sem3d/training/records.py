"""Results per item of an evaluation, gathered from all processes on process 0.

Numbers and text of a record travel as JSON, its arrays as ``.npz`` without pickled objects.
"""

import io
import json
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from sem3d.methods.method import Record
from sem3d.training.distributed import gather_bytes, rank, world_size


def gather_records(numbered: Sequence[tuple[int, Record]]) -> list[Record]:
    """Return the records of all processes on process 0, none elsewhere, in the order of the numbers of their batches.

    Each process gives its own with the number of the batch they come from, in order.
    """
    own = [(number, {name: _plain(value) for name, value in record.items()}) for number, record in numbered]
    if world_size() == 1:
        return [record for _, record in own]
    parts = gather_bytes(encode_records(own))
    if rank() != 0:
        return []
    together = [item for part in parts for item in decode_records(part)]
    return [record for _, record in sorted(together, key=lambda item: item[0])]


def encode_records(numbered: Sequence[tuple[int, Record]]) -> bytes:
    """Return numbered records as bytes."""
    arrays = {
        f"{place}/{name}": value
        for place, (_, record) in enumerate(numbered)
        for name, value in record.items()
        if isinstance(value, np.ndarray)
    }
    plain = [
        [number, {name: value for name, value in record.items() if not isinstance(value, np.ndarray)}]
        for number, record in numbered
    ]
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, plain=np.frombuffer(json.dumps(plain).encode(), np.uint8), **arrays)
    return content.getvalue()


def decode_records(content: bytes) -> list[tuple[int, Record]]:
    """Return what :func:`encode_records` was given."""
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        numbered = [(number, record) for number, record in json.loads(stored["plain"].tobytes())]
        for key in stored.files:
            place, slash, name = key.partition("/")
            if slash:
                numbered[int(place)][1][name] = stored[key]
    return numbered


def _plain(value: object) -> object:
    return value.detach().cpu().numpy() if isinstance(value, Tensor) else value
