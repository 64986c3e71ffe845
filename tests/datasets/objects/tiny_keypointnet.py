"""KeypointNet in its official structure, small: models with keypoints on a box, clouds, lists of splits."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from sem3d.datasets.objects.keypointnet import CLASSES

CHAIR = "03001627"


def cloud(seed: int = 0, points: int = 40) -> np.ndarray:
    return np.random.default_rng(seed).random((points, 3)) - 0.5


def record(number: int, class_id: str = CHAIR, count: int = 4, **changes: Any) -> dict[str, Any]:
    points = cloud(number)
    content = {
        "class_id": class_id,
        "model_id": f"model{number}",
        "keypoints": [
            {
                "xyz": points[place].tolist(),
                "rgb": [1, 2, 3],
                "semantic_id": place,
                "pcd_info": {"point_index": place},
                "mesh_info": {"face_index": 7, "face_uv": [0.2, 0.3, 0.5]},
            }
            for place in range(count)
        ],
        "symmetries": {
            "reflection": [{"kp_indexes": [0, 1]}],
            "rotation": [{"kp_indexes": [0, 1, 2], "is_circle": True, "circle": {}}],
        },
    }
    return content | changes


def write_cloud(root: Path, one: dict[str, Any], points: np.ndarray | None = None) -> Path:
    path = root / "pcds" / one["class_id"] / f"{one['model_id']}.pcd"
    path.parent.mkdir(parents=True, exist_ok=True)
    points = cloud(int(one["model_id"].removeprefix("model"))) if points is None else points
    lines = ["VERSION .7", "FIELDS x y z rgb", "SIZE 4 4 4 4", "TYPE F F F U", "COUNT 1 1 1 1", f"WIDTH {len(points)}"]
    lines += ["HEIGHT 1", "VIEWPOINT 0 0 0 1 0 0 0", f"POINTS {len(points)}", "DATA ascii"]
    lines += [f"{x:.6f} {y:.6f} {z:.6f} {(9 << 16) + (8 << 8) + 7}" for x, y, z in points]
    path.write_text("\n".join(lines) + "\n")
    return path


def write_keypointnet(root: Path, *records: dict[str, Any]) -> Path:
    """Annotations of chairs, a file for each class; returns the first."""
    records = records or tuple(record(number) for number in range(5))
    for class_id in dict.fromkeys(one["class_id"] for one in records):
        path = root / "annotations" / f"{CLASSES[class_id]}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([one for one in records if one["class_id"] == class_id]))
    names = [f"{one['class_id']}-{one['model_id']}" for one in records]
    (root / "splits").mkdir(exist_ok=True)
    for split, own in {"train": names[:-2], "val": names[-2:-1], "test": names[-1:]}.items():
        (root / "splits" / f"{split}.txt").write_text("".join(f"{name}\n" for name in own))
    for one in records:
        if len(one["keypoints"]) and isinstance(one["model_id"], str) and one["model_id"].startswith("model"):
            write_cloud(root, one)
    return root / "annotations" / f"{CLASSES[records[0]['class_id']]}.json"
