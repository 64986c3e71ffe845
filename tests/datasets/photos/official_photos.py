"""Photographs with keypoints in the official structure of their data sets, small."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.io import savemat

SIZE = (40, 60)
KEYPOINTS = np.array([[5.5, 50.25, 30.0], [6.0, 7.5, 35.0]])
"""u, then v."""


def photograph(path: Path, seed: int = 0, size: tuple[int, int] = SIZE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (*size, 3), dtype=np.uint8)).save(path)
    return path


def write_pf_willow(root: Path, groups: int = 1, images: int = 2) -> Path:
    """Groups of photographs of growing width, and the annotation of the first of them."""
    for group in range(groups):
        for number in range(images):
            path = root / "PF-dataset-WILLOW" / f"car({group})" / f"car_{number}.mat"
            photograph(path.with_suffix(".png"), number, (40, 60 + 10 * number))
            savemat(path, {"pts_coord": KEYPOINTS + number})
    return root / "PF-dataset-WILLOW" / "car(0)" / "car_0.mat"


def write_pf_pascal(root: Path, boxes: bool = True) -> Path:
    """A table of one pair of chairs, one keypoint of which nobody could mark in the second."""
    photos = root / "PF-dataset-PASCAL" / "JPEGImages"
    for number in range(2):
        photograph(photos / f"{number}.jpg", number)
        if boxes:
            annotation = photos.parent / "Annotations" / "chair" / f"{number}.mat"
            annotation.parent.mkdir(parents=True, exist_ok=True)
            savemat(annotation, {"kps": KEYPOINTS.T, "bbox": np.array([[1, 2, 51, 32 + number]])})
    places = [";".join(map(str, own)) for own in KEYPOINTS]
    line = ",".join(f"PF-dataset-PASCAL/JPEGImages/{number}.jpg" for number in range(2))
    text = f"source_image,target_image,class,XA,YA,XB,YB\n{line},9,{places[0]},{places[1]},1;NaN;3,4;NaN;6\n"
    (root / "test_pairs.csv").write_text(text)
    return root / "test_pairs.csv"


def spair_pair(**changes: Any) -> dict[str, Any]:
    content: dict[str, Any] = {
        "category": "chair",
        "src_imname": "a.jpg",
        "trg_imname": "b.jpg",
        "src_imsize": [60, 40, 3],
        "trg_imsize": [60, 40, 3],
        "src_bndbox": [1, 2, 51, 32],
        "trg_bndbox": [1, 2, 41, 32],
        "src_kps": [[5, 6], [50, 7]],
        "trg_kps": [[8, 9], [40, 11]],
        "kps_ids": ["0", "12"],
        "azimuth_id": 0,
    }
    return content | changes


def write_spair(root: Path, **changes: Any) -> Path:
    """One pair of chairs of the test split, on the large list."""
    for number, name in enumerate("ab"):
        photograph(root / "JPEGImages" / "chair" / f"{name}.jpg", number)
    name = "000001-a-b:chair"
    for folder in ("Layout/large", "PairAnnotation/test"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "Layout" / "large" / "test.txt").write_text(f"{name}\n")
    path = root / "PairAnnotation" / "test" / f"{name}.json"
    path.write_text(json.dumps(spair_pair(**changes)))
    return path


def pix3d_record(number: int, **changes: Any) -> dict[str, Any]:
    content: dict[str, Any] = {
        "img": f"img/chair/{number:04}.png",
        "category": "chair",
        "img_size": [60, 40],
        "2d_keypoints": [[[5.0, 6.0], [-1.0, -1.0]], [[7.0, 8.0], [9.0, 9.0]], [[6.0, 7.0], [-1.0, -1.0]]],
        "mask": f"mask/chair/{number:04}.png",
        "model": "model/chair/IKEA_POANG_1/model.obj",
        "bbox": [1, 2, 51, 32],
        "truncated": False,
        "occluded": False,
        "slightly_occluded": number == 2,
    }
    return content | changes


def write_pix3d(root: Path) -> Path:
    """Annotations of three photographs, and a list of two of them as Pix3D's evaluation has it."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "input.txt").write_text("../img/chair/0002.png\n../img/chair/0001.png\n")
    (root / "pix3d.json").write_text(json.dumps([pix3d_record(number) for number in (1, 2, 3)]))
    return root / "pix3d.json"
