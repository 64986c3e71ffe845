"""Rooms in the layout of S3DIS: objects of random points, as text."""

from pathlib import Path

import numpy as np

OBJECTS = ("ceiling_1", "floor_1", "chair_1", "chair_2", "stairs_1", "clutter_1")
POINTS = 40


def object_rows(number: int) -> np.ndarray:
    """Points of one object: three decimals, and colours."""
    rng = np.random.default_rng(number)
    return np.column_stack([rng.uniform(0, 1.5, (POINTS, 3)).round(3), rng.integers(0, 256, (POINTS, 3))])


def text_of(rows: np.ndarray) -> str:
    return "".join(f"{x:.3f} {y:.3f} {z:.3f} {red:.0f} {green:.0f} {blue:.0f}\n" for x, y, z, red, green, blue in rows)


def object_file(root: Path, room: str, name: str) -> Path:
    return root / room / "Annotations" / f"{name}.txt"


def write_s3dis(root: Path, rooms: tuple[str, ...] = ("Area_1/office_1", "Area_2/hall_1", "Area_5/office_1")) -> Path:
    """Rooms with the same objects, other points in each."""
    for place, room in enumerate(rooms):
        (root / room / "Annotations").mkdir(parents=True)
        for number, name in enumerate(OBJECTS):
            object_file(root, room, name).write_text(text_of(object_rows(100 * place + number)))
        (root / room / f"{Path(room).name}.txt").write_text("not read\n")
        (root / room / "Annotations" / ".DS_Store").write_bytes(b"\0")
    (root / rooms[0]).with_name("office_1_alignmentAngle.txt").write_text("not read\n")
    return root
