"""A tiny chair in PartNet's layout: a seat, a back at -z, a leg and a footrest, boxes all."""

import json
from pathlib import Path

import numpy as np

BOXES = {
    "new-0": ((-0.4, -0.1, -0.4), (0.4, 0.0, 0.4)),
    "new-1": ((-0.4, 0.0, -0.4), (0.4, 0.8, -0.3)),
    "original-2": ((-0.05, -0.6, -0.05), (0.05, -0.1, 0.05)),
    "new-3": ((-0.1, -0.6, 0.3), (0.1, -0.55, 0.4)),
}
NAMES = {"new-0": "chair_seat", "new-1": "chair_back", "original-2": "chair_base", "new-3": "footrest"}
FACES = (
    (0, 1, 3),
    (0, 3, 2),
    (4, 6, 7),
    (4, 7, 5),
    (0, 4, 5),
    (0, 5, 1),
    (2, 3, 7),
    (2, 7, 6),
    (0, 2, 6),
    (0, 6, 4),
    (1, 5, 7),
    (1, 7, 3),
)


def box_lines(low: tuple[float, ...], high: tuple[float, ...], start: int = 1) -> list[str]:
    corners = [[(low, high)[bit][axis] for axis, bit in enumerate(bits)] for bits in np.ndindex(2, 2, 2)]
    return [
        *(f"v {x} {y} {z}" for x, y, z in corners),
        *("f " + " ".join(str(k + start) for k in face) for face in FACES),
    ]


def write_partnet(root: Path, name: str = "1", model: str = "abc", looks: bool = True) -> Path:
    folder = root / name
    (folder / "objs").mkdir(parents=True, exist_ok=True)
    for part, (low, high) in BOXES.items():
        (folder / "objs" / f"{part}.obj").write_text("\n".join(box_lines(low, high)) + "\n")
    children = [
        {"name": kind, "id": n, "objs": [part], "children": [{"name": "inner", "id": 9, "objs": [part]}]}
        for n, (part, kind) in enumerate(NAMES.items(), 1)
    ]
    tree = [{"name": "chair", "id": 0, "objs": list(BOXES), "children": children}]
    (folder / "result_after_merging.json").write_text(json.dumps(tree))
    (folder / "meta.json").write_text(json.dumps({"model_id": model, "anno_id": name, "model_cat": "Chair"}))
    if looks:
        (folder / "point_sample").mkdir(exist_ok=True)
        rows = [
            f"{x} {y} 0 0 0 1 {255 if y > 0.05 else 0} 0 255 1.0"
            for x in (-0.3, 0.3)
            for y in np.linspace(-0.6, 0.8, 30)
        ]
        (folder / "point_sample/sample-points-all-pts-nor-rgba-10000.txt").write_text("\n".join(rows) + "\n")
    return folder


def write_parted(root: Path, category: str = "table") -> Path:
    """A table of one .obj: a top of two boards, a shelf, a leg; axes z up."""
    boxes = {
        "0_part0": ((-1, -0.5, 0.9), (0, 0.5, 1.0)),
        "1_part1": ((0, -0.5, 0.9), (0.9, 0.5, 1.0)),
        "2_part2": ((-0.8, -0.4, 0.3), (0.8, 0.4, 0.35)),
        "3_part3": ((-0.9, -0.4, 0.0), (-0.8, -0.3, 0.9)),
    }
    root.mkdir(parents=True, exist_ok=True)
    lines = [
        line for n, (name, box) in enumerate(boxes.items()) for line in (f"o {name}", *box_lines(*box, start=8 * n + 1))
    ]
    (root / f"{category}_x.obj").write_text("\n".join(lines) + "\n")
    return root / f"{category}_x.obj"
