"""An object inferred from one picture: its cloud, its strip and its turn, and what is refused."""

import json
import sys
from pathlib import Path

import av
import pytest
import torch
from PIL import Image

from jobs import predict
from sem3d.config import flatten
from sem3d.datasets.scans.surface import read_scene_mesh
from sem3d.methods.semantic_srn.losses import image_loss
from sem3d.methods.semantic_srn.method import SemanticSRN
from sem3d.pipelines.options import ViewPredictionOptions
from sem3d.pipelines.predicted_views import FRAMES, batch_of, inferred
from sem3d.runs.checkpoint_files import write_checkpoint
from tests.datasets.objects.srn_folders import write_srn
from tests.jobs.outcome import outcome
from tests.methods.synthetic_batches import posed_objects
from tests.methods.tiny import build_tiny, tiny_experiment

SIDE = 8


@pytest.fixture(scope="module", params=[2, 0], ids=["with parts", "colour alone"])
def trained(request, tmp_path_factory) -> tuple[Path, SemanticSRN]:
    """The checkpoint of a run, and its network, which sees objects everywhere."""
    folder = tmp_path_factory.mktemp("run")
    changes = {"method__segmentation_layers": request.param, "data__size": 12}
    experiment = tiny_experiment("semantic_srn", folder, folder, **changes)
    method = build_tiny("semantic_srn", experiment, posed_objects()).eval()
    assert isinstance(method, SemanticSRN)
    with torch.no_grad():
        method.scene.color[-1].bias[3] = 5.0
    settings = json.loads(json.dumps(flatten(experiment), default=str))
    state = {"step": 1, "method": "semantic_srn", "counters": {}, "experiment": settings, "metrics": {}}
    write_checkpoint(folder / "step-00000001", method.state_dict(), {}, state)
    return folder / "step-00000001", method


@pytest.fixture(scope="module")
def objects(tmp_path_factory) -> Path:
    return write_srn(tmp_path_factory.mktemp("srn") / "data", {"test": 2}, views=2, side=12) / "test"


def predicted(checkpoint, monkeypatch, capsys, tmp_path, image, *words):
    given = ["semantic_srn", "--run", checkpoint, "--image", image, "--out", tmp_path / "found.ply", "--side", SIDE]
    given += ["--steps", 2, "--storage", tmp_path, "--tracking-uri", "http://127.0.0.1:9", *words]
    return outcome(predict.main, monkeypatch, capsys, *given)


def test_an_object_is_written_as_a_cloud_a_strip_and_a_turn(trained, objects, monkeypatch, capsys, tmp_path):
    image, other = (objects / name / "rgb" / "000000.png" for name in ("object0", "object1"))
    code, said, error = predicted(trained[0], monkeypatch, capsys, tmp_path, image, "--towards", other)
    assert code == 0, error
    assert said.startswith(f"inferring the object of {image}: 2 steps of 1024 rays\n")
    assert f"found.ply ({8 * SIDE * SIDE} points)" in said
    points, _, labels, _ = read_scene_mesh(tmp_path / "found.ply")
    assert len(points) == 8 * SIDE * SIDE
    assert set(labels.tolist()) <= {0, 1, 2}
    with Image.open(tmp_path / "found.png") as strip:
        assert strip.width > 8 * 160
    with Image.open(tmp_path / "found.gif") as turn:
        assert turn.size == (SIDE * (1 + (trained[1].segmentation is not None)), SIDE)
        assert turn.n_frames <= FRAMES
    with av.open(tmp_path / "found.mp4") as video:
        (stream,) = video.streams.video
        assert (stream.codec_context.name, stream.pix_fmt, stream.frames) == ("h264", "yuv420p", FRAMES)
        assert (stream.width, stream.height) == (256 * (1 + (trained[1].segmentation is not None)), 256)
    assert f"turn       {tmp_path / 'found.mp4'}\n" in said


def test_without_av_the_turn_is_an_animated_picture_and_a_line_says_why(
    trained, objects, monkeypatch, capsys, tmp_path
):
    monkeypatch.setitem(sys.modules, "av", None)
    image = objects / "object0" / "rgb" / "000000.png"
    code, said, error = predicted(trained[0], monkeypatch, capsys, tmp_path, image)
    assert code == 0, error
    assert (tmp_path / "found.gif").is_file()
    assert not (tmp_path / "found.mp4").exists()
    (line,) = [line for line in said.splitlines() if "MP4" in line]
    assert line.startswith("no MP4, av is not installed")
    assert "pip install 'sem3d[video]'" in line


def test_what_is_missing_or_makes_no_sense_is_one_line(trained, objects, monkeypatch, capsys, tmp_path):
    checkpoint, method = trained
    image = objects / "object0" / "rgb" / "000000.png"
    alone = tmp_path / "chair.png"
    alone.write_bytes(image.read_bytes())
    code, _, error = predicted(checkpoint, monkeypatch, capsys, tmp_path, alone)
    assert code
    assert "name the file with --pose" in error
    code, _, error = predicted(checkpoint, monkeypatch, capsys, tmp_path, image, "--no-color")
    assert code
    assert "leaves nothing to infer from" in error
    mask = objects / "object0" / "seg" / "000000.npy"
    code, _said, error = predicted(checkpoint, monkeypatch, capsys, tmp_path, image, "--mask", mask, "--no-color")
    assert ("knows no parts" in error) == (method.segmentation is None)
    assert bool(code) == (method.segmentation is None), error
    code, _, error = predicted(checkpoint, monkeypatch, capsys, tmp_path, image, "--out", tmp_path / "found.glb")
    assert code
    assert "must end in .ply" in error


def test_more_steps_explain_the_picture_better(trained, objects, tmp_path):
    _, method = trained
    image = objects / "object1" / "rgb" / "000001.png"
    data = method.experiment.data
    errors = []
    for steps in (1, 60):
        options = ViewPredictionOptions(image=str(image), out=str(tmp_path / "a.ply"), steps=steps, lr=0.1)
        batch = batch_of(method, data, options, image)
        errors.append(float(image_loss(method.render(inferred(method, data, options, image), batch), batch)))
    assert errors[1] < errors[0]
