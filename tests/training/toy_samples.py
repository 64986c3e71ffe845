"""Rows of the toy method, apart from it: Ray Data's processes load them, and need no torch for it."""

import numpy as np
import pyarrow as pa

from sem3d.datasets.stream import Samples
from sem3d.errors import BadSample


def load_row(row: dict, rng: np.random.Generator) -> dict[str, np.ndarray]:
    if row["bad"]:
        raise BadSample(f"row {row['number']}", "is bad")
    position = np.array(row["position"], dtype=np.float32)
    return {"position": position, "value": np.array([row["value"]], dtype=np.float32)}


def collate_rows(loaded: list) -> dict[str, np.ndarray]:
    empty = {"position": np.zeros(3, np.float32), "value": np.zeros(1, np.float32)}
    filled = [empty if item is None else item for item in loaded]
    return {
        "position": np.stack([item["position"] for item in filled]),
        "value": np.stack([item["value"] for item in filled]),
        "usable": np.array([item is not None for item in loaded]),
    }


def toy_samples(rows: int, bad_rows: int, seed: int) -> Samples:
    rng = np.random.default_rng(seed)
    positions = rng.normal(size=(rows, 3))
    values = positions @ np.array([1.0, -2.0, 0.5]) + 0.3
    table = pa.table(
        {
            "number": pa.array(range(rows)),
            "position": pa.array(positions.tolist(), pa.list_(pa.float64())),
            "value": pa.array(values),
            "bad": pa.array([number < bad_rows for number in range(rows)]),
        }
    )
    return Samples(table=table, load=load_row, collate=collate_rows, digest=f"toy-{rows}-{bad_rows}-{seed}")
