"""Readers of annotated keypoints."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.io import loadmat, savemat

from sem3d.datasets.objects.keypointnet import check_clouds, read_annotations
from sem3d.datasets.objects.raw_keypoints import read_marks
from sem3d.datasets.objects.verdicts import after_verdict, read_verdict
from sem3d.datasets.photos.layouts import find_pairs
from sem3d.datasets.photos.pix3d import pix3d_images
from tests.datasets.objects.tiny_keypointnet import CHAIR, cloud, write_keypointnet
from tests.datasets.photos.official_photos import write_pf_pascal, write_pf_willow, write_pix3d, write_spair
from tests.mutations.trials import Parser


def every_pair(folder: Path) -> None:
    find_pairs(folder, "test", 1.0)


def beside(write: Callable[[Path], Path], name: str) -> Callable[[Path], Path]:
    """Another file of what ``write`` writes."""

    def make(folder: Path) -> Path:
        write(folder)
        return folder / name

    return make


def packed_mat(folder: Path) -> Path:
    """A file of PF-PASCAL whose variables are compressed, as MATLAB writes them."""
    path = beside(write_pf_pascal, "PF-dataset-PASCAL/Annotations/chair/1.mat")(folder)
    held = {name: value for name, value in loadmat(path).items() if not name.startswith("__")}
    savemat(path, held, do_compression=True)
    return path


def every_model(folder: Path) -> None:
    models, _ = read_annotations(folder)
    list(check_clouds(folder, models))


def marks_file(folder: Path) -> Path:
    mark = {"index": 0, "face": 1, "weights": [0.2, 0.3, 0.5], "xyz": [0.2, 0.2, 0.2]}
    models = [{"model_id": "one", "marks": [mark]}, {"model_id": "two", "marks": []}]
    content = {"format": 1, "class_id": CHAIR, "person": "ann", "models": models}
    (folder / "ann.json").write_text(json.dumps(content))
    return folder / "ann.json"


def every_mark(folder: Path) -> None:
    read_marks([folder / "ann.json"], {name: np.full((4, 3), 0.2) for name in ("one", "two")})


def verdict_file(folder: Path) -> Path:
    write_keypointnet(folder)
    added = [{"model_id": "model0", "meaning": 9, "xyz": cloud(0)[7].tolist(), "prior": "click"}]
    content = {"format": 1, "class_id": CHAIR, "accepted": [0, 1, 3], "rejected": [2], "added": added}
    (folder / "verdict.json").write_text(json.dumps(content))
    return folder / "verdict.json"


def judged(folder: Path) -> None:
    models, _ = read_annotations(folder)
    after_verdict(models, read_verdict(folder / "verdict.json"), lambda _: cloud(0))


KEYPOINTNET = (
    Parser("marks of the annotation page", marks_file, every_mark),
    Parser("verdict of the verification page", verdict_file, judged),
    Parser("annotations of KeypointNet", write_keypointnet, every_model),
    Parser("split of KeypointNet", beside(write_keypointnet, "splits/train.txt"), every_model),
    Parser(".pcd of KeypointNet", beside(write_keypointnet, f"pcds/{CHAIR}/model0.pcd"), every_model),
)
PHOTOS = (
    Parser(".mat of PF-WILLOW", write_pf_willow, every_pair),
    Parser("pairs of PF-PASCAL", write_pf_pascal, every_pair),
    Parser(".mat of PF-PASCAL", beside(write_pf_pascal, "PF-dataset-PASCAL/Annotations/chair/1.mat"), every_pair),
    Parser(".mat of PF-PASCAL, packed", packed_mat, every_pair),
    Parser("pair of SPair-71k", write_spair, every_pair),
    Parser("list of SPair-71k", beside(write_spair, "Layout/large/test.txt"), every_pair),
    Parser("pix3d.json", write_pix3d, lambda f: pix3d_images(f, f / "input.txt")),
    Parser("list of Pix3D", beside(write_pix3d, "input.txt"), lambda f: pix3d_images(f, f / "input.txt")),
)
