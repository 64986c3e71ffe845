"""Viewpoint, sketches and shape of a picture by untrained networks: the files hold the numbers that the networks find."""

import json

import numpy as np
import pytest
import torch
import trimesh
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from jobs import predict
from sem3d.geometry.voxel_mesh import voxel_mesh
from sem3d.pipelines.pixel_semantics.networks import usual_distance
from sem3d.pipelines.pixel_semantics.squares import as_image, cut_square
from tests.jobs.outcome import outcome
from tests.methods.tiny import tiny_checkpoint

SMALL = {"data__size": 32}
CHANGES = {
    "viewpoint": SMALL,
    "reconstruction_sketches": SMALL,
    "reconstruction": {"data__voxels": 16, "method__naturalness__weight": 0.0} | SMALL,
}
LEVEL = 0.49


@pytest.fixture(scope="module", params=CHANGES)
def trained(request, sketched, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    changes = {"data__root": str(sketched)} | CHANGES[request.param]
    return request.param, *tiny_checkpoint(request.param, folder, **changes)


@pytest.fixture
def picture(tmp_path):
    """A picture of noise whose right half is opaque."""
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 4), dtype=np.uint8)
    pixels[..., 3] = 255 * (np.arange(80) >= 40)
    Image.fromarray(pixels).save(tmp_path / "given.png")
    return tmp_path / "given.png"


@pytest.fixture(autouse=True)
def whole_pictures(monkeypatch):
    """Untrained networks find no pixel of an object: here they take every pixel for it."""
    monkeypatch.setattr("sem3d.networks.sketch_network.SILHOUETTE", -1e9)


def predicted(trained, picture, out, monkeypatch, capsys, *words):
    name, checkpoint, _ = trained
    given = ["--run", checkpoint, "--image", picture, "--out", picture.with_name(out), "--storage", picture.parent]
    return outcome(
        predict.main,
        monkeypatch,
        capsys,
        name,
        *given,
        "--tracking-uri",
        "http://127.0.0.1:9",
        "--run.device",
        "cpu",
        *words,
    )


def seen(picture, method, distance):
    """The picture as the networks of training data saw theirs."""
    return as_image(cut_square(picture, distance)[0], method.experiment.data.size)[None]


def test_a_prediction_holds_what_the_network_finds(trained, picture, monkeypatch, capsys):
    name, _, method = trained
    image = seen(picture, method, usual_distance(method.sources(method.experiment)["train"]))
    out = {"viewpoint": "found.json", "reconstruction_sketches": "found.npz", "reconstruction": "found.obj"}[name]
    words = ["--level", LEVEL] if name == "reconstruction" else []
    code, said, error = predicted(trained, picture, out, monkeypatch, capsys, *words)
    assert code == 0, error
    assert np.asarray(Image.open(picture.with_name("found.png"))).std() > 5
    with torch.no_grad():
        if name == "viewpoint":
            batch = method.Batch(torch.zeros(1, 2), torch.zeros(1, 3), torch.ones(1, dtype=torch.uint8), image)
            azimuth, polar = (float(torch.rad2deg(one)) for one in method.angles(batch))
            found = json.loads(picture.with_name(out).read_text())
            assert_allclose(list(found["degrees"].values()), [azimuth % 360, 90 - polar], atol=0.01)
            assert "front at -z" in found["frame"]
            assert f"azimuth {azimuth % 360:.0f}, elevation {90 - polar:.0f} degrees" in said
        elif name == "reconstruction_sketches":
            depth, normal = method.sketches(image)[0].split([1, 3, 1])[:2]
            found = np.load(picture.with_name(out))
            assert_allclose(found["depth"], depth[0].clamp(0, 1), atol=1e-5)
            assert_allclose(found["normal"], normal / normal.norm(dim=0).clamp(min=1e-6), atol=1e-4)
            assert found["silhouette"].all()
        else:
            occupancy = method.occupancies(method.sketches(image))[0].numpy()
            vertices, faces = voxel_mesh(occupancy, LEVEL)
            assert len(faces)
            mesh = trimesh.load(picture.with_name(out), process=False)
            assert_allclose(mesh.vertices, vertices, atol=1e-6)
            assert_array_equal(mesh.faces, faces)


def test_without_the_data_the_distance_of_the_camera_has_to_be_named(trained, picture, monkeypatch, capsys, tmp_path):
    name, *_ = trained
    checkpoint, _ = tiny_checkpoint(name, tmp_path, **{"data__root": str(tmp_path / "gone")} | CHANGES[name])
    gone = (name, checkpoint, None)
    out = {"viewpoint": "found.json", "reconstruction_sketches": "found.png", "reconstruction": "found.glb"}[name]
    level = ["--level", LEVEL] if name == "reconstruction" else []
    code, _, error = predicted(gone, picture, out, monkeypatch, capsys, *level)
    assert (code, len(error.splitlines())) == (2, 1)
    assert "--distance" in error
    code, _, error = predicted(gone, picture, out, monkeypatch, capsys, "--distance", 2.4, *level)
    assert code == 0, error
    assert picture.with_name(out).is_file()
    code, _, error = predicted(gone, picture, out, monkeypatch, capsys, "--distance", -1)
    assert (code, "distance" in error, len(error.splitlines())) == (2, True, 1)
    code, _, error = predicted(gone, picture, "found.jpg", monkeypatch, capsys)
    assert (code, "must end in" in error) == (2, True)


def test_a_picture_without_an_object_and_a_machine_without_a_gpu_are_told(trained, picture, monkeypatch, capsys):
    out = {"viewpoint": "found.json", "reconstruction_sketches": "found.png", "reconstruction": "found.ply"}[trained[0]]
    if trained[0] != "viewpoint":
        monkeypatch.setattr("sem3d.networks.sketch_network.SILHOUETTE", 1e9)
        code, _, error = predicted(trained, picture, out, monkeypatch, capsys)
        assert (code, len(error.splitlines())) == (2, 1)
        assert "no pixel is taken for the object" in error
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    code, _, error = predicted(trained, picture, out, monkeypatch, capsys, "--run.device", "gpu")
    assert (code, len(error.splitlines())) == (2, 1)
    assert "torch sees no GPU" in error
    assert not picture.with_name(out).exists()
