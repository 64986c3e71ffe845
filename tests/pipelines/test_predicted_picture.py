"""Features and labels of a picture of the user's, as files that hold the network's numbers, with a picture beside them."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

import sem3d
from jobs import predict
from sem3d.datasets.scans.labels import NYU40_IDS
from tests.datasets.objects.srn_folders import write_srn
from tests.jobs.outcome import outcome
from tests.methods.tiny import tiny_checkpoint

PIXELS = np.random.default_rng(0).integers(0, 256, (66, 88, 3), dtype=np.uint8)
NO_STORE = ("--tracking-uri", "http://127.0.0.1:9")


def predicted(name, out, tmp_path, monkeypatch, capsys):
    """Exit code, what the command says, its error, and the model."""
    checkpoint, _ = tiny_checkpoint(name, tmp_path)
    Image.fromarray(PIXELS).save(tmp_path / "given.png")
    words = ["--run", checkpoint, "--image", tmp_path / "given.png", "--out", tmp_path / out, "--storage", tmp_path]
    said = outcome(predict.main, monkeypatch, capsys, name, *words, *NO_STORE)
    return *said, sem3d.load(checkpoint)


def test_features_are_written_as_numbers_with_their_picture(tmp_path, monkeypatch, capsys):
    code, said, _, model = predicted("pri3d", "found.npy", tmp_path, monkeypatch, capsys)
    assert code == 0
    assert_array_equal(np.load(tmp_path / "found.npy"), model.features(PIXELS))
    with Image.open(tmp_path / "found.png") as sheet:
        assert sheet.width > 2 * 300
    assert f"features   {tmp_path / 'found.npy'} (8 dimensions on 17 x 22 cells)" in said
    assert "not in MLflow" in said


def test_labels_are_written_as_ids_of_nyu40_with_an_overlay(tmp_path, monkeypatch, capsys):
    code, said, _, model = predicted("semantic_segmentation_2d", "found.png", tmp_path, monkeypatch, capsys)
    assert code == 0
    with Image.open(tmp_path / "found.png") as written:
        assert_array_equal(np.asarray(written), np.array(NYU40_IDS)[model.segment(PIXELS)])
    assert f"picture    {tmp_path / 'found.overlay.png'}" in said
    assert (tmp_path / "found.overlay.png").is_file()


@pytest.mark.parametrize(
    ("out", "reason"), [("found.jpg", "must end in .npy or .png"), ("given.png", "the picture itself")]
)
def test_a_file_that_cannot_be_written_is_refused(out, reason, tmp_path, monkeypatch, capsys):
    code, _, told, _ = predicted("pri3d", out, tmp_path, monkeypatch, capsys)
    assert code == 2
    assert reason in told


def test_parts_are_written_as_class_numbers_with_an_overlay(tmp_path, monkeypatch, capsys):
    write_srn(tmp_path, {"train": 4, "val": 1, "test": 2}, views=2, side=24)
    checkpoint, _ = tiny_checkpoint("semantic_srn_unet", tmp_path, with_data=True)
    given = next((tmp_path / "test").glob("*/rgb/000000.png"))
    words = ["--run", checkpoint, "--image", given, "--out", tmp_path / "found.png", "--storage", tmp_path]
    code, said, error = outcome(predict.main, monkeypatch, capsys, "semantic_srn_unet", *words, *NO_STORE)
    assert code == 0, error
    with Image.open(tmp_path / "found.png") as written:
        labels = np.asarray(written)
    assert_array_equal(labels, sem3d.load(checkpoint).segment(given))
    assert f"({len(np.unique(labels))} classes)" in said
    with Image.open(tmp_path / "found.overlay.png") as sheet:
        assert np.asarray(sheet).std() > 5
