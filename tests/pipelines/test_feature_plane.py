"""Features of a teacher's images and pixels, and held-out scenes on pages, without Ray or training."""

import base64
import re

import numpy as np
import pyarrow as pa
import torch
from numpy.testing import assert_allclose, assert_array_equal

from sem3d.datasets.scans.labels import class_palette
from sem3d.datasets.scene_clouds import CollateClouds
from sem3d.datasets.stream import Samples
from sem3d.methods.ppkt.method import PPKTBatch
from sem3d.pipelines.feature_plane import teacher_features
from sem3d.pipelines.options import EvaluationOptions
from sem3d.pipelines.shown_clouds import clouds
from sem3d.pipelines.trained_run import TrainedRun
from tests.methods.synthetic_batches import BATCHES
from tests.methods.tiny import build_tiny, tiny_experiment
from tests.pipelines.test_point_probe import SAMPLES, Drawn, in_this_process


def test_images_have_the_means_of_their_maps_and_the_class_of_most_of_their_labelled_pixels(tmp_path, monkeypatch):
    monkeypatch.setattr("sem3d.pipelines.feature_plane.stream_once", in_this_process)
    experiment = tiny_experiment("ppkt", tmp_path, tmp_path, run__batch_size=2, run__device="cpu")
    method = build_tiny("ppkt", experiment).eval()
    (images, of_image), (pixels, of_pixel) = teacher_features(method, experiment, SAMPLES)
    batch = PPKTBatch(**BATCHES["ppkt"]() | {"image": torch.zeros(3, 3, 8, 8, dtype=torch.uint8)})
    for features, single in zip(images, method.maps(batch)[0], strict=True):
        assert_allclose(features[: len(single)], single.mean(dim=(1, 2)).numpy(), rtol=1e-4, atol=1e-6)
    known = [Drawn()({"frame": frame}, None)["pair_label"] for frame in range(3)]
    assert of_image.tolist() == [np.bincount(one[one > 0]).argmax() for one in known]
    assert sorted(of_pixel.tolist()) == sorted(int(label) for one in known for label in one if label)
    assert pixels.shape == (len(of_pixel), images.shape[1])


def test_scenes_are_painted_by_their_labels_and_by_what_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr("sem3d.pipelines.shown_clouds.stream_once", in_this_process)
    name = "semantic_segmentation_3d"
    experiment = tiny_experiment(name, tmp_path, tmp_path, run__device="cpu")
    method = build_tiny(name, experiment).eval()
    random = np.random.default_rng(0)
    voxel = np.unique(random.integers(0, 8, (80, 3)), axis=0).astype(np.int32)
    of_point = random.permutation(np.concatenate([np.arange(len(voxel)), random.integers(0, len(voxel), 40)]))
    scene = {
        "voxel": voxel,
        "voxel_color": random.integers(0, 256, (len(voxel), 3), dtype=np.uint8),
        "turn_voxels": np.array([len(voxel)]),
        "point_voxel": of_point[:, None],
        "point_label": random.integers(0, 4, len(of_point)).astype(np.uint8),
        "scene": np.array(0),
    }
    samples = Samples(pa.table({"scene": ["room <7>"]}), lambda row, rng: scene, CollateClouds(1), "")
    monkeypatch.setattr(TrainedRun, "sources", {"held_out": samples})
    monkeypatch.setattr(TrainedRun, "build", lambda *_, **__: method)
    made = clouds(TrainedRun(tmp_path, name, experiment), EvaluationOptions(run="run"))
    assert made.pages.keys() == {"cloud-0-labels", "cloud-0-found"}
    columns = CollateClouds(1)([scene])
    with torch.no_grad():
        batch = method.Batch(**{key: torch.from_numpy(value) for key, value in columns.items()})
        found = method.point_scores(batch).argmax(1).numpy()
    for what, named in (("labels", scene["point_label"]), ("found", found)):
        page = made.pages[f"cloud-0-{what}"]
        assert f"room &lt;7&gt;: {what}" in page
        painted = base64.b64decode(re.search(r'data-painted="([^"]*)"', page)[1])
        first = [int(np.flatnonzero(of_point == row)[0]) for row in range(len(voxel))]
        assert_array_equal(np.frombuffer(painted, np.uint8).reshape(-1, 3), class_palette()[named[first]])
    known = scene["point_label"] > 0
    (row,) = made.tables[0].rows
    assert_allclose(row["right, %"], 100 * np.mean(found[known] == scene["point_label"][known]))
