"""Networks from Python: the same numbers as in training, from a path, a PIL image or an array; errors in one line."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

import sem3d
from sem3d.datasets.scans.box_classes import BOX_CLASSES
from sem3d.datasets.scans.frames import resize_color
from sem3d.errors import UserError
from sem3d.methods import METHODS, method_class
from sem3d.networks.sparse_unet import voxel_tensor
from sem3d.pipelines.given_picture import given, seen_size
from sem3d.pipelines.loaded_model import GIVES, Model
from tests.datasets.objects.srn_folders import write_srn
from tests.methods.tiny import tiny_checkpoint

PIXELS = np.random.default_rng(0).integers(0, 256, (66, 88, 3), dtype=np.uint8)


CLASSES = {"semantic_segmentation_2d": 21, "semantic_srn_unet": 1, "semantic_segmentation_3d": 21}
"""How many classes the networks know that know any; without data a U-Net of parts has but the background."""
GIVEN = dict.fromkeys(METHODS, ()) | {
    "pri3d": ("features",),
    "semantic_segmentation_2d": ("features", "segment"),
    "semantic_srn_unet": ("segment",),
    "semantic_segmentation_3d": ("segment_points", "point_features"),
    "ppkt": ("point_features",),
    "ppkt_pointcontrast": ("point_features",),
    "pointcontrast": ("point_features",),
    "object_detection_3d": ("point_features", "boxes"),
    "ssr": ("mesh",),
}


def object_in_the_middle() -> np.ndarray:
    """RGBA of one object before nothing."""
    cut = np.zeros((64, 64, 4), np.uint8)
    cut[16:48, 20:44] = (200, 120, 40, 255)
    return cut


def scene() -> tuple[np.ndarray, np.ndarray]:
    """Points and colours of a room of points."""
    generator = np.random.default_rng(1)
    points = generator.uniform((0, 0, 0), (4, 3, 2), (2000, 3)).astype(np.float32)
    return points, generator.integers(0, 256, (2000, 3), dtype=np.uint8)


ASKED = {
    "features": lambda model: model.features(PIXELS),
    "segment": lambda model: model.segment(PIXELS),
    "mesh": lambda model: model.mesh(object_in_the_middle()),
    "segment_points": lambda model: model.segment_points(*scene()),
    "point_features": lambda model: model.point_features(*scene()),
    "boxes": lambda model: model.boxes(*scene()),
}
"""Each function of a model, called."""


class Loaded(dict[str, Model]):
    """Tiny networks, each as users load it, made when first asked for."""

    def __init__(self, folder_of: Callable[[str], Path]):
        super().__init__()
        self.folder_of = folder_of

    def __missing__(self, name: str) -> Model:
        folder = self.folder_of(name)
        self[name] = sem3d.load(tiny_checkpoint(name, folder)[0])
        return self[name]


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Loaded:
    """Tiny networks by the name of their method."""
    return Loaded(tmp_path_factory.mktemp)


@pytest.mark.parametrize("name", METHODS)
def test_a_model_gives_what_it_says_and_nothing_else(models, name):
    model = models[name]
    assert model.gives == GIVEN[name]
    assert ASKED.keys() == GIVES.keys()
    for function, ask in ASKED.items():
        if function in model.gives:
            ask(model)
            continue
        with pytest.raises(UserError, match=f"is a run of {name}, which has no {function}: it gives ") as refused:
            ask(model)
        assert model.gives or hint_of(model) in str(refused.value)
    assert len(model.classes) == CLASSES.get(name, 0)


def hint_of(model: Model) -> str:
    """The command that does what a model has no function for."""
    method = method_class(model.method)
    predicts = f"python -m jobs.predict {model.method} --run {model.folder}"
    return predicts if method.prediction else method.unpredicted or f"python -m jobs.evaluate {model.folder}"


def test_features_are_those_of_the_training_code(models):
    network = models["pri3d"].network
    seen = resize_color(PIXELS, (33, 44)).transpose(2, 0, 1)
    with torch.no_grad():
        expected = network.features(torch.tensor(seen[None, None].repeat(2, 1)))[0, 0]
    # of one picture, not of two: oneDNN rounds otherwise on some CPUs
    assert_allclose(models["pri3d"].features(PIXELS), expected, rtol=0, atol=1e-6)


def test_a_path_an_image_and_an_array_give_the_same(models, tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    model = models["semantic_segmentation_2d"]
    expected = model.segment(PIXELS)
    assert expected.shape == PIXELS.shape[:2]
    for picture in (tmp_path / "a.png", str(tmp_path / "a.png"), Image.fromarray(PIXELS)):
        assert_array_equal(model.segment(picture), expected)


def test_an_array_may_be_a_view_whose_axes_run_backwards(models):
    reversed_channels = PIXELS[:33, :44, ::-1]
    assert_array_equal(models["pri3d"].features(reversed_channels), models["pri3d"].features(reversed_channels.copy()))


def test_an_array_larger_than_a_file_may_be_is_refused(models):
    huge = np.broadcast_to(PIXELS[:1, :1], (1 << 14, 1 << 13, 3))
    with pytest.raises(UserError, match="8192 x 16384 pixels is too large"):
        models["pri3d"].features(huge)


def test_a_label_is_the_class_of_highest_score(models):
    model = models["semantic_segmentation_2d"]
    small = PIXELS[:33, :44]
    with torch.no_grad():
        scores = model.network.pixel_scores(torch.tensor(small.transpose(2, 0, 1)[None]))
    assert_array_equal(model.segment(small), scores[0].argmax(0))


@pytest.mark.parametrize(("transparent", "opacity"), [("white", False), ("released", True)])
def test_parts_of_an_object_are_those_of_the_evaluation(tmp_path, transparent, opacity):
    write_srn(tmp_path, {"train": 4, "val": 1, "test": 2}, views=2, side=24)
    changes = {"data__transparent": transparent, "method__opacity": opacity}
    folder, method = tiny_checkpoint("semantic_srn_unet", tmp_path, with_data=True, **changes)
    model, samples = sem3d.load(folder), method.sources(method.experiment)["tested"]
    assert model.classes == ("background", "back", "seat")
    pictured = set()
    for row in samples.table.to_pylist():
        loaded = samples.collate([samples.load(row, np.random.default_rng(0))])
        with torch.no_grad():
            expected = method.labelled(method.Batch(**{name: torch.tensor(value) for name, value in loaded.items()}))
        labels = model.segment(tmp_path / row["pictures"][0])
        assert_array_equal(labels, expected[0].repeat_interleave(2, 0).repeat_interleave(2, 1))
        pictured |= set(np.unique(labels))
    assert len(pictured) > 1
    wide = np.full((24, 40, 4), 255, np.uint8)
    with Image.open(tmp_path / row["pictures"][0]) as opened:
        wide[:, 8:32] = np.asarray(opened.convert("RGBA"))
    assert_array_equal(model.segment(wide), np.pad(labels, ((0, 0), (8, 8))))
    with pytest.raises(UserError, match="sees pictures of objects at 12 x 12 pixels: leave size out"):
        model.segment(wide, size=(24, 24))
    (tmp_path / "classes.txt").unlink()
    assert model.classes == ("background", "part 1", "part 2")


def test_the_mesh_lies_in_a_right_handed_frame(models, tmp_path):
    cut = object_in_the_middle()
    network = models["ssr"].network
    mesh = models["ssr"].mesh(cut)
    with torch.no_grad():
        vertices = network.meshes(torch.tensor(cut.transpose(2, 0, 1)[None]))[0]
    assert_array_equal(mesh.vertices, vertices * torch.tensor([1.0, 1.0, -1.0]))
    mesh.write(tmp_path / "a.glb")
    assert (tmp_path / "a.glb").stat().st_size > 0


def test_points_are_given_classes(models):
    found = models["semantic_segmentation_3d"].segment_points(*scene())
    assert found.shape == (2000,)
    assert found.max() <= 20


def test_features_of_points_are_those_of_their_voxels(models):
    points, colors = scene()
    model = models["ppkt"]
    found = model.point_features(points, colors)
    cells = np.floor((points - points.mean(axis=0, dtype=np.float64)) / 0.2).astype(np.int32)
    places, first, own = np.unique(cells, axis=0, return_index=True, return_inverse=True)
    voxel = torch.tensor(np.pad(places, ((0, 0), (1, 0))))
    expected = model.network.sparse_unet(
        voxel_tensor(voxel, torch.tensor(colors[first]), model.experiment.method.voxel_input, torch.float32)
    )
    assert found.shape == (2000, model.network.sparse_unet.out_channels)
    assert_allclose(found, expected.detach()[own.reshape(-1)], rtol=1e-4, atol=1e-5)


def test_boxes_are_named_and_lie_in_the_frame_of_the_points(models):
    points, colors = scene()
    here, there = (models["object_detection_3d"].boxes(points + shift, colors) for shift in np.float32([0, 64]))
    assert here
    assert all(one["class"] in BOX_CLASSES["scannet"].names for one in here)
    assert [one["objectness"] for one in here] == sorted((one["objectness"] for one in here), reverse=True)
    assert_allclose([one["center"] for one in there], np.array([one["center"] for one in here]) + 64, atol=1e-2)


@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        ("nowhere.png", "no such file"),
        (PIXELS.astype(np.float32) / 255, "an array of float32 and shape (66, 88, 3)"),
        (PIXELS[..., 0], "an array of uint8 and shape (66, 88)"),
        (np.zeros_like(PIXELS), "none is above 0 of 255"),
        (np.concatenate([PIXELS, PIXELS[..., :1]], axis=2), "transparent pixels"),
    ],
)
def test_what_is_no_picture_of_a_scene_is_refused_in_one_line(models, picture, reason):
    with pytest.raises(UserError) as refused:
        models["pri3d"].features(picture)
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_is_no_picture_at_all_is_refused():
    with pytest.raises(UserError, match="a Tensor is no picture: give a path, a PIL image or an array"):
        given(torch.zeros(3, 4, 4))


def test_a_model_without_the_answer_says_which_it_has(models):
    with pytest.raises(UserError, match="is a run of pri3d, which has no mesh: it gives features"):
        models["pri3d"].mesh(PIXELS)


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(UserError):
        sem3d.load(tmp_path)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((240, 320), (96, 128)), ((480, 640), (96, 128)), ((640, 480), (128, 96)), ((100, 400), (55, 222))],
)
def test_a_picture_keeps_its_aspect_at_as_many_pixels(size, expected):
    assert seen_size(size, (96, 128)) == expected


def test_random_states_stay_as_they_are(tmp_path):
    folder, _ = tiny_checkpoint("pri3d", tmp_path)
    np.random.seed(1)
    torch.manual_seed(1)
    before = np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    sem3d.load(folder)
    assert (np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == before


def test_importing_the_package_imports_nothing_heavy():
    listed = "import sem3d, sys; print(sorted({'torch', 'ray', 'mlflow', 'numpy'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", listed], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert done.stdout.strip() == "[]"
