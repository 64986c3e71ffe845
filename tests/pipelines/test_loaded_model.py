"""Networks from Python: the same numbers as in training, from a path, a PIL image or an array; errors in one line."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

import sem3d
from sem3d.datasets.scans.frames import resize_color
from sem3d.errors import UserError
from sem3d.pipelines.given_picture import given, seen_size
from sem3d.pipelines.loaded_model import Model
from tests.methods.tiny import tiny_checkpoint

PIXELS = np.random.default_rng(0).integers(0, 256, (66, 88, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, Model]:
    """A tiny network of each kind, as users load it."""
    names = ("pri3d", "semantic_segmentation_2d", "semantic_segmentation_3d", "ssr", "ppkt")
    return {name: sem3d.load(tiny_checkpoint(name, tmp_path_factory.mktemp(name))[0]) for name in names}


def test_a_model_says_what_it_gives(models):
    given = {name: model.gives for name, model in models.items()}
    assert given == {
        "pri3d": ("features",),
        "semantic_segmentation_2d": ("features", "segment"),
        "semantic_segmentation_3d": ("segment_points",),
        "ssr": ("mesh",),
        "ppkt": (),
    }
    assert len(models["semantic_segmentation_2d"].classes) == 21
    assert models["pri3d"].classes == ()


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
        scores = model.network.logits(torch.tensor(small.transpose(2, 0, 1)[None]))
    assert_array_equal(model.segment(small), scores[0].argmax(0))


def test_the_mesh_lies_in_a_right_handed_frame(models, tmp_path):
    cut = np.zeros((64, 64, 4), np.uint8)
    cut[16:48, 20:44] = (200, 120, 40, 255)
    network = models["ssr"].network
    mesh = models["ssr"].mesh(cut)
    with torch.no_grad():
        vertices = network.meshes(torch.tensor(cut.transpose(2, 0, 1)[None]))[0]
    assert_array_equal(mesh.vertices, vertices * torch.tensor([1.0, 1.0, -1.0]))
    mesh.write(tmp_path / "a.glb")
    assert (tmp_path / "a.glb").stat().st_size > 0


def test_points_are_given_classes(models):
    generator = np.random.default_rng(1)
    points = generator.uniform((0, 0, 0), (4, 3, 2), (2000, 3)).astype(np.float32)
    found = models["semantic_segmentation_3d"].segment_points(
        points, generator.integers(0, 256, (2000, 3), dtype=np.uint8)
    )
    assert found.shape == (2000,)
    assert found.max() <= 20


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
